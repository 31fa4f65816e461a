"""EXTERNAL (RFC 4422 appendix A): the client's certificate identifies it."""

from __future__ import annotations

from .credentials import Context, Credentials
from .errors import SASLRefused
from .mechanism import ClientHalf, Mechanism, ServerHalf, authorized, expect_success
from .message_text import decode, presented
from .questions import Authorize, Challenge

__all__ = ["External"]


class External(Mechanism):
    """EXTERNAL: the one message is the authorization identity, or empty."""

    __slots__ = ()
    name = "EXTERNAL"
    strength = 100
    asks = (Authorize,)

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        if not credentials.external:
            return "the credentials do not say to rely on a certificate"
        return None if context.secure else "a TLS connection is needed"

    def offered_in(self, context: Context) -> bool:
        return bool(context.external)

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        expect_success(self, (yield credentials.authorization.encode()))

    def server(self, context: Context) -> ServerHalf:
        authorization = decode((yield Challenge(b"")), "authorization identity")
        if not context.external:
            raise SASLRefused("the client showed no certificate that could be verified")
        # A certificate may hold several names; the client can choose one of them.
        wanted = presented(authorization) if authorization else ""
        authentication = wanted if wanted in context.external else context.external[0]
        # A valid certificate does not mean that the server admits its owner.
        return (yield from authorized(authentication, wanted, always=True))
