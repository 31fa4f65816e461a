"""XOAUTH2: the predecessor of OAUTHBEARER that Google and Microsoft use; it has no RFC."""

from __future__ import annotations

from ..grammar.lazy_pattern import lazy_pattern
from .bearer_token import Bearer, acting
from .credentials import TOKEN, Context, Credentials
from .errors import SASLError
from .mechanism import ClientHalf, ServerHalf
from .message_text import FIELD, decode
from .questions import Challenge, TokenRefused

__all__ = ["XOAuth2"]

# "user=" user ^A "auth=Bearer " token ^A ^A
MESSAGE = lazy_pattern("user=([^\x01\0]+)\x01auth=[Bb]earer ([!-~]*)\x01\x01")


class XOAuth2(Bearer):
    """XOAUTH2: the user to act as, and a bearer token."""

    __slots__ = ()
    name = "XOAUTH2"
    strength = 50
    dummy = b""

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        if not acting(credentials):
            return "a user name is needed"
        return super().obstacle(credentials, context)

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        message = f"user={acting(credentials)}\x01auth=Bearer {credentials.token}\x01\x01"
        yield from self.present(message.encode(), credentials)

    def server(self, context: Context) -> ServerHalf:
        message = decode((yield Challenge(b"")), "XOAUTH2 message", TOKEN + 2 * FIELD)
        matched = MESSAGE.fullmatch(message)
        if matched is None:
            raise SASLError("XOAUTH2: expected user and auth, found another message")
        decode(matched[1].encode(), "user")
        return (yield from self.verify(matched[1], matched[2]))

    def explain(self, refused: TokenRefused) -> dict[str, str]:
        return {"status": "401", "schemes": "bearer", "scope": refused.scope}
