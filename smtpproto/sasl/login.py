"""LOGIN: user name and password in two messages.

It has no RFC (draft-murchison-sasl-login) and is obsolete, but widely used.
"""

from __future__ import annotations

from .credentials import Context, Credentials
from .errors import SASLRefused
from .mechanism import (
    ClientHalf,
    Mechanism,
    ServerHalf,
    authorized,
    expect_challenge,
    expect_success,
    password_obstacle,
)
from .message_text import decode, presented
from .questions import Challenge, CheckPassword, decided

__all__ = ["Login"]


class Login(Mechanism):
    """LOGIN: the server asks for the user name, then for the password."""

    __slots__ = ()
    name = "LOGIN"
    strength = 10
    plaintext = True
    # The server sends first, but many clients put the user name into the AUTH command.
    client_first = False
    takes_initial = True
    asks = (CheckPassword,)

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        return password_obstacle(credentials, delegation=False)

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        # The prompts of servers differ, so only their order counts.
        expect_challenge(self, (yield b""))
        expect_challenge(self, (yield credentials.username.encode()))
        expect_success(self, (yield (credentials.password or "").encode()))

    def server(self, context: Context) -> ServerHalf:
        # Some clients compare the prompts with exactly these.
        name = yield Challenge(b"Username:")
        secret = yield Challenge(b"Password:")
        username = presented(decode(name, "user name"))
        question = CheckPassword(username, presented(decode(secret, "password")))
        if not decided(question, (yield question)):
            raise SASLRefused
        return (yield from authorized(username, ""))
