"""PLAIN (RFC 4616): one message with the password in it."""

from __future__ import annotations

from .credentials import Context, Credentials
from .errors import SASLError, SASLRefused
from .mechanism import (
    ClientHalf,
    Mechanism,
    ServerHalf,
    authorized,
    expect_success,
    password_obstacle,
)
from .message_text import decode, presented
from .questions import Challenge, CheckPassword, decided

__all__ = ["Plain"]


class Plain(Mechanism):
    """PLAIN: authorization identity, user name and password between NULs (RFC 4616 section 2)."""

    __slots__ = ()
    name = "PLAIN"
    strength = 20
    plaintext = True
    asks = (CheckPassword,)

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        return password_obstacle(credentials)

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        # Sent as the user wrote it, because SASLprep is the server's task.  Servers that omit it
        # compare with the text that was typed when the password was set.
        fields = (credentials.authorization, credentials.username, credentials.password or "")
        expect_success(self, (yield "\0".join(fields).encode()))

    def server(self, context: Context) -> ServerHalf:
        # message = [authzid] UTF8NUL authcid UTF8NUL passwd
        fields = (yield Challenge(b"")).split(b"\0")
        if len(fields) != 3 or not fields[1] or not fields[2]:
            raise SASLError(
                "PLAIN: expected [authzid] NUL authcid NUL passwd, found another message"
                " (RFC 4616 section 2)"
            )
        authorization, name, secret = (decode(field, "PLAIN field") for field in fields)
        username = presented(name)
        question = CheckPassword(username, presented(secret))
        if not decided(question, (yield question)):
            raise SASLRefused
        return (yield from authorized(username, authorization))
