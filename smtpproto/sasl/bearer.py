"""What the two mechanisms for OAuth 2.0 bearer tokens share: how a token is refused.

SASL has no room for an explanation in the outcome (RFC 4422 section 3.6), so the server sends it as
a challenge, the client answers with something empty, and then the exchange fails (RFC 7628 section
3.2.3).
"""

from __future__ import annotations

import json
from typing import ClassVar

from .errors import SASLError, SASLRefused
from .mechanism import ClientHalf, Mechanism, ServerHalf, authorized
from .questions import Challenge, CheckToken, TokenRefused
from .text import presented
from .values import Context, Credentials

__all__ = ["Bearer"]

# What of the server's explanation a person can act on.
EXPLAINED = ("status", "scope", "schemes", "openid-configuration")


class Bearer(Mechanism):
    """A mechanism that sends a bearer token; its subclasses say how it is written."""

    __slots__ = ()
    plaintext = True
    asks = (CheckToken,)
    dummy: ClassVar[bytes] = b""

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        if "\x01" in acting(credentials):
            return "the user name may not hold a control-A, which ends a field"
        return None if credentials.token else "a token is needed"

    def explain(self, refused: TokenRefused) -> dict[str, str]:
        """What the server says to the client about a refused token."""
        raise NotImplementedError

    def present(self, message: bytes, credentials: Credentials) -> ClientHalf:
        """The client's half once its message is written."""
        explanation = yield message
        if explanation is None:
            return
        try:
            again = yield self.dummy
        except SASLRefused:
            raise SASLRefused(explained(explanation, credentials)) from None
        found = "success" if again is None else "another challenge"
        raise SASLError(f"{self.name}: expected a failure, found {found} (RFC 7628 section 3.2.3)")

    def verify(self, username: str, token: str) -> ServerHalf:
        """The server's half once the message is read; `username` is whom the client acts as.

        Raises:
            SASLRefused: the token was refused, and the client has been told why.
            TypeError: the store did not answer with an identity, None or a `TokenRefused`.
        """
        wanted = presented(username) if username else ""
        # A client may send an empty token to learn what it needs (RFC 7628 section 4.3).
        answer = (yield CheckToken(wanted, token)) if token else None
        if isinstance(answer, str) and answer:
            return (yield from authorized(answer, wanted))
        if answer is not None and not isinstance(answer, TokenRefused):
            kind = type(answer).__name__
            raise TypeError(f"check_token: expected an identity or a refusal, found {kind}")
        refused = answer or TokenRefused()
        words = {key: text for key, text in self.explain(refused).items() if text}
        yield Challenge(json.dumps(words, separators=(",", ":")).encode())
        raise SASLRefused


def acting(credentials: Credentials) -> str:
    """Whom the client acts as; the token says by itself whose it is."""
    return credentials.authorization or credentials.username


def explained(challenge: bytes, credentials: Credentials) -> str:
    """The server's explanation in words, without what looks like the token."""
    plain = "the server refused the token (RFC 7628 section 3.2.2)"
    try:
        words = json.loads(challenge)
    except (ValueError, RecursionError):
        return plain
    if not isinstance(words, dict):
        return plain
    said = [f"{key} {words[key][:200]!a}" for key in EXPLAINED if isinstance(words.get(key), str)]
    text = ", ".join(said)
    if not text or (credentials.token or "") in text:
        return plain
    return f"{plain}: {text}"
