"""The rules of `serve --fail` and `--delay`, which `smtpproto.testing.faults` defines."""

from __future__ import annotations

import argparse
import re
import time
from typing import TYPE_CHECKING, Any

from ..errors import LocalProtocolError
from ..testing.faults import Drop, FaultRules, Faults
from ..testing.faulty_handler import FaultyHandler
from .common import CannotRun, seconds
from .sinks import take

if TYPE_CHECKING:
    import logging

    from ..conversations import Envelope
    from ..testing.faults import Action
    from ..vocabulary.replies import Reply
    from ..vocabulary.session_facts import Session
    from .sinks import InThread, Sinks, Sleep

# The steps at which a handler is asked.
HERE = ("connect", "ehlo", "helo", "mail", "rcpt", "data", "content")
RULE = re.compile(r"(?P<step>[a-z]+)(?: +(?P<pattern>\S+))? *: *(?P<action>.*)", re.IGNORECASE)
REPLY = re.compile(r"([45][0-9]{2})(?: +([45]\.[0-9]{1,3}\.[0-9]{1,3}))?(?: +(.*))?")


def add_faults(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("faults on demand")
    steps = ", ".join(HERE)
    group.add_argument(
        "--fail",
        action="append",
        metavar="RULE",
        help="such as 'rcpt bob@*: 550 5.1.1 no such user', 'content: 421 4.3.2 later' or "
        f"'data: drop', which closes the connection; the steps are {steps}; the pattern is that of "
        "a recipient at rcpt, data and content, of the sender at mail, of the client's name or "
        "address before; may be given several times, as may --delay",
    )
    group.add_argument(
        "--delay",
        action="append",
        metavar="RULE",
        help="seconds before a reply, such as 'rcpt bob@*: 2'; a number alone: before every reply",
    )
    group.add_argument(
        "--refuse-early-talkers",
        action="store_true",
        help="refuse a client that speaks before the greeting, with 554; --delay 'connect: 1' "
        "gives it the time",
    )


def faults(options: argparse.Namespace) -> FaultRules | None:
    """Return the rules, or None if there are none.

    Raises:
        CannotRun: a rule cannot be understood.
    """
    if not options.fail and not options.delay:
        return None
    rules = FaultRules()
    made = Faults(rules)
    for rule in options.fail or ():
        step, pattern, action = _parsed("--fail", rule)
        _add_failure(made, rule, step, pattern, action)
    for rule in options.delay or ():
        if ":" not in rule:
            for step in HERE:
                made.delay(step, _seconds(rule, rule))  # type: ignore[arg-type]  # it is a Step
            continue
        step, pattern, action = _parsed("--delay", rule)
        made.delay(step, _seconds(rule, action), pattern)
    return rules


def _parsed(option: str, rule: str) -> tuple[Any, str, str]:
    found = RULE.fullmatch(rule.strip())
    if found is None or found["step"].lower() not in HERE:
        raise CannotRun(
            f"{option} {rule!r}: expected 'STEP: ...' or 'STEP PATTERN: ...', with a step of "
            f"{', '.join(HERE)}"
        )
    return found["step"].lower(), found["pattern"] or "*", found["action"].strip()


def _add_failure(made: Faults, rule: str, step: Any, pattern: str, action: str) -> None:
    if action.lower() == "drop":
        made.drop("after content" if step == "content" else step, pattern)
        return
    found = REPLY.fullmatch(action)
    if found is None:
        raise CannotRun(
            f"--fail {rule!r}: expected a reply such as '550 5.1.1 no such user', or 'drop', "
            f"found {action!r}"
        )
    try:
        made.reject(step, pattern, int(found[1]), found[2] or "", found[3] or "")
    except (ValueError, LocalProtocolError) as error:
        raise CannotRun(f"--fail {rule!r}: {error}") from None


def _seconds(rule: str, text: str) -> float:
    try:
        return seconds(text)
    except argparse.ArgumentTypeError as error:
        forms = "SECONDS, 'STEP: SECONDS' or 'STEP PATTERN: SECONDS'"
        raise CannotRun(f"--delay {rule!r}: {error}; a rule is {forms}") from None


class _Dropped(BaseException):
    """Ends the session without a reply, as any exception does that is no `Exception`."""


def not_asked_for(record: logging.LogRecord) -> bool:
    """Whether a log record is about a real failure; a filter for the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], _Dropped))


def _reply(action: Action | None) -> Reply | None:
    """Return the reply that a rule asks for; None: the usual one."""
    if isinstance(action, Drop):
        raise _Dropped
    # No option makes a rule with other octets.
    assert not isinstance(action, bytes)
    return action


class FaultyReceiver(FaultyHandler):
    """A receiver that asks the rules first."""

    def __init__(self, rules: FaultRules, sinks: Sinks) -> None:
        super().__init__(rules)
        self._sinks = sinks

    def _answer(self, step: str, *subjects: str, party: object = None) -> Reply | None:
        verdict = self._rules.at(step, *subjects, party=party)
        time.sleep(verdict.seconds)
        return _reply(verdict.action)

    def message(self, session: Session, envelope: Envelope, content: bytes) -> list[Reply | None]:
        """Take a message, unless a rule refuses it."""
        verdict = self._at_content(session, envelope)
        answer = None
        if verdict.taken is not None:
            answer = take(self._sinks, session, verdict.taken, [content])
        time.sleep(verdict.seconds)
        return [_reply(action) or answer for action in verdict.actions]


class AsyncFaultyReceiver(FaultyHandler):
    """The same for adapters that can await."""

    def __init__(
        self,
        rules: FaultRules,
        sinks: Sinks,
        in_thread: InThread,
        sleep: Sleep,
    ) -> None:
        super().__init__(rules)
        self._sinks = sinks
        self._in_thread = in_thread
        self._sleep = sleep

    async def _answer(self, step: str, *subjects: str, party: object = None) -> Reply | None:
        verdict = self._rules.at(step, *subjects, party=party)
        await self._sleep(verdict.seconds)
        return _reply(verdict.action)

    async def message(
        self, session: Session, envelope: Envelope, content: bytes
    ) -> list[Reply | None]:
        """Take a message, unless a rule refuses it."""
        verdict = self._at_content(session, envelope)
        answer = None
        if (taken := verdict.taken) is not None:
            answer = await self._in_thread(lambda: take(self._sinks, session, taken, [content]))
        await self._sleep(verdict.seconds)
        return [_reply(action) or answer for action in verdict.actions]
