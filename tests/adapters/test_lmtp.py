"""LMTP over all adapters (RFC 2033): with and without TLS, after DATA and in chunks."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import Protocol, Reply
from smtpproto.conversations import Envelope, Status, TLSError
from smtpproto.conversations.client.settings import TLSMode
from smtpproto.conversations.server.settings import ServerTLS
from smtpproto.extensions import Chunking, Pipelining, StartTls
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import Inbox, World, sessions, wait_until

TLS = [
    (ServerTLS.NONE, TLSMode.NONE),
    (ServerTLS.STARTTLS, TLSMode.STARTTLS),
    (ServerTLS.IMPLICIT, TLSMode.IMPLICIT),
]
TO = [f"{name}@example.net" for name in ("one", "nobody", "full", "two")]
BIG = b"0123456789abcde\r\n" * 20_000


class Each(Inbox):
    """Refuses one recipient at RCPT, and another one once the message is there."""

    secure: set[bool]

    def __init__(self) -> None:
        super().__init__()
        self.secure = set()

    def rcpt(self, session: Any, rcpt: Any) -> Reply | None:
        nobody = "nobody" in str(rcpt.forward_path)
        return Reply(550, "5.1.1", "no such mailbox") if nobody else None

    def message(self, session: Any, envelope: Envelope, content: bytes) -> Any:
        super().message(session, envelope, content)
        self.secure.add(session.secure)
        full = Reply(452, "4.2.2", "full")
        return [full if "full" in str(rcpt.forward_path) else None for rcpt in envelope.recipients]


@pytest.mark.parametrize("offered, used", TLS)
@pytest.mark.parametrize("chunking", [False, True], ids=["data", "bdat"])
def test_two_messages_in_one_lmtp_session(
    world: World, offered: ServerTLS, used: TLSMode, *, chunking: bool
) -> None:
    inbox = Each()
    settings: dict[str, Any] = {"tls": offered} if offered is not ServerTLS.NONE else {}
    if settings:
        settings["tls_context"] = SERVER
    extensions = (Pipelining(), Chunking())
    with world.serve(inbox, protocol=Protocol.LMTP, extensions=extensions, **settings) as server:
        options: dict[str, Any] = {"tls": used, "tls_context": CLIENT, "chunking": chunking}
        with world.connect(server, protocol=Protocol.LMTP, **options) as client:
            assert client.session.secure == (used is not TLSMode.NONE)
            for content in (BIG, b"second\r\n"):
                outcomes = client.send(Envelope.of("a@example.org", TO), content).outcomes
                assert [outcome.status for outcome in outcomes] == [
                    *(Status.ACCEPTED, Status.REFUSED, Status.REFUSED, Status.ACCEPTED)
                ]
                assert [outcome.reply.code for outcome in outcomes] == [250, 550, 452, 250]
        wait_until(lambda: not sessions(server))
    assert inbox.messages == [BIG, b"second\r\n"]
    assert inbox.secure == {used is not TLSMode.NONE}


def test_lmtp_where_starttls_is_required(world: World) -> None:
    inbox = Each()
    settings: dict[str, Any] = {
        "protocol": Protocol.LMTP,
        "extensions": (Pipelining(), StartTls(required=True)),
        "tls": ServerTLS.STARTTLS,
        "tls_context": SERVER,
    }
    envelope = Envelope.of("a@example.org", TO[:1])
    with world.serve(inbox, **settings) as server:
        with world.connect(server, protocol=Protocol.LMTP, tls=TLSMode.NONE) as client:
            (outcome,) = client.send(envelope, b"text\r\n").outcomes
            assert outcome.reply.code == 530
        options: dict[str, Any] = {"tls": TLSMode.STARTTLS, "tls_context": CLIENT}
        with world.connect(server, protocol=Protocol.LMTP, **options) as client:
            assert client.send(envelope, b"text\r\n").complete
        wait_until(lambda: not sessions(server))
    assert inbox.messages == [b"text\r\n"]
    with (
        world.serve(inbox, protocol=Protocol.LMTP) as server,
        pytest.raises(TLSError, match="does not offer STARTTLS"),
        world.connect(server, protocol=Protocol.LMTP, tls=TLSMode.STARTTLS),
    ):
        raise AssertionError("there is no session")
