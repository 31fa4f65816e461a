r"""A conversation written down, as a test of a server: C: and S: lines.

    C: a line to send            C= octets to send, with \r \n \0 \xHH \\ and no CRLF of their own
    S: a line that must come     # a comment

Lines to send that follow one another are sent without waiting.  An S: line may have `*` for any
text.  If it is a code alone (`S: 250`, also `S: 2xx`), any reply with such a code will do, of any
number of lines.  With `match` "code" or "class" only the codes of whole replies are compared, or
their first digits: so a conversation with one server can be compared with that of another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .dialogue import Kind
from .escapes import from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .dialogue import Piece
    from .wire_session import WireSession

MATCHES = ("line", "code", "class")
CODE_ALONE = re.compile(r"[2-5x][0-9x]{2}")
HIDDEN = re.compile(r"C: (AUTH \S+ )?\(response\)", re.IGNORECASE)


class Failed(Exception):
    """The server did not say what the script expects, or the script has a mistake."""


class Step(NamedTuple):
    """A line of a script.

    Arguments:
        number: of the line, from 1.
        sends: the octets to send; None for a line that must come.
        expects: the text that must come.
    """

    number: int
    sends: bytes | None
    expects: str = ""


def parse_script(lines: Iterable[str]) -> list[Step]:
    """Read a script.

    Raises:
        Failed: a line is no line of a script.
    """
    steps = []
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text.strip() or text.startswith("#"):
            continue
        mark, rest = text[:2], text[2:].removeprefix(" ")
        if HIDDEN.fullmatch(text):
            raise Failed(f"line {number}: a secret was left out here: write the response itself")
        if mark == "C:":
            steps.append(Step(number, rest.encode("utf-8", "surrogateescape") + b"\r\n"))
        elif mark == "C=":
            try:
                steps.append(Step(number, from_text(rest)))
            except ValueError as error:
                raise Failed(f"line {number}: {error}") from None
        elif mark == "S:":
            steps.append(Step(number, None, rest))
        else:
            raise Failed(f"line {number}: expected C:, C=, S: or #, found {text[:40]!a}")
    return steps


def run_script(
    steps: list[Step],
    session: WireSession,
    show: Callable[[Piece], None],
    answered: Callable[[Piece], None],
    match: str,
) -> None:
    """Run a script.

    Arguments:
        steps: the script.
        session: with the server.
        show: called with each piece of the conversation.
        answered: called with the last line of each reply; it begins TLS where that is due.
        match: how to compare, one of `MATCHES`.

    Raises:
        Failed: something else came.
        OSError, SMTPError: the session broke.
    """

    def lines() -> Iterator[Piece]:
        while True:
            piece = session.next_line()
            show(piece)
            if piece.code:
                # Before anything else is sent: TLS may have to begin.
                answered(piece)
            yield piece

    said = lines()
    for step in steps if match == "line" else _whole_replies(steps):
        if step.sends is not None:
            for piece in session.send(step.sends):
                show(piece)
        elif match == "line" and not CODE_ALONE.fullmatch(step.expects):
            _expect(step, next(said), _as_pattern(step.expects))
        else:
            pattern = step.expects[:1] + "xx" if match == "class" else step.expects[:3]
            piece = next(said)
            while not piece.code and piece.kind is Kind.REPLY:
                piece = next(said)
            _expect(step, piece, f"{pattern.replace('x', '[0-9]')}.*")


def _whole_replies(steps: list[Step]) -> Iterator[Step]:
    """Return the steps without those S: lines that another one of the same reply follows."""
    for step in steps:
        if step.sends is not None or step.expects[3:4] != "-":
            yield step


def _as_pattern(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))


def _expect(step: Step, piece: Piece, pattern: str) -> None:
    found = piece.octets.decode("utf-8", "replace")
    if re.fullmatch(pattern, found, re.DOTALL) is None:
        raise Failed(f"line {step.number}: expected {step.expects!a}, found {found!a}")
