"""CRAM-MD5 (RFC 2195): a keyed digest of the server's challenge.

The server must store passwords in readable form.  An attacker who reads the exchange can try
passwords at the speed of MD5.  A server offers it only if told by name, for old clients.
"""

from __future__ import annotations

import hmac

from ..grammar.lazy_pattern import lazy_pattern
from .credentials import Context, Credentials
from .errors import SASLError, SASLRefused
from .mechanism import (
    ClientHalf,
    Mechanism,
    ServerHalf,
    authorized,
    expect_challenge,
    expect_success,
    password_obstacle,
    preparation_obstacle,
)
from .message_text import decode, presented
from .questions import Challenge, FetchSecret
from .saslprep import prepare

__all__ = ["CramMD5"]

# The left side of a msg-id without quotes: dot-atom-text (RFC 5322 section 3.2.3).
DOT_ATOM = lazy_pattern(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")


class CramMD5(Mechanism):
    """CRAM-MD5: the user name, and HMAC-MD5 of a challenge (RFC 2195 section 2)."""

    __slots__ = ()
    name = "CRAM-MD5"
    strength = 30
    client_first = False
    takes_initial = False
    default = False
    asks = (FetchSecret,)

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        lacking = password_obstacle(credentials, delegation=False)
        return lacking or preparation_obstacle(credentials, stored=False)

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        username, password = prepare(credentials.username), prepare(credentials.password or "")
        challenge = expect_challenge(self, (yield b""))
        # RFC 2195 requires a msg-id, but clients also accept other texts of servers.
        if not challenge:
            raise SASLError("CRAM-MD5: expected a challenge, found none (RFC 2195 section 2)")
        expect_success(self, (yield f"{username} {digest(password, challenge)}".encode()))

    def server(self, context: Context) -> ServerHalf:
        nonce = context.nonce()
        if DOT_ATOM.fullmatch(nonce) is None or not context.host:
            raise ValueError("expected a host and a nonce fit for a msg-id (RFC 2195 section 2)")
        challenge = f"<{nonce}@{context.host}>".encode()
        name, space, found = (yield Challenge(challenge)).rpartition(b" ")
        if not space:
            raise SASLError(
                "CRAM-MD5: expected a user name, a space and a digest, found no space"
                " (RFC 2195 section 2)"
            )
        username = presented(decode(name, "user name"))
        secret = yield FetchSecret(self.name, username)
        if secret is not None and not isinstance(secret, str):
            kind = type(secret).__name__
            raise TypeError(f"fetch_secret: CRAM-MD5 needs a password or None, found {kind}")
        # An unknown user takes the same time, with a random key.
        expected = digest(presented(secret or nonce), challenge).encode()
        if not hmac.compare_digest(expected, found) or not secret:
            raise SASLRefused
        return (yield from authorized(username, ""))


def digest(secret: str, challenge: bytes) -> str:
    """Return the keyed digest in lower-case hexadecimal."""
    return hmac.new(secret.encode(), challenge, "md5").hexdigest()
