"""Say what a reply code or an enhanced status code means, and what to check."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from ..errors import RemoteProtocolError
from ..limits import Limits
from ..vocabulary.codes import MEANINGS, Explanation, explain
from ..vocabulary.commands import Noop
from ..vocabulary.replies import ReplyReader
from .terminal import complain, reply_style, say, say_json

if TYPE_CHECKING:
    import argparse

STATUS = "0, or 2 if there is no reply in the arguments"
ENHANCED = re.compile(r"([0-9])\.([0-9]{1,3})\.([0-9]{1,3})")
CODE = re.compile(r"([0-9]{3})(?: +[0-9]\.[0-9]{1,3}\.[0-9]{1,3})?(?: .*)?", re.DOTALL)
# The marks of a server's lines in transcripts of this package, curl and swaks; telnet has none.
MARK = re.compile(r"(?:S:|<[-~*]{0,3})?\s*")
_STATUS_CODE = r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])"
LEADING = re.compile(_STATUS_CODE)
# What logs, bounces and programs quote, the surest first.  A reply code alone counts only where a
# reply is expected, or too many other numbers would match.
QUOTED = (
    # 550 5.1.1, in any program's text
    re.compile(rf"(?<![0-9.])([2-5][0-9][0-9])[ -]#?{_STATUS_CODE}"),
    # Python: (550, b'5.1.1 no such user')
    re.compile(rf"\(([2-5][0-9][0-9]), b?['\"](?:{_STATUS_CODE})?"),
    # Postfix: said: 550 no such user; Exim: host mx.example [192.0.2.1]: 550 no such user
    re.compile(r"(?:said|reply|reject|response|\]|\)): ([2-5][0-9][0-9])[ -]()"),
    # Postfix and Sendmail: dsn=5.1.1
    re.compile(rf"()\bdsn=#?{_STATUS_CODE}"),
    # Delivery reports: Status: 5.1.1
    re.compile(rf"()^Status: *{_STATUS_CODE}", re.MULTILINE | re.IGNORECASE),
)
ANSWERED = re.compile(r"(?:in reply to |after |reject: )(?:end of )?([A-Z]{4,})\b")
SUBJECTS = {
    "0": "other",
    "1": "addresses",
    "2": "mailboxes",
    "3": "the mail system",
    "4": "the network and routing",
    "5": "the protocol",
    "6": "content",
    "7": "security and policy",
}
# The keys of the table that need no verb.
CODE_KEY = re.compile(r"[2-5](?:xx|[0-9]{2})")
ENHANCED_KEY = re.compile(r"[x245]\.[0-9]+\.[0-9]+")


KEY = re.compile(f"{CODE_KEY.pattern}|{ENHANCED_KEY.pattern}")


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

    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def run(options: argparse.Namespace) -> int:
    """Explain replies; see `STATUS`."""
    if not options.reply:
        if options.json:
            say_json({key: MEANINGS[key][0] for key in MEANINGS if KEY.fullmatch(key)})
        else:
            say(overview())
        return 0
    text = sys.stdin.read() if options.reply == ["-"] else " ".join(options.reply)
    try:
        explanations = find(text, options.answered)
    except RemoteProtocolError as error:
        # What was typed are characters, not octets.
        text = re.sub(r"(?<=[ :])b(?=['\"])", "", str(error))
        complain(f"expected a reply such as '550 5.1.1 No such user': {text}")
        return 2
    if options.json:
        say_json([_value(each) for each in explanations])
        return 0
    for number, each in enumerate(explanations):
        if number:
            say("")
        title, _, rest = str(each).partition("\n")
        say(title, reply_style(title))
        say(rest)
    return 0


def _value(explanation: Explanation) -> dict[str, Any]:
    return {
        "code": explanation.code or None,
        "enhanced": explanation.enhanced or None,
        "title": explanation.title,
        "meaning": explanation.meaning,
        "check": list(explanation.check),
        "retry": explanation.retry,
    }


def find(text: str, verb: str) -> list[Explanation]:
    """Explain every reply in a text.

    Arguments:
        text: an enhanced status code, the lines of replies, or a line that quotes one.
        verb: the command that they answer; "" if unknown.

    Raises:
        RemoteProtocolError: there is none, or its lines are malformed.
    """
    lines = [MARK.sub("", line, count=1) for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        enhanced = ENHANCED.fullmatch(lines[0].strip())
        if enhanced is not None:
            return [_status_code(enhanced, verb)]
        code = CODE.fullmatch(lines[0].strip())
        if code is not None and code[1][0] not in "2345":
            return [Explanation(int(code[1]), "", _by_digits(code[1]), (), retry=False)]
    try:
        return [explain(code, enhanced, verb) for code, enhanced in replies(lines)]
    except RemoteProtocolError:
        for pattern in QUOTED:
            quoted = pattern.search(text)
            if quoted is not None:
                answered = ANSWERED.search(text)
                verb = verb or (answered[1] if answered is not None else "")
                return [explain(int(quoted[1] or 0), quoted[2] or "", verb)]
        raise


def _status_code(found: re.Match[str], verb: str) -> Explanation:
    kind, subject, detail = found.groups()
    if kind in "245":
        return explain(0, found[0], verb)
    about = SUBJECTS.get(subject, "nothing that is registered")
    like = explain(0, f"5.{subject}.{detail}").meaning
    meaning = (
        f"This is no enhanced status code: the class is 2 (done), 4 (not now) or 5 (refused), not "
        f"{kind} (RFC 3463 section 2). By its second number it is about {about}. With class 5 it "
        f"would say: {like}"
    )
    return Explanation(0, found[0], meaning, (), retry=False)


def _by_digits(code: str) -> str:
    """What can be said about a number that is no reply code of SMTP."""
    first = {
        "1": "FTP and HTTP say with 1 that more will follow; SMTP has no such replies.",
        "6": "FTP has 6 for protected replies (RFC 2228).",
    }.get(code[0], "")
    return (
        f"This is no reply code of SMTP: the first digit is 2 (done), 3 (go on), 4 (not now) or 5 "
        f"(refused), not {code[0]} (RFC 5321 section 4.2.1). {first}".rstrip()
    )


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
            # The reader leaves a code of another class in the text (RFC 2034 section 4).
            status = None if reply.enhanced else LEADING.match(reply.text)
            other = status is not None and status[1][0] != str(reply.code)[0]
            found.append((reply.code, status[1] if status and other else reply.enhanced))
    return found


def overview() -> str:
    """Return all codes, one on each line."""
    rows = [f"{key:7} {MEANINGS[key][0]}" for key in MEANINGS if CODE_KEY.fullmatch(key)]
    rows += ["", "x stands for the class: 4 not now, 5 never."]
    rows += [f"{key:7} {MEANINGS[key][0]}" for key in MEANINGS if ENHANCED_KEY.fullmatch(key)]
    return "\n".join(rows)
