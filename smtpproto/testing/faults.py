"""The rules by which a test server makes faults: it refuses, delays, closes or sends other octets.

The rules are the same for a server over sockets and for one in memory.  `faulty_replies` carries
them out.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from ..field_types import check_fields, check_type
from ..vocabulary.replies import Reply

__all__ = ["Action", "Drop", "Fault", "FaultRules", "Faults", "Step", "TLSFault", "Verdict"]

Step = Literal[
    "connect", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "content", "quit"
]
"""A step of a session: the greeting, a command, or the end of the content."""

TLSFault = Literal["handshake", "untrusted", "wrong name", "expired"]
"""How TLS fails: the server breaks the handshake off, or its certificate is not acceptable."""

_STEPS = Step.__args__  # type: ignore[attr-defined]  # mypy does not know that Literal has it
_TLS_FAULTS = TLSFault.__args__  # type: ignore[attr-defined]
_DURING_CONTENT, _TLS = "during content", "TLS"


@dataclass(frozen=True, slots=True)
class Drop:
    """The server closes the connection instead of a reply."""


Action = Reply | bytes | Drop
"""What a server does instead of its usual reply: another one, any octets, or none at all."""


@dataclass(slots=True, eq=False)
class Fault:
    """One rule, made by a method of `Faults`.

    Attributes:
        step: where it applies.
        pattern: which subjects it applies to, such as "bob@*".
        times: how often it applies; None: always.
        happened: how often it has applied.
    """

    step: str
    pattern: str = "*"
    times: int | None = None
    action: Action | None = field(default=None, repr=False)
    seconds: float = field(default=0.0, repr=False)
    tls: TLSFault = field(default="handshake", repr=False)
    # For a greylist, `times` counts each party separately.
    each: bool = field(default=False, repr=False)
    happened: int = field(default=0, init=False)
    _met: Counter[object] = field(default_factory=Counter, init=False, repr=False)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.times is not None and self.times < 1:
            raise ValueError(f"times: expected 1 or more, or None for always, found {self.times!r}")
        if not self.seconds >= 0:
            raise ValueError(f"seconds: expected 0 or more, found {self.seconds!r}")

    def applies(self, step: str, subjects: tuple[str, ...], party: object) -> bool:
        """Return whether this rule applies now; if it does, count it."""
        if step != self.step or not any(map(self._fits, subjects)):
            return False
        key = party if self.each else None
        if self.times is not None and self._met[key] >= self.times:
            return False
        self._met[key] += 1
        self.happened += 1
        return True

    def _fits(self, subject: str) -> bool:
        return fnmatchcase(subject.lower(), self.pattern.lower())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say about one step.

    Attributes:
        seconds: how long the server waits before it replies.
        action: what it does instead of its usual reply; None: it replies as usual.
    """

    seconds: float = 0.0
    action: Action | None = None


class FaultRules:
    """The rules of one server, in the order in which they were made; for several threads."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._ruling = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add a rule after the others."""
        with self._ruling:
            self._rules.append(fault)

    def clear(self) -> None:
        """Forget all rules."""
        with self._ruling:
            self._rules.clear()

    def at(self, step: str, *subjects: str, party: object = None) -> Verdict:
        """Return what the rules say about a step, and count it.

        Arguments:
            step: the step.
            subjects: what patterns are compared with; one has to match.
            party: who attempts it, for a greylist.
        """
        seconds = 0.0
        with self._ruling:
            for rule in self._rules:
                if rule.applies(step, subjects, party):
                    seconds += rule.seconds
                    if rule.action is not None:
                        return Verdict(seconds, rule.action)
        return Verdict(seconds)

    def during_content(self, *recipients: str) -> bool:
        """Return whether the connection breaks while content arrives."""
        return self.at(_DURING_CONTENT, *recipients).action is not None

    def tls_fault(self) -> TLSFault | None:
        """Return how the next handshake fails; None: it does not fail."""
        with self._ruling:
            for rule in self._rules:
                if rule.applies(_TLS, ("",), None):
                    return rule.tls
        return None


