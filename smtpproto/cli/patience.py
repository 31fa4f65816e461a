"""Tells a person that a server keeps a client waiting."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from .terminal import complain

if TYPE_CHECKING:
    from typing_extensions import Self

# Seconds after which a person wonders; the next notice comes after twice as long.
FIRST = 5.0


class Patience:
    """A context manager and an observer: prints to standard error when nothing comes for long."""

    def __init__(self, place: str, first: float = FIRST) -> None:
        self._place = place
        self._first = first
        self._what = "greeting"
        self._since = time.monotonic()
        self._waiting = True
        self._changed = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __call__(self, sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
        """Take one line, or a chunk of content."""
        self._since = time.monotonic()
        if content:
            # The file may be slow as well.
            self._waiting = self._what == "BDAT"
        elif sender == "S":
            self._waiting = False
        else:
            verb = octets.split(b" ", 1)[0].decode("ascii", "replace")
            self._what = {".": "the end of the content"}.get(verb, verb)
            self._waiting = True

    def _watch(self) -> None:
        notice = self._first
        seen = self._since
        while not self._over:
            if self._since != seen:
                seen, notice = self._since, self._first
            waited = time.monotonic() - seen
            if self._waiting and waited >= notice:
                self._tell(waited)
                notice *= 2
            # A line that comes meanwhile only makes the next notice later.
            self._changed.wait(max(0.05, notice - waited) if self._waiting else self._first / 2)

    def _tell(self, waited: float) -> None:
        what = self._what if self._what == "greeting" else f"reply to {self._what}"
        complain(f"{self._place}: no {what} for {waited:.0f} seconds, still waiting", "dim")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._changed.set()
        self._thread.join()
