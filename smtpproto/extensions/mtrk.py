"""MTRK: messages whose delivery the sender can track later, RFC 3885.

The queries use another protocol (MTQP, RFC 3887).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .extension import Extension

__all__ = ["Mtrk", "MtrkParameter"]

# mtrk-parameter = "MTRK=" mtrk-certifier [":" mtrk-timeout]
# mtrk-certifier = base64
# mtrk-timeout   = 1*9DIGIT (section 3.1)
# The value of a parameter cannot hold "=" (RFC 5321 section 4.1.2), so the base64 has no padding:
# section 3.2 counts 27 octets for a hash of 20.
BASE64 = lazy_pattern(r"[A-Za-z0-9+/]+")
VALUE = lazy_pattern(rf"({BASE64.pattern})(?::([0-9]{{1,9}}))?")
MOST = 10**9 - 1


@dataclass(frozen=True, slots=True)
class MtrkParameter(Parameter):
    """Asks the server to keep tracking data of this message (section 3.1).

    Arguments:
        certifier: the SHA-1 hash of the sender's secret in base64, without padding.
        timeout: how long to keep it, in seconds; None: the server decides.
    """

    keyword = "MTRK"
    certifier: str
    timeout: int | None = None

    def __post_init__(self) -> None:
        certifier = self.certifier
        if BASE64.fullmatch(certifier) is None or len(certifier) % 4 == 1:
            raise self._wrong(certifier)
        if self.timeout is not None and not 0 <= self.timeout <= MOST:
            raise self._wrong("another number" if self.timeout > 0 else "less than 0 seconds")

    @staticmethod
    def _wrong(found: str) -> LocalProtocolError:
        return LocalProtocolError(
            "MTRK: expected base64 without padding, and perhaps a colon and up to nine digits of "
            f"seconds, found {found[:64]!a} (RFC 3885 section 3.1)"
        )

    def value(self) -> str:
        return self.certifier if self.timeout is None else f"{self.certifier}:{self.timeout}"

    @classmethod
    def parse(cls, value: str | None) -> MtrkParameter:
        match = VALUE.fullmatch(value or "")
        if match is None:
            raise cls._wrong(value or "")
        return cls(match[1], int(match[2]) if match[2] else None)


class Mtrk(Extension):
    """Messages whose delivery the sender can track later (RFC 3885).

    A server that offers it must offer DSN too: ENVID identifies the message and ORCPT the
    recipients (section 2).
    """

    __slots__ = ()
    keyword = "MTRK"
    parameters = {Mail: (MtrkParameter,)}
    extra_length = {Mail: 40}
    requires = ("DSN",)

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse MTRK without the ENVID that identifies the message (section 3.2)."""
        assert isinstance(command, Mail)
        if command.get(MtrkParameter) is None:
            return None
        for parameter in command.parameters:
            # unique-envid = local-envid "@" fqhn
            if parameter.keyword == "ENVID" and "@" in (parameter.value() or ""):
                return None
        return Reply(501, "5.5.4", "MTRK needs ENVID=local@hostname (RFC 3885 section 3.2)")
