"""Clients that are not ours log in to our server, inside TLS, with every mechanism they speak."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from smtpproto import NameKind
from smtpproto.conversations import ServerTLS
from smtpproto.extensions import Auth
from smtpproto.extensions.known import standard
from smtpproto.sasl import Users
from tests.adapters.worlds import World
from tests.interop import logins
from tests.interop.certificates import Files, server_context
from tests.interop.inbox import Inbox
from tests.interop.logins import CONTENT, Login, gsasl
from tests.interop.peers import needs
from tests.programs import until

PASSWORD, TOKEN = "tanstaaftanstaaf", "a-token-of-tim"


class Store(Users):
    """Users, one of whom has a certificate."""

    def authorize(self, authentication: str, authorization: str) -> bool:
        if authentication == "tim@client.test":
            return authorization in {"tim", authentication}
        return super().authorize(authentication, authorization)


USERS = Store({"tim": PASSWORD}, secret=b"0123456789abcdef", tokens={TOKEN: "tim"})
Way = tuple[Callable[[Login], None], str, ServerTLS]
FAILURES = (AssertionError, smtplib.SMTPException, aiosmtplib.SMTPException)
MODES = [ServerTLS.STARTTLS, ServerTLS.IMPLICIT]
WAYS = [
    pytest.param(
        (client, mechanism, mode),
        id=f"{client.__name__}-{mechanism}-{mode.name}",
        marks=needs(*logins.PROGRAMS.get(client, ())),
    )
    for client, mechanisms in logins.ALL.items()
    for mechanism in mechanisms
    for mode in MODES
    if not (client is gsasl and mode is ServerTLS.IMPLICIT)
]


@contextlib.contextmanager
def serving(
    world: World, inbox: Inbox, files: Files, mechanism: str, mode: ServerTLS
) -> Iterator[Any]:
    """Our server; it offers one mechanism, so that clients have no choice."""
    # In TLS 1.3 gsasl binds to what Python's ssl cannot tell.
    version = ssl.TLSVersion.TLSv1_2 if mechanism.endswith("-PLUS") else None
    with world.serve(
        inbox,
        tls=mode,
        tls_context=server_context(files, version=version),
        users=USERS,
        external=NameKind.EMAIL,
        extensions=[*standard(), Auth((mechanism,), required=True)],
    ) as server:
        yield server


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "message"
    path.write_bytes(CONTENT)
    return path


def secret_for(mechanism: str) -> str:
    return TOKEN if mechanism in logins.TOKENS else PASSWORD


@pytest.mark.parametrize("way", WAYS)
def test_logs_in(world: World, files: Files, message: Path, way: Way) -> None:
    client, mechanism, mode = way
    inbox, secret = Inbox(), secret_for(mechanism)
    with serving(world, inbox, files, mechanism, mode) as server:
        implicit = mode is ServerTLS.IMPLICIT
        client(Login(server.port, implicit, mechanism, files, message, "tim", secret))
        until(lambda: inbox.over, 20, "the end of the session")
    (session,) = inbox.over
    assert session.identity in {"tim", "tim@client.test"}
    assert session.secure
    assert inbox.rejected_by_core == []
    if client is not gsasl:
        # msmtp puts a Date on top.
        assert inbox.one().content.endswith(CONTENT)
        assert inbox.one().session.identity == session.identity


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(client, marks=needs(*logins.PROGRAMS.get(client, ())), id=client.__name__)
        for client in logins.ALL
    ],
)
def test_a_wrong_password(
    world: World, files: Files, message: Path, client: Callable[[Login], None]
) -> None:
    inbox = Inbox()
    with serving(world, inbox, files, "PLAIN", ServerTLS.STARTTLS) as server:
        with pytest.raises(FAILURES, match="535"):
            client(Login(server.port, False, "PLAIN", files, message, "tim", "wrong"))
        until(lambda: inbox.over, 20, "the end of the session")
    assert inbox.mails == []
    assert {refusal.reply.code for refusal in inbox.rejected_by_core} == {535}
    assert [session.identity for session in inbox.over] == [None] * len(inbox.over)
