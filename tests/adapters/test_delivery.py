"""A client and a server of the same adapter, over real sockets."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from smtpproto import Limits, LocalProtocolError, Reply
from smtpproto.conversations import Envelope, Status
from smtpproto.extensions import Chunking, ExpnExtension, Pipelining, ServerLimits
from smtpproto.extensions.known import standard
from smtpproto.vocabulary.commands import Data, Mail, Rcpt
from smtpproto.vocabulary.session_facts import Protocol
from tests.adapters.worlds import ENVELOPE, Face, Inbox, Raw, World, sessions, wait_until

CONTENT = b"Subject: dots\r\n\r\n.\r\n..\r\n.a line\r\n"
BIG = (b"%08d" * 9 + b"\r\n") % tuple(range(9)) * 40_000


class Choosy(Inbox):
    """Knows some mailboxes and has an opinion on others."""

    def rcpt(self, session: Any, rcpt: Rcpt) -> Reply | None:
        mailbox = str(rcpt.forward_path.mailbox)
        if mailbox.startswith("broken"):
            raise ZeroDivisionError("a defect of the handler")
        if mailbox.startswith("nobody"):
            return Reply(550, "5.1.1", "no such mailbox")
        return None


def test_a_message_arrives_as_it_was_sent(world: World) -> None:
    inbox = Inbox()
    with world.serve(inbox) as server, world.connect(server) as client:
        assert client.send(ENVELOPE, CONTENT).complete
        assert client.send(ENVELOPE, BIG).complete
        assert inbox.messages == [CONTENT, BIG]
        assert inbox.peers == ["127.0.0.1"] * 2
        assert client.session.peer == "127.0.0.1"
    assert inbox.over == 1


def test_each_recipient_has_an_outcome(world: World) -> None:
    inbox = Choosy()
    names = ["one", "nobody", "broken", "two"]
    envelope = Envelope.of("", [f"{name}@example.net" for name in names])
    with world.serve(inbox) as server, world.connect(server) as client:
        delivery = client.send(envelope, CONTENT)
        assert [outcome.status for outcome in delivery.outcomes] == [
            Status.ACCEPTED,
            Status.REFUSED,
            Status.REFUSED,
            Status.ACCEPTED,
        ]
        codes = [outcome.reply and outcome.reply.code for outcome in delivery.outcomes]
        assert codes == [250, 550, 451, 250]
        nobody = client.send(Envelope.of("", ["nobody@example.net"]), CONTENT)
        assert not nobody.complete
        assert client.ready
    assert len(inbox.messages) == 1


def test_a_defect_of_the_handler_concerns_one_message(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Inbox):
        def message(self, session: Any, envelope: Envelope, content: bytes) -> Any:
            if content.startswith(b"bad"):
                raise ZeroDivisionError("a defect of the handler")
            return super().message(session, envelope, content)

    inbox = Failing()
    with world.serve(inbox) as server, world.connect(server) as client:
        (outcome,) = client.send(ENVELOPE, b"bad\r\n").outcomes
        assert outcome.reply is not None
        assert outcome.reply.code == 451
        assert client.send(ENVELOPE, CONTENT).complete
    assert inbox.messages == [CONTENT]
    assert "a defect of the handler" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, BaseException])
@pytest.mark.parametrize("hook", ["vrfy", "message", "closed"])
def test_a_handler_does_not_end_the_server(
    world: World, error: type[BaseException], hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no `Exception` ends its session, and leaves a line in the log."""

    class Leaving(Inbox):
        left = False

        def leave(self, name: str) -> None:
            if name == hook and not self.left:
                self.left = True
                raise error("I leave")

        def vrfy(self, session: Any, vrfy: Any) -> Reply:
            self.leave("vrfy")
            return super().vrfy(session, vrfy)

        def message(self, session: Any, envelope: Envelope, content: bytes) -> Any:
            self.leave("message")
            return super().message(session, envelope, content)

        def closed(self, session: Any) -> None:
            self.leave("closed")

    inbox = Leaving()
    with world.serve(inbox) as server:
        with Raw(server) as raw:
            raw.reply()
            for command in ("EHLO client.example.org", "MAIL FROM:<>", "RCPT TO:<a@b.c>", "DATA"):
                raw.ask(command)
            raw.say("Hello\r\n.\r\nVRFY one\r\nQUIT")
            heard = raw.rest()
        if error is SystemExit and hook != "closed":
            assert heard.splitlines()[-1].startswith(b"421 4.3.0")
        wait_until(lambda: not sessions(server))
        with world.connect(server) as client:
            assert client.send(ENVELOPE, CONTENT).complete
    assert inbox.left
    assert "I leave" in caplog.text


