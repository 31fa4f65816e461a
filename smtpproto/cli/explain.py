"""Say what a reply code or an enhanced status code means, and what to check."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from ..errors import RemoteProtocolError
from ..limits import Limits
from ..vocabulary.codes import MEANINGS, explain
from ..vocabulary.commands import Noop
from ..vocabulary.replies import ReplyReader
from .terminal import complain, say

if TYPE_CHECKING:
    import argparse

    from ..vocabulary.codes import Explanation

__all__ = ["STATUS", "add_arguments", "run"]

STATUS = "0, or 2 if there is no reply in the arguments"
ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
# The marks of a server's lines in transcripts of this package, curl and swaks; telnet has none.
MARK = re.compile(r"(?:S:|<[-~*]{0,3})?\s*")
# A reply within a log line or a bounce needs both codes, or too many other numbers would match.
QUOTED = re.compile(r"(?<![0-9.])([2-5][0-9][0-9])[ -]#?([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
ANSWERED = re.compile(r"in reply to (?:end of )?([A-Z]+)")
# The keys of the table that need no verb.
CODE_KEY = re.compile(r"[2-5](?:xx|[0-9]{2})")
ENHANCED_KEY = re.compile(r"[x245]\.[0-9]+\.[0-9]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "reply",
        nargs="*",
        help="a reply (550, 5.1.1, '550 5.1.1 No such user'), several lines of them, or a log line "
        "that quotes one; - for standard input; nothing: a table of all codes",
    )
    parser.add_argument(
        "--to",
        dest="answered",
        default="",
        metavar="VERB",
        help="what the reply answers: EHLO, MAIL, RCPT, AUTH, ...; or greeting, or content",
    )


def run(options: argparse.Namespace) -> int:
    """Explain replies; see `STATUS`."""
    if not options.reply:
        say(overview())
        return 0
    text = sys.stdin.read() if options.reply == ["-"] else " ".join(options.reply)
    try:
        explanations = find(text, options.answered)
    except RemoteProtocolError as error:
        complain(f"expected a reply such as '550 5.1.1 No such user': {error}")
        return 2
    say("\n\n".join(map(str, explanations)))
    return 0


def find(text: str, verb: str) -> list[Explanation]:
    """Explain every reply in a text.

    Arguments:
        text: an enhanced status code, the lines of replies, or a line that quotes one.
        verb: the command that they answer; "" if unknown.

    Raises:
        RemoteProtocolError: there is none, or its lines are malformed.
    """
    lines = [MARK.sub("", line, count=1) for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and ENHANCED.fullmatch(lines[0].strip()):
        return [explain(0, lines[0].strip(), verb)]
    try:
        return [explain(code, enhanced, verb) for code, enhanced in replies(lines)]
    except RemoteProtocolError:
        quoted = QUOTED.search(text)
        if quoted is None:
            raise
        answered = ANSWERED.search(text)
        verb = verb or (answered[1] if answered is not None else "")
        return [explain(int(quoted[1]), quoted[2], verb)]


def replies(lines: list[str]) -> list[tuple[int, str]]:
    """Return reply code and enhanced status code of each reply.

    Raises:
        RemoteProtocolError: a line is not a reply line, or there is none.
    """
    reader = ReplyReader(Limits())
    found = []
    for number, line in enumerate(lines or [""], 1):
        # A pasted part of a reply may lack its last line.
        cut = number == len(lines) and line[3:4] == "-"
        whole = f"{line[:3]} {line[4:]}" if cut else line
        reply = reader.feed(whole.strip().encode("utf-8", "backslashreplace"), Noop())
        if reply is not None:
            found.append((reply.code, reply.enhanced))
    return found


def overview() -> str:
    """Return all codes, one on each line."""
    rows = [f"{key:7} {MEANINGS[key][0]}" for key in MEANINGS if CODE_KEY.fullmatch(key)]
    rows += ["", "x stands for the class: 4 not now, 5 never."]
    rows += [f"{key:7} {MEANINGS[key][0]}" for key in MEANINGS if ENHANCED_KEY.fullmatch(key)]
    return "\n".join(rows)
