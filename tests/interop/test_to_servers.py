"""Our client delivers to servers that are not ours; their Maildirs tell what arrived."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from smtpproto import LineEndings, Protocol, Reply, sync
from smtpproto.conversations import Envelope, Status
from tests.interop.dovecot import Dovecot
from tests.interop.exim import Exim
from tests.interop.peers import needs
from tests.interop.postfix import Postfix
from tests.programs import HOST

HEADER = b"From: <carol@far.test>\r\nTo: <alice@local.test>\r\nSubject: every octet\r\n\r\n"
BODIES = {
    "every octet": bytes(o for o in range(1, 256) if o not in b"\r\n") + b"\r\n",
    "dots": b".\r\n..\r\n...\r\n.a\r\n\r\n.\r\n",
    "nothing": b"",
    "empty lines": b"\r\n" * 50,
    "a long line": b"x" * 990 + b"\r\n",
}


def recorded() -> Iterator[Path]:
    """The messages of the standard library's own tests, where those are installed."""
    found = importlib.util.find_spec("test")
    for place in (found.submodule_search_locations or []) if found is not None else []:
        yield from sorted(Path(place, "test_email", "data").glob("msg_*.txt"))


def envelope(*recipients: str) -> Envelope:
    return Envelope.of("carol@far.test", recipients)


def send(port: int, content: bytes, *recipients: str) -> None:
    with sync.connect(HOST, port, name="client.test") as client:
        delivery = client.send(envelope(*recipients), content)
    assert delivery.complete, delivery


@needs("postfix")
def test_postfix_holds_what_we_sent_byte_for_byte(postfix_inbound: Postfix) -> None:
    messages = [HEADER + body for body in BODIES.values()]
    with sync.connect(HOST, postfix_inbound.port, name="client.test") as client:
        for message in messages:
            assert client.send(envelope("alice@local.test"), message).complete
    assert sorted(postfix_inbound.delivered("alice", len(messages))) == sorted(messages)


@needs("postfix")
def test_postfix_gets_the_end_of_line_that_was_missing(postfix_inbound: Postfix) -> None:
    send(postfix_inbound.port, HEADER + b"no end of line", "alice@local.test")
    assert postfix_inbound.delivered("alice") == [HEADER + b"no end of line\r\n"]


@needs("postfix")
def test_postfix_holds_32_mib_that_were_streamed(postfix_inbound: Postfix) -> None:
    line = b"0123456789abcdef" * 4 + b"\r\n"
    count = 32 * 1024 * 1024 // len(line)

    def chunks() -> Iterator[bytes]:
        yield HEADER
        for _ in range(count // 1024):
            yield line * 1024

    with sync.connect(HOST, postfix_inbound.port, name="client.test") as client:
        assert client.send(envelope("alice@local.test"), chunks()).complete
    (stored,) = postfix_inbound.delivered("alice", timeout=60)
    assert stored == b"".join(chunks())


@needs("postfix")
def test_postfix_holds_the_messages_of_the_standard_library(postfix_inbound: Postfix) -> None:
    """They have all that the field has: bare CR, no end of line, eight bits, broken MIME.

    Each travels as a body: a header of theirs, such as Return-Path, is Postfix's to change.
    """
    bodies = [path.read_bytes() for path in recorded()]
    # Debian's Python comes without its tests; the same kinds of defects, made here.
    bodies.append(b"Subject: \xe9\n\nLF only\nand no end")
    bodies.append(b"Content-Type: multipart/mixed; boundary=a\n\n--a\r.\n--b\r")
    with sync.connect(
        HOST, postfix_inbound.port, name="client.test", line_endings=LineEndings.NORMALIZE
    ) as client:
        for body in bodies:
            assert client.send(envelope("alice@local.test"), HEADER + body).complete, body
    expected = []
    for body in bodies:
        lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n")
        expected.append(HEADER + lines.replace(b"\n", b"\r\n") + b"\r\n")
    stored = postfix_inbound.delivered("alice", len(bodies), timeout=60)
    assert sorted(stored) == sorted(expected)


@needs("postfix")
def test_each_recipient_has_an_outcome(postfix_inbound: Postfix) -> None:
    with sync.connect(HOST, postfix_inbound.port, name="client.test") as client:
        delivery = client.send(
            envelope("alice@local.test", "nobody@local.test", "bob@local.test"), HEADER
        )
    assert [outcome.status for outcome in delivery.outcomes] == [
        Status.ACCEPTED,
        Status.REFUSED,
        Status.ACCEPTED,
    ]
    (reply,) = delivery.refused.values()
    assert reply == Reply(550, "5.1.1", reply.text)
    assert "nobody@local.test" in reply.text
    for account in ("alice", "bob"):
        assert postfix_inbound.delivered(account) == [HEADER]


@needs("postfix")
def test_a_session_goes_on_after_refusals(postfix_inbound: Postfix) -> None:
    with sync.connect(HOST, postfix_inbound.port, name="client.test") as client:
        assert client.send(envelope("nobody@local.test"), HEADER).accepted == ()
        assert client.noop().positive
        assert client.send(envelope("alice@local.test"), HEADER).complete
        assert client.verify("alice@local.test").code == 252
    assert postfix_inbound.delivered("alice") == [HEADER]


@needs("exim4")
def test_exim_holds_what_we_sent_byte_for_byte(exim_inbound: Exim) -> None:
    messages = [HEADER + body for body in BODIES.values()]
    with sync.connect(HOST, exim_inbound.port, name="client.test") as client:
        for message in messages:
            delivery = client.send(envelope("alice@exim.test", "nobody@exim.test"), message)
            assert [outcome.status for outcome in delivery.outcomes] == [
                Status.ACCEPTED,
                Status.REFUSED,
            ]
    assert sorted(exim_inbound.delivered("alice", len(messages))) == sorted(messages)


@pytest.mark.parametrize("recipients", [["alice"], ["alice", "nobody", "bob", "alice"]])
@needs("dovecot")
def test_dovecot_answers_for_each_recipient(dovecot_lmtp: Dovecot, recipients: list[str]) -> None:
    with sync.connect(
        HOST, dovecot_lmtp.port, name="client.test", protocol=Protocol.LMTP
    ) as client:
        delivery = client.send(envelope(*(f"{name}@any.test" for name in recipients)), HEADER)
    expected = [Status.REFUSED if name == "nobody" else Status.ACCEPTED for name in recipients]
    assert [outcome.status for outcome in delivery.outcomes] == expected
    assert dovecot_lmtp.delivered("alice")[0] == HEADER