@pytest.mark.parametrize(
    "error, code",
    [
        (OSError(errno.ENOSPC, "No space left on device"), 452),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 452),
        (MemoryError(), 452),
        (OSError(errno.EIO, "Input/output error"), 451),
    ],
)
def test_a_full_disk_is_told(
    world: World, error: Exception, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(Inbox):
        def message(self, session: Any, envelope: Envelope, content: bytes) -> Any:
            raise error

    with world.serve(Full()) as server, world.connect(server) as client:
        (outcome,) = client.send(ENVELOPE, CONTENT).outcomes
        assert outcome.reply is not None
        assert outcome.reply.code == code
        assert client.ready
    assert "a handler failed" in caplog.text


def test_an_email_message(world: World) -> None:
    message = EmailMessage()
    message["From"] = "sender@example.org"
    message["To"] = "one@example.net"
    message["Bcc"] = "two@example.net"
    message.set_content("Hello\n")
    inbox = Inbox()
    with world.serve(inbox) as server, world.connect(server) as client:
        assert client.send_message(message).complete
        assert client.send_message(message, "else@example.org", ["three@example.net"]).complete
        del message["From"]
        with pytest.raises(ValueError, match="no Sender or From field"):
            client.send_message(message)
        assert client.ready
    assert [len(envelope.recipients) for envelope in inbox.envelopes] == [2, 1]
    assert all(b"Bcc" not in content for content in inbox.messages)


def test_lmtp_has_a_reply_for_each_recipient(world: World) -> None:
    class PerRecipient(Inbox):
        def message(self, session: Any, envelope: Envelope, content: bytes) -> Any:
            super().message(session, envelope, content)
            return [None, Reply(452, "4.2.2", "full")]

    envelope = Envelope.of("sender@example.org", ["one@example.net", "two@example.net"])
    inbox = PerRecipient()
    with (
        world.serve(inbox, protocol=Protocol.LMTP) as server,
        world.connect(server, protocol=Protocol.LMTP) as client,
    ):
        delivery = client.send(envelope, CONTENT)
        assert len(delivery.accepted) == len(delivery.refused) == 1


def test_the_other_commands(world: World) -> None:
    extensions = [*standard(), ExpnExtension()]
    with (
        world.serve(Inbox(), extensions=extensions) as server,
        world.connect(server) as client,
    ):
        assert client.noop().code == 250
        assert client.verify("one").code == 252
        assert client.help().code == 214
        assert client.expand("list").code == 252
        assert client.command(Mail(ENVELOPE.reverse_path)).positive
        assert not client.ready
        assert client.reset().positive
        assert client.ready
        with pytest.raises(LocalProtocolError):
            client.command(Data())
        assert client.ready


def test_a_client_that_took_leave_is_closed(world: World) -> None:
    inbox = Inbox()
    with world.serve(inbox) as server, world.connect(server) as client:
        client.quit()
        assert client.closed
        client.quit()
        with pytest.raises(LocalProtocolError, match="closed"):
            client.noop()
        wait_until(lambda: not sessions(server))
    assert inbox.over == 1


@pytest.mark.parametrize("chunking", [False, True])
def test_a_stream_that_the_server_cannot_take(world: World, chunking: bool, tmp_path: Path) -> None:
    """Octets above 127 that are seen in passing do not reach a server without 8BITMIME."""
    path = tmp_path / "message"
    # More than is looked at before MAIL; each line of the iterable may become a chunk of its own.
    path.write_bytes(CONTENT + b"0123456789abcde\r\n" * 10_000 + b"gr\xc3\xbc\xc3\x9fe\r\n")
    inbox = Inbox()
    with world.serve(inbox, extensions=[Pipelining(), Chunking()]) as server:
        for kind in ("path", "file", "iterable"):
            with path.open("rb") as file, world.connect(server, chunking=chunking) as client:
                content = {"path": path, "file": file, "iterable": iter(file.readline, b"")}[kind]
                delivery = client.send(ENVELOPE, content)
                assert [outcome.status for outcome in delivery.outcomes] == [Status.FAILED]
                assert "does not offer 8BITMIME" in delivery.outcomes[0].reason
                assert client.closed is not chunking
        with world.connect(server) as client:
            assert client.send(ENVELOPE, CONTENT).complete
    assert inbox.messages == [CONTENT]


@pytest.mark.parametrize("chunking", [False, True])
def test_a_source_that_fails_after_a_delivery(world: World, chunking: bool) -> None:
    class Failing:
        def __init__(self) -> None:
            self.readings = 0

        def __iter__(self) -> Iterator[bytes]:
            self.readings += 1
            yield CONTENT[:20]
            if self.readings == 2:
                raise LookupError("the disk is gone")
            yield CONTENT[20:]

    extensions = [Pipelining(), Chunking(), ServerLimits(rcptmax=1)]
    envelope = Envelope.of("", ["one@example.net", "two@example.net"])
    inbox = Inbox()
    with (
        world.serve(inbox, extensions=extensions) as server,
        world.connect(server, chunking=chunking) as client,
    ):
        delivery = client.send(envelope, Failing())
        assert [outcome.status for outcome in delivery.outcomes] == [Status.ACCEPTED, Status.FAILED]
        assert isinstance(delivery.error, LookupError)
        assert client.closed is not chunking
    assert inbox.messages == [CONTENT]


# --- content of all kinds ---------------------------------------------------------------------


def pieces() -> Iterator[bytes]:
    for start in range(0, len(BIG), 50_000):
        yield BIG[start : start + 50_000]


def test_a_file_a_path_an_iterable(world: World, tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(BIG)
    inbox = Inbox()
    with world.serve(inbox) as server, world.connect(server) as client:
        assert client.send(ENVELOPE, path).complete
        with path.open("rb") as file:
            assert client.send(ENVELOPE, file).complete
            assert not file.closed
        assert client.send(ENVELOPE, BytesIO(BIG)).complete
        assert client.send(ENVELOPE, pieces()).complete
        with pytest.raises(FileNotFoundError):
            client.send(ENVELOPE, tmp_path / "nothing")
        assert client.ready
    assert inbox.messages == [BIG] * 4


def test_content_that_fails_is_not_delivered(world: World) -> None:
    """There is no way to take it back, but to close."""

    def failing() -> Iterator[bytes]:
        yield b"Subject: half\r\n\r\n"
        raise ZeroDivisionError("a defect of the caller")

    inbox = Inbox()
    with world.serve(inbox) as server, world.connect(server) as client:
        with pytest.raises(ZeroDivisionError):
            client.send(ENVELOPE, failing())
        assert client.closed
        wait_until(lambda: not sessions(server))
    assert inbox.messages == []
    assert inbox.over == 1


def test_bare_line_feeds_are_refused_before_anything_is_sent(world: World) -> None:
    with world.serve(Inbox()) as server, world.connect(server) as client:
        with pytest.raises(LocalProtocolError, match="CR or LF"):
            client.send(ENVELOPE, b"one\ntwo\n")
        assert client.ready


# --- content while it arrives -----------------------------------------------------------------


def test_a_handler_reads_while_the_client_sends(world: World) -> None:
    """What the client sends next depends on what the handler read before."""
    seen = threading.Semaphore(0)
    read = []

    def content(session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        for chunk in chunks:
            read.append(chunk)
            seen.release()

    def patient() -> Iterator[bytes]:
        yield b"first\r\n" * 10_000
        assert wait_in_thread(world, seen)
        yield b"second\r\n"

    with world.serve(world.streaming(content)) as server, world.connect(server) as client:
        assert client.send(ENVELOPE, patient()).complete
    assert b"".join(read) == b"first\r\n" * 10_000 + b"second\r\n"


def wait_in_thread(world: World, seen: threading.Semaphore) -> bool:
    """No task may block its thread: the chunk before has left, and that is all to be known."""
    return seen.acquire(timeout=5) if world.name == "sync" else True


def test_a_handler_that_refuses_in_the_middle(world: World) -> None:
    def content(session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> Reply:
        next(chunks)
        return Reply(552, "5.3.4", "too much for me")

    with world.serve(world.streaming(content)) as server, world.connect(server) as client:
        (outcome,) = client.send(ENVELOPE, BIG).outcomes
        assert outcome.reply is not None
        assert outcome.reply.code == 552
        assert client.ready


def test_a_slow_handler_slows_the_client(world: World) -> None:
    """Back-pressure: what nobody reads is not sent, and fills nobody's memory."""
    go = threading.Event()
    chunk = b"x" * 998 + b"\r\n"
    total = 40_000
    produced = 0

    def take(session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        assert go.wait(10)
        assert sum(map(len, chunks)) == total * len(chunk)

    def content() -> Iterator[bytes]:
        nonlocal produced
        for _ in range(total // 40):
            produced += 40
            yield chunk * 40

    def send(client: Face) -> None:
        outcome.append(client.send(ENVELOPE, content()).complete)

    outcome: list[bool] = []
    with world.serve(world.streaming(take)) as server, world.connect(server) as client:
        sender = threading.Thread(target=send, args=(client,))
        sender.start()
        before = -1

        def stands_still() -> bool:
            nonlocal before
            before, last = produced, before
            go.wait(0.2)
            return before > 0 and produced == last == before

        wait_until(stands_still)
        assert produced < total // 2
        go.set()
        sender.join(10)
    assert outcome == [True]
    assert produced == total


def test_a_client_that_does_not_read_is_not_waited_for_for_ever(world: World) -> None:
    """Replies fill the socket; the server's limit ends the session."""
    inbox = Inbox()
    many = Limits(commands=10**9)
    with world.serve(inbox, timeout=0.3, limits=many) as server, Raw(server) as raw:
        raw.reply()
        raw.flood()
        wait_until(lambda: not sessions(server))
    assert inbox.over == 1
