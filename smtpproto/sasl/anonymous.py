"""ANONYMOUS (RFC 4505): no credentials, only optional trace information."""

from __future__ import annotations

from .credentials import Context, Credentials, Identity
from .errors import SASLRefused
from .mechanism import ClientHalf, Mechanism, ServerHalf, expect_success
from .message_text import decode
from .questions import AdmitAnonymous, Challenge, decided
from .saslprep import check_trace

__all__ = ["Anonymous"]

# 255 characters of up to 4 octets (RFC 4505 section 2).
TRACE = 1020


class Anonymous(Mechanism):
    """ANONYMOUS: the one message is trace information, or empty; the identity is "anonymous"."""

    __slots__ = ()
    name = "ANONYMOUS"
    default = False
    asks = (AdmitAnonymous,)

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        return "anonymity was not asked for" if credentials.anonymous is None else None

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        trace = credentials.anonymous or ""
        check_trace(trace)
        expect_success(self, (yield trace.encode()))

    def server(self, context: Context) -> ServerHalf:
        trace = decode((yield Challenge(b"")), "trace information", TRACE)
        check_trace(trace)
        question = AdmitAnonymous(trace)
        if not decided(question, (yield question)):
            raise SASLRefused
        return Identity("anonymous", "anonymous")
