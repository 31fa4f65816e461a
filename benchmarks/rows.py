"""A row of the benchmark: a figure of ours against a figure of a peer, measured in turns."""

from __future__ import annotations

import gc
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Row", "cpu", "in_new_process"]


def cpu(run: Callable[[], object], per: int = 1) -> Callable[[], float]:
    """A measurement: CPU microseconds of this process for each of `per` units of `run`."""

    def measure() -> float:
        start = time.process_time()
        run()
        return (time.process_time() - start) / per * 1e6

    return measure


def in_new_process(program: str) -> Callable[[], float]:
    """CPU milliseconds that a program takes in a new interpreter, without the interpreter's own."""
    start, end = "import time; start = time.process_time()", "print(time.process_time() - start)"
    code = f"{start}\n{program}\n{end}"

    def measure() -> float:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(done.stdout) * 1e3

    return measure


@dataclass
class Row:
    """One figure.

    Arguments:
        group: the table that it belongs to.
        name: what is measured.
        peer_name: the measure that it is compared with; "" for a figure that stands alone.
        ours: gives our figure, in `unit`.
        peer: gives the peer's figure; None if it stands alone.
        wanted: the bound on the ratio, or on the figure if it stands alone.
        speed: whether the ratio is one of speeds, so that more is better; otherwise of costs.
        unit: of both figures.
    """

    group: str
    name: str
    peer_name: str
    ours: Callable[[], float]
    peer: Callable[[], float] | None
    wanted: float
    speed: bool = False
    unit: str = "µs"
    found: list[float] = field(default_factory=list)
    found_peer: list[float] = field(default_factory=list)

    def measure(self, turn: int) -> None:
        """Measure both once; in every other round the peer goes first."""
        figures = [(self.ours, self.found)]
        if self.peer is not None:
            figures.append((self.peer, self.found_peer))
        for figure, found in figures[:: -1 if turn % 2 else 1]:
            # A full collection looks at all objects: those of other rows are no cost of this one.
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            found.append(figure())

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round; the figures themselves where there is no peer."""
        if self.peer is None:
            return self.found
        pairs = zip(self.found, self.found_peer, strict=True)
        return [(theirs / ours if self.speed else ours / theirs) for ours, theirs in pairs]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios) if self.found else math.nan

    @property
    def met(self) -> bool:
        return self.ratio >= self.wanted if self.speed else self.ratio <= self.wanted
