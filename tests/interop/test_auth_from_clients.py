"""Clients that are not ours log in to our server, inside TLS, with every mechanism they speak."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

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
from tests.interop.conftest import Peers
from tests.interop.inbox import Inbox
from tests.interop.logins import TOKEN, LogIn, gsasl
from tests.interop.matrix.features import PASSWORD, PLAIN, USER, Letter
from tests.interop.matrix.sending import Job
from tests.interop.peers import needs
from tests.programs import until


class Store(Users):
    """Users, one of whom has a certificate."""

    def authorize(self, authentication: str, authorization: str) -> bool:
        if authentication == "tim@client.test":
            return authorization in {USER, authentication}
        return super().authorize(authentication, authorization)


USERS = Store({USER: PASSWORD}, secret=b"0123456789abcdef", tokens={TOKEN: USER})
OTHERS = Users({USER: "another password"}, secret=b"0123456789abcdef", iterations=4096)
FAILURES = (AssertionError, smtplib.SMTPException, aiosmtplib.SMTPException)
LETTER = Letter(PLAIN, "AUTH", "dora@else.test")
WAYS = [
    pytest.param(
        client,
        mechanism,
        implicit,
        id=f"{client.__name__}-{mechanism}-{'IMPLICIT' if implicit else 'STARTTLS'}",
        marks=needs(*logins.PROGRAMS.get(client, ())),
    )
    for client, mechanisms in logins.ALL.items()
    for mechanism in mechanisms
    for implicit in (False, True)
    if not (client is gsasl and implicit)
]


Serving = Callable[..., AbstractContextManager[tuple[Inbox, Job]]]


@pytest.fixture
def serving(world: World, files: Files, peers: Peers, tmp_path: Path) -> Serving:
    """Called with a mechanism: our server, which offers no other, and what a client is to do."""

    @contextlib.contextmanager
    def serve(
        mechanism: str, *, implicit: bool = False, users: Users = USERS
    ) -> Iterator[tuple[Inbox, Job]]:
        inbox = Inbox()
        # In TLS 1.3 gsasl binds to what Python's ssl cannot tell.
        version = ssl.TLSVersion.TLSv1_2 if mechanism.endswith("-PLUS") else None
        with world.serve(
            inbox,
            tls=ServerTLS.IMPLICIT if implicit else ServerTLS.STARTTLS,
            tls_context=server_context(files, version=version),
            users=users,
            external=NameKind.EMAIL,
            extensions=[*standard(), Auth((mechanism,), required=True)],
        ) as server:
            yield inbox, Job(server.port, LETTER, files, tmp_path, {}, peers, False)
            until(lambda: inbox.over, 20, "the end of the session")

    return serve


@pytest.mark.parametrize("client, mechanism, implicit", WAYS)
def test_logs_in(serving: Serving, client: LogIn, mechanism: str, implicit: bool) -> None:
    with serving(mechanism, implicit=implicit) as (inbox, job):
        client(mechanism, implicit)(job)
    (session,) = inbox.over
    assert session.identity in {USER, "tim@client.test"}
    assert session.secure
    assert inbox.rejected_by_core == []
    if client is not gsasl:
        # msmtp puts a Date on top.
        assert inbox.one().content.endswith(LETTER.content)
        assert inbox.one().session.identity == session.identity


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(client, marks=needs(*logins.PROGRAMS.get(client, ())), id=client.__name__)
        for client in logins.ALL
    ],
)
def test_a_wrong_password(serving: Serving, client: LogIn) -> None:
    with (
        serving("PLAIN", users=OTHERS) as (inbox, job),
        pytest.raises(FAILURES, match="535"),
    ):
        client("PLAIN", False)(job)
    assert inbox.mails == []
    assert {refusal.reply.code for refusal in inbox.rejected_by_core} == {535}
    assert [session.identity for session in inbox.over] == [None] * len(inbox.over)
