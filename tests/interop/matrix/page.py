"""The matrix as text: a line for the terminal, and docs/interop.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.interop.matrix.features import FEATURES
from tests.interop.matrix.rows import YES, Row
from tests.programs import ROOT

PATH = ROOT / "docs" / "interop.md"

# The page without its tables.
TEXT = Path(__file__).with_name("page.md").read_text("utf-8")


def line(row: Row) -> str:
    """For the terminal."""
    outcomes = " | ".join(row.cells[each.name].outcome for each in FEATURES)
    return f"{row.name:28} {row.adapter:8} {row.version:14} {outcomes}"


def start(peer: str, adapter: str) -> str:
    """How the line of a row begins on the page."""
    return f"| {peer} | {adapter} |"


def text(rows: list[Row]) -> str:
    """The page."""
    return TEXT.format(
        clients=section([row for row in rows if row.is_client]),
        servers=section([row for row in rows if not row.is_client]),
    )


def section(rows: list[Row]) -> str:
    heads = [each.name for each in FEATURES]
    lines = [f"| peer | adapter | version | {' | '.join(heads)} |", "|---" * (3 + len(heads)) + "|"]
    for row in rows:
        outcomes = " | ".join(row.cells[head].outcome for head in heads)
        lines.append(f"{start(row.peer, row.adapter)} {row.version} | {outcomes} |")
    return "\n".join([*lines, "", *reasons(rows)])


def reasons(rows: list[Row]) -> Iterable[str]:
    """One line for each peer with anything but "yes", and each reason once in it."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for head, cell in row.cells.items():
            if cell.outcome != YES:
                # Of a failure, the last line says what it is.
                why = cell.why.strip().rpartition("\n")[2]
                heads = found.setdefault(row.peer, {}).setdefault(why, [])
                if head not in heads:
                    heads.append(head)
    for peer, whys in found.items():
        each = "; ".join(f"{', '.join(heads)}: {why}" for why, heads in whys.items())
        yield f"- {peer}: {each}."
