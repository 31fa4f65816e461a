"""MT-PRIORITY: the priority of a message, RFC 6710.

A server that changes the priority says so in its reply to MAIL or to the content: 2.3.6 and the new
level (section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from ..vocabulary.session_facts import Session
from .extension import Extension

__all__ = ["MtPriority", "MtPriorityParameter", "granted_priority"]

# priority-value   = (["-"] NZDIGIT) / "0"
# priority-profile = 1*20(ALPHA / DIGIT / "-" / "_" / ".") (section 7)
VALUE = lazy_pattern(r"-?[1-9]|0")
HIGHEST = 9
PROFILE = lazy_pattern(r"[A-Za-z0-9._-]{1,20}")


@dataclass(frozen=True, slots=True)
class MtPriorityParameter(Parameter):
    """The priority of a message (section 3).

    Arguments:
        level: -9 to 9; 0 is the default, higher numbers go first.
    """

    keyword = "MT-PRIORITY"
    level: int

    def __post_init__(self) -> None:
        if not -HIGHEST <= self.level <= HIGHEST:
            raise _wrong("more" if self.level > 0 else "less")

    def value(self) -> str:
        return str(self.level)

    @classmethod
    def parse(cls, value: str | None) -> MtPriorityParameter:
        if VALUE.fullmatch(value or "") is None:
            raise _wrong(ascii((value or "")[:64]))
        return cls(int(value or ""))


def _wrong(found: str) -> LocalProtocolError:
    return LocalProtocolError(
        f"MT-PRIORITY: expected -9 to 9, found {found} (RFC 6710 section 7)", enhanced="5.5.2"
    )


@dataclass(frozen=True, slots=True)
class MtPriority(Extension):
    """Priorities of messages (RFC 6710).

    A client can claim any priority: `granted_priority` says which one to use.

    Arguments:
        profile: the name of the Priority Assignment Policy; "" if it is not announced.

    Raises:
        LocalProtocolError: section 7 does not allow the name.
    """

    keyword = "MT-PRIORITY"
    parameters = {Mail: (MtPriorityParameter,)}
    extra_length = {Mail: 15}
    profile: str = ""

    def __post_init__(self) -> None:
        if self.profile and PROFILE.fullmatch(self.profile) is None:
            raise LocalProtocolError(
                "MT-PRIORITY: expected the name of a policy, up to 20 letters, digits, '-', '_' "
                f"and '.', found {self.profile[:64]!a} (RFC 6710 section 7)"
            )

    def arguments(self) -> str:
        return self.profile

    @classmethod
    def parse_offer(cls, arguments: str) -> MtPriority:
        return cls(arguments)


def granted_priority(mail: Mail, session: Session, *, trusted: bool = False) -> int:
    """Return the priority to use; only trusted clients may raise it above 0 (section 4.1).

    Arguments:
        mail: the MAIL command.
        session: the session; a client that has authenticated may raise the priority.
        trusted: whether to trust this client in any case.
    """
    priority = mail.get(MtPriorityParameter)
    level = 0 if priority is None else priority.level
    return level if trusted or session.identity is not None else min(level, 0)
