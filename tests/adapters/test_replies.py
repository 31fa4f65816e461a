"""Replies as real servers write them, and as none may, over all adapters."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from smtpproto import RemoteProtocolError
from smtpproto.conversations import Envelope, PermanentError, Status
from smtpproto.conversations.client.settings import TLSMode
from tests.adapters.worlds import TIMEOUT, World

THREE = Envelope.of("a@example.org", [f"{name}@example.net" for name in ("one", "two", "three")])
GREETING = b"220 mx.example\r\n"


@contextlib.contextmanager
def saying(*said: bytes) -> Iterator[tuple[str, int]]:
    """A server that says the first at once, and each further one after a line it got."""

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as lines, contextlib.suppress(OSError):
            sock.settimeout(TIMEOUT)
            sock.sendall(said[0])
            for octets in said[1:]:
                if not lines.readline():
                    return
                sock.sendall(octets)
            while lines.readline():
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def test_a_server_that_talks_ahead_of_everything(world: World) -> None:
    """RFC 5321 section 4.3.1: a reply answers what was sent."""
    ahead = GREETING + b"250 mx.example\r\n250 a\r\n250 b\r\n354 c\r\n250 queued\r\n"
    with (
        saying(ahead) as where,
        pytest.raises(RemoteProtocolError, match="a reply came before EHLO"),
        world.connect(where, tls=TLSMode.NONE),
    ):
        raise AssertionError("there is no session")


def test_a_server_that_talks_ahead_of_recipients(world: World) -> None:
    said = (
        GREETING,
        b"250 mx.example\r\n",
        b"250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n",
    )
    with saying(*said) as where, world.connect(where, tls=TLSMode.NONE) as client:
        delivery = client.send(THREE, b"text\r\n")
        assert {outcome.status for outcome in delivery.outcomes} == {Status.FAILED}
        assert all("came before RCPT" in outcome.reason for outcome in delivery.outcomes)


def test_codes_of_no_list_and_lines_that_end_with_lf(world: World) -> None:
    """RFC 5321 section 4.3.2: the first digit of a code decides."""
    said = (
        b"220-mx.example\n220 hello\n",
        b"250-mx.example\n250 8BITMIME\n",
        b"299 fine\n",
        b"250 one\n",
        b"571 5.7.1 Delivery not authorized\n",
        b"260 three\n",
        b"354 go\n",
        b"",
        b"250 queued\n",
        b"221 bye\n",
    )
    with saying(*said) as where, world.connect(where, tls=TLSMode.NONE) as client:
        delivery = client.send(THREE, b"text\r\n")
    assert [outcome.status for outcome in delivery.outcomes] == [
        *(Status.ACCEPTED, Status.REFUSED, Status.ACCEPTED)
    ]
    assert delivery.outcomes[1].reply.code == 571


def test_a_greeting_that_turns_into_a_refusal(world: World) -> None:
    said = (b"220-mx.example\r\n521 5.7.1 192.0.2.1 is blocked\r\n", b"221 bye\r\n")
    with (
        saying(*said) as where,
        pytest.raises(PermanentError, match=r"192\.0\.2\.1 is blocked"),
        world.connect(where, tls=TLSMode.NONE),
    ):
        raise AssertionError("there is no session")
