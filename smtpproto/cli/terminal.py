"""What a person sees: colour, tables and progress on a terminal, plain text everywhere else.

The first three need the package rich.  Without it, in a pipe, on a dumb terminal and with the
variable NO_COLOR set, all output is plain text.

What prints raises `OutputFailed` if that cannot be written.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

# What a style looks like, in rich's words.
STYLES = {"good": "green", "bad": "red", "warn": "yellow", "dim": "dim", "head": "bold"}
# The same for replies, by the first digit of the code.
FATES = {"2": "good", "3": "good", "4": "warn", "5": "bad"}
# Seconds after which a person wants to see that it goes on.
PATIENCE = 1.0
UNITS = ("octets", "kB", "MB", "GB")


class OutputFailed(BaseException):
    """This process cannot write its output, as on a full disk; the text says why.

    It is not an `Exception`, so no session treats it as its own error.
    """


class OutputClosed(OutputFailed):
    """The reader of the output has closed it, as `| head` does: see `__main__.command`."""


def is_live(file: TextIO | None) -> bool:
    """Whether a file is a terminal on which lines can change, and the user wants colour."""
    return (
        file is not None
        and file.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
        and importlib.util.find_spec("rich") is not None
    )


def _console(file: TextIO) -> Console | None:
    if not is_live(file):
        return None
    from rich.console import Console

    return Console(file=file, highlight=False, markup=False, emoji=False)


def say(text: str, style: str = "") -> None:
    """Print a line at once, also where the output is a pipe.

    Arguments:
        text: the line.
        style: a key of `STYLES`; "" for none.
    """
    _write(text, style, sys.stdout)


def complain(text: str, style: str = "") -> None:
    """Print a line to standard error."""
    _write(text, style, sys.stderr)


def say_json(value: Any) -> None:
    """Print a value as JSON in one line."""
    say(json.dumps(value))


def reply_style(text: str) -> str:
    """Return the style of a line that begins with a reply code."""
    return FATES.get(text[:1], "")


def show_table(rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> None:
    """Print rows with aligned columns; a terminal wraps the last column.

    Arguments:
        rows: the cells of each row.
        styles: a key of `STYLES` for each row; () for none.
    """
    console = _console(sys.stdout)
    if console is None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            say(f"  {'  '.join(cells)}".rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    for number, row in enumerate(rows):
        style = STYLES.get(styles[number] if styles else "", "")
        table.add_row(*map(Text, row), style=style)
    with writing():
        console.print(table)


def _write(text: str, style: str, file: TextIO) -> None:
    console = _console(file) if style else None
    with writing():
        if console is None:
            # One write for the whole line: other threads write too.
            file.write(f"{text}\n")
            file.flush()
            return
        from rich.text import Text

        console.print(Text(text, STYLES[style]), soft_wrap=True)
        file.flush()


def flush() -> None:
    """Write buffered output, such as help, while a closed pipe can still be reported."""
    with writing():
        sys.stdout.flush()


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Raise `OutputFailed` where the block cannot write the output."""
    try:
        yield
    except BrokenPipeError:
        raise OutputClosed from None
    except OSError as error:
        raise OutputFailed(error.strerror) from None


# --- progress -------------------------------------------------------------------------------------


def amount(octets: float) -> str:
    """Return a number of octets for people.

    >>> amount(512), amount(52_428_800)
    ('512 octets', '52.4 MB')
    """
    unit = 0
    while octets >= 1000 and unit < len(UNITS) - 1:
        octets /= 1000
        unit += 1
    return f"{octets:.1f} {UNITS[unit]}" if unit else f"{octets:.0f} octets"


class Progress:
    """Counts what was done of something, and shows it if it takes longer than a second.

    Attributes:
        done: how much, in octets or in pieces.
    """

    def __init__(self, what: str, total: float | None, columns: Sequence[Any]) -> None:
        self.done = 0.0
        self._began = time.monotonic()
        self._what, self._total, self._columns = what, total, columns
        self._bar: Any = None
        self._task: Any = None

    def advance(self, more: float) -> None:
        """Count more."""
        self.done += more
        if self._columns and self._bar is None and self.took_long:
            from rich.progress import Progress as Bar

            self._bar = Bar(*self._columns, console=_console(sys.stderr), transient=True)
            self._task = self._bar.add_task(self._what, total=self._total)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    @property
    def took_long(self) -> bool:
        """Whether a person has waited for it."""
        return self.seconds >= PATIENCE

    def close(self) -> None:
        """Show nothing any more."""
        if self._bar is not None:
            self._bar.stop()


@contextlib.contextmanager
def progress(what: str, total: float | None, *, octets: bool = True) -> Iterator[Progress]:
    """Count during a block, and show it on a terminal if it takes longer than a second.

    Arguments:
        what: what is done, for people.
        total: how much there is to do; None if that is unknown.
        octets: whether octets are counted.
    """
    columns: list[Any] = []
    if is_live(sys.stderr):
        from rich import progress as bars

        columns += [bars.TextColumn("{task.description}"), bars.BarColumn(bar_width=20)]
        if octets:
            columns += [bars.DownloadColumn(), bars.TransferSpeedColumn()]
        else:
            columns.append(bars.MofNCompleteColumn())
        columns.append(bars.TimeRemainingColumn())
    with contextlib.closing(Progress(what, total, columns)) as counted:
        yield counted
