"""Every fault at every step, over a real socket and in memory."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from smtpproto.extensions import Chunking
from smtpproto.testing import MemorySink, SinkServer, sink
from smtpproto.testing.faults import Step
from smtpproto.testing.socket_double import SocketDouble
from tests.programs import until

if TYPE_CHECKING:
    from typing_extensions import Self

Server = SinkServer | MemorySink


class Talk:
    """A client that sends lines, and reads replies."""

    def __init__(self, server: Server) -> None:
        self.sock: socket.socket | SocketDouble
        if isinstance(server, MemorySink):
            self.sock = server.socket()
        else:
            self.sock = socket.create_connection((server.host, server.port), timeout=30)
        self.file = self.sock.makefile("rb")

    def read(self) -> bytes:
        """The last line of a reply; empty if the server has closed."""
        while (line := self.file.readline()) and line[3:4] == b"-":
            pass
        return line.strip()

    def __call__(self, *lines: str) -> bytes:
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode())
        return self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.sock.close()


COMMANDS: dict[Step, tuple[str, ...]] = {
    "ehlo": ("EHLO client.example",),
    "helo": ("HELO client.example",),
    "auth": ("EHLO client.example", "AUTH PLAIN AG1lAHNlY3JldA=="),
    "mail": ("HELO client.example", "MAIL FROM:<a@client.example>"),
    "rcpt": ("HELO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<b@mx.example>"),
}
COMMANDS["data"] = (*COMMANDS["rcpt"], "DATA")
COMMANDS["content"] = (*COMMANDS["data"], "hello\r\n.")
COMMANDS["quit"] = ("QUIT",)
STEPS: list[Step] = ["connect", *COMMANDS]


def reach(server: Server, step: Step) -> tuple[bytes, bytes]:
    """The reply to the last command of a step, and the reply to NOOP after it."""
    with Talk(server) as talk:
        said = talk.read()
        for line in COMMANDS.get(step, ()):
            assert said[:1] in (b"2", b"3"), said
            said = talk(line)
        if said[:3] == b"354":
            return said, b""
        try:
            return said, talk("NOOP")
        except OSError:
            return said, b""


@pytest.fixture(params=["over a socket", "in memory"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    with contextlib.ExitStack() as stack:

        def make(step: Step | None = None, **settings: Any) -> Server:
            if step == "auth":
                settings["users"] = {"me": "secret"}
            if request.param == "in memory":
                return MemorySink(**settings)
            return stack.enter_context(sink(**settings))

        yield make


Serve = Callable[..., Server]


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_be_refused(serve: Serve, step: Step) -> None:
    server = serve(step)
    fault = server.reject(step, "*", 554, "5.7.1", "not today", times=1)
    said, after = reach(server, step)
    plain = step in ("connect", "ehlo", "helo")
    assert said == (b"554 not today" if plain else b"554 5.7.1 not today")
    if step not in ("connect", "quit"):
        assert after[:3] == b"250"
    assert reach(server, step)[0][:1] in (b"2", b"3")
    assert fault.happened == 1
    assert len(server.messages) == (step == "content")


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_end_with_421(serve: Serve, step: Step) -> None:
    server = serve(step)
    server.say_421_at(step)
    said, after = reach(server, step)
    assert (said[:4], after) == (b"421 ", b"")


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_end_without_a_reply(serve: Serve, step: Step) -> None:
    server = serve(step)
    server.drop(step)
    assert reach(server, step) == (b"", b"")
    assert server.messages == []
    if step != "content":
        assert server.conversation.endswith("S: (closes the connection)")


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_have_any_octets_for_a_reply(serve: Serve, step: Step) -> None:
    server = serve(step)
    server.reply(step, b"what?\r\n", times=1)
    assert reach(server, step)[0] == b"what?"
    assert "S: what?\n" in f"{server.conversation}\n"
    assert "stand-in" not in server.conversation


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_wait_until_the_client_gives_up(serve: Serve, step: Step) -> None:
    server = serve(step)
    late = server.delay(step, math.inf)
    with Talk(server) as talk:
        for line in COMMANDS.get(step, ()):
            assert talk.read()[:1] in (b"2", b"3")
            talk.sock.sendall(f"{line}\r\n".encode())
        until(lambda: late.happened, 20, "the delay")
        talk.sock.settimeout(0.02)
        with pytest.raises(TimeoutError):
            talk.read()
        assert len(server.messages) == (step == "content")


def test_a_reply_of_the_usual_class_lets_the_session_go_on(serve: Serve) -> None:
    server = serve()
    server.reply("connect", b"220-mx.example\r\n220 hello\r\n")
    server.reply("mail", b"250 why not\r\n")
    server.reply("rcpt", b"251 elsewhere\r\n")
    server.reply("data", b"354 go\r\n")
    server.reply("content", b"250 2.0.0 queued as 1A2B3C\r\n")
    assert reach(server, "content") == (b"250 2.0.0 queued as 1A2B3C", b"250 2.0.0 OK")
    assert len(server.messages) == 1


def test_a_connection_breaks_after_the_content(serve: Serve) -> None:
    """The client cannot know that the message was accepted."""
    server = serve()
    server.drop("after content")
    assert reach(server, "content") == (b"", b"")
    assert len(server.messages) == 1
    assert server.conversation.endswith("C: .\nS: (closes the connection)")


def test_a_connection_breaks_within_a_chunk(serve: Serve) -> None:
    server = serve(extensions=[Chunking()])
    server.drop("content")
    with Talk(server) as talk:
        talk.read()
        talk("EHLO client.example")
        talk("MAIL FROM:<a@client.example>")
        talk("RCPT TO:<bob@mx.example>")
        assert talk("BDAT 7 LAST", "hello") == b""
    assert server.messages == []


def test_replies_before_a_fault_are_sent(serve: Serve) -> None:
    """Also those of the same pipelined group."""
    server = serve()
    server.drop("rcpt", "eve@*")
    with Talk(server) as talk:
        talk.read()
        talk("EHLO client.example")
        recipients = [f"RCPT TO:<{name}@mx.example>" for name in ("bob", "eve")]
        assert talk("MAIL FROM:<a@client.example>", *recipients)[:3] == b"250"
        assert talk.read()[:3] == b"250"
        assert talk.read() == b""


def test_starttls_can_be_refused_and_dropped(serve: Serve) -> None:
    server = serve(tls="starttls")
    server.reject("starttls", code=454, text="no TLS now", times=1)
    server.drop("starttls")
    with Talk(server) as talk:
        talk.read()
        talk("EHLO client.example")
        assert talk("STARTTLS") == b"454 4.7.0 no TLS now"
        assert talk("STARTTLS") == b""


def test_the_handshake_is_broken_off(serve: Serve) -> None:
    server = serve(tls="starttls")
    server.fail_tls()
    with Talk(server) as talk:
        talk.read()
        talk("EHLO client.example")
        assert talk("STARTTLS")[:3] == b"220"
        if isinstance(server, SinkServer):
            talk.sock.sendall(b"\x16\x03\x01")
        with contextlib.suppress(ConnectionResetError):
            assert talk.read() == b""
    assert server.conversation.endswith(
        "(the TLS handshake failed: the test lets this handshake fail)"
    )


def test_each_recipient_has_a_reply_on_lmtp(serve: Serve) -> None:
    server = serve(lmtp=True)
    server.reject("content", "bob@*", 552, "5.2.2", "mailbox full")
    with Talk(server) as talk:
        talk.read()
        talk("LHLO client.example")
        talk("MAIL FROM:<a@client.example>")
        for name in ("bob", "eve"):
            talk(f"RCPT TO:<{name}@mx.example>")
        talk("DATA")
        assert talk("hello", ".") == b"552 5.2.2 mailbox full"
        assert talk.read()[:3] == b"250"
    assert [message.recipients for message in server.messages] == [["eve@mx.example"]]
