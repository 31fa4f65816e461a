"""The base of the two mechanisms for OAuth 2.0 bearer tokens: how a server refuses a token.

The outcome of a SASL exchange has no room for an explanation (RFC 4422 section 3.6).  So the server
sends it as a challenge, the client replies with an empty message, and then the exchange fails (RFC
7628 section 3.2.3).
"""

from __future__ import annotations

import json
from typing import ClassVar

from .credentials import Context, Credentials
from .errors import SASLError, SASLRefused
from .mechanism import ClientHalf, Mechanism, ServerHalf, authorized
from .message_text import presented
from .questions import Challenge, CheckToken, TokenRefused

__all__ = ["Bearer"]

# The keys of the server's explanation that help people.
EXPLAINED = ("status", "scope", "schemes", "openid-configuration")


class Bearer(Mechanism):
    """A mechanism that sends a bearer token; subclasses define the message."""

    __slots__ = ()
    plaintext = True
    asks = (CheckToken,)
    dummy: ClassVar[bytes] = b""

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        if "\x01" in acting(credentials):
            return "the user name may not hold a control-A, which ends a field"
        return None if credentials.token else "a token is needed"

    def explain(self, refused: TokenRefused) -> dict[str, str]:
        """Return the server's explanation of a refused token."""
        raise NotImplementedError

    def present(self, message: bytes, credentials: Credentials) -> ClientHalf:
        """Send the client's message and handle the outcome."""
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
        """Check the token that the server has read; the client acts as `username`.

        Raises:
            SASLRefused: the store refused the token, and the client was told why.
            TypeError: the store's answer is not an identity, None or a `TokenRefused`.
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
    """The identity that the client acts as; "" to leave it to the token."""
    return credentials.authorization or credentials.username


def explained(challenge: bytes, credentials: Credentials) -> str:
    """Return the server's explanation as text, without anything that looks like the token."""
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