class Faults:
    """Rules for what a server does wrong, in the order in which they were made.

    At each step the first rule that applies decides; delays add up and let the next rule decide.
    You can add a rule at any time, also while clients are connected.

    A step is "connect" (the greeting), "ehlo" (EHLO, and LHLO), "helo", "starttls", "auth", "mail",
    "rcpt", "data", "content" (the reply to the whole message) or "quit".

    A pattern is compared as a file name's (`*`, `?`, `[ab]`), without regard to case.  At "rcpt" it
    is compared with the recipient, at "mail" with the sender (empty for the null reverse-path), at
    "ehlo" and "helo" with the client's name, at "auth" with the user, at "connect" with the
    client's address, and at "data" and "content" with the recipients, of which one has to match; on
    LMTP each has its own reply after the content.  At "starttls" and "quit" there is nothing to
    compare, and only `*` matches.

    All methods raise `ValueError` for an unknown step, and for `times` below 1.

    Arguments:
        rules: where the rules go.
    """

    def __init__(self, rules: FaultRules) -> None:
        self._rules = rules

    def reject(
        self,
        step: Step,
        pattern: str = "*",
        code: int = 550,
        enhanced: str = "",
        text: str = "refused by the test",
        *,
        times: int | None = None,
    ) -> Fault:
        """Refuse.

        Arguments:
            step: where, see the class.
            pattern: which subjects, see the class.
            code: the reply code: 400 to 559.
            enhanced: the enhanced status code; empty for the general one.
            text: for people.
            times: how often; None: always.

        Raises:
            ValueError: the code is not negative.
            LocalProtocolError: code and enhanced status code do not fit together.
        """
        reply = Reply(code, enhanced, text)
        if not reply.negative:
            raise ValueError(f"code: expected 400 or more, found {code}; `reply` sends any octets")
        return self._add(Fault(_known(step), pattern, times, reply))

    def say_421_at(self, step: Step, pattern: str = "*", *, times: int | None = None) -> Fault:
        """Reply 421, service not available, and close the connection (RFC 5321 section 3.8)."""
        text = "service not available, closing the connection"
        return self.reject(step, pattern, 421, "4.3.2", text, times=times)

    def greylist(self, pattern: str = "*", *, times: int = 1) -> Fault:
        """Refuse recipients with 451 at first.

        Arguments:
            pattern: which recipients.
            times: how many attempts are refused for each client, sender and recipient.
        """
        reply = Reply(451, "4.7.1", "greylisted, try again later")
        return self._add(Fault("rcpt", pattern, times, reply, each=True))

    def delay(
        self, step: Step, seconds: float, pattern: str = "*", *, times: int | None = None
    ) -> Fault:
        """Reply late.

        At "content" the message is there before the delay, as on a server that is slow to reply.

        Arguments:
            step: where, see the class.
            pattern: which subjects, see the class.
            seconds: how late; `math.inf`: never.  The end of the server ends every delay.  In
                memory no time passes: a finite delay changes nothing there.
            times: how often; None: always.

        Raises:
            ValueError: the seconds are negative.
        """
        return self._add(Fault(_known(step), pattern, times, seconds=seconds))

    def drop(
        self,
        step: Step | Literal["after content"],
        pattern: str = "*",
        *,
        times: int | None = None,
    ) -> Fault:
        """Close the connection instead of a reply.

        Arguments:
            step: as in the class, with a difference for content.  "content": the connection breaks
                while content arrives, and the message is lost.  "after content": it breaks after
                the message is complete and kept, so the client cannot know.
            pattern: which subjects, see the class.
            times: how often; None: always.
        """
        places = {"content": _DURING_CONTENT, "after content": "content"}
        known = _known(step, (*_STEPS, "after content"))
        return self._add(Fault(places.get(known, known), pattern, times, Drop()))

    def reply(
        self, step: Step, octets: bytes, pattern: str = "*", *, times: int | None = None
    ) -> Fault:
        """Send these octets instead of a reply, which may be none.

        At "content" the server keeps the message.  Elsewhere it goes on as after a refusal; but at
        "connect", "mail", "rcpt" and "data" as usual if the octets begin as the usual reply does,
        with 2 or 3.

        Arguments:
            step: where, see the class.
            pattern: which subjects, see the class.
            octets: sent unchanged, so they need a CRLF.
            times: how often; None: always.

        Raises:
            TypeError: `octets` are no octets.
        """
        check_type("octets", octets, bytes, bytearray)
        return self._add(Fault(_known(step), pattern, times, bytes(octets)))

    def fail_tls(self, how: TLSFault = "handshake", *, times: int | None = None) -> Fault:
        """Let TLS fail.

        Arguments:
            how: "handshake": the server closes the connection instead.  "untrusted", "wrong name",
                "expired": what is wrong with the server's certificate; in memory, where there are
                none, each is as "handshake".
            times: how often; None: always.

        Raises:
            ValueError: there is no such fault.
        """
        if how not in _TLS_FAULTS:
            raise ValueError(f"how: expected one of {', '.join(_TLS_FAULTS)}; found {how!r}")
        return self._add(Fault(_TLS, "*", times, tls=how))

    def forget_faults(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    def _add(self, fault: Fault) -> Fault:
        self._rules.add(fault)
        return fault


def _known(step: str, steps: tuple[str, ...] = _STEPS) -> str:
    if step not in steps:
        raise ValueError(f"step: expected one of {', '.join(steps)}; found {step!r}")
    return step
