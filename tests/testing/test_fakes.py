"""Peers that say what a test wants: scripts, and anything at all."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from smtpproto import Noop, Reply
from smtpproto.conversations import ConnectionLost, Delivery
from smtpproto.testing import FakeClient, FakeServer, connect
from tests.testing.handlers import ENVELOPE, Inbox, Stream

SCRIPT = """
    S: 220 mx.example
    C: EHLO client.example
    S: 250-mx.example
    S: 250 PIPELINING
    C: MAIL FROM:<a@client.example>
    C: RCPT TO:<b@mx.example>
    C: RCPT TO:<c@mx.example>
    C: DATA
    S: 250 OK
    S: 250 OK
    S: 550 no such mailbox
    S: 354 go on
    C: Subject: ...
    C: ...
    C: .
    S: 451 try again
    C: QUIT
    S: 221 bye
"""


def submit(server: FakeServer, content: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Delivery:
    with connect(server) as client:
        return client.send(ENVELOPE, content)


def test_a_script() -> None:
    with FakeServer(SCRIPT) as server:
        delivery = submit(server)
    assert [str(o.reply) for o in delivery.outcomes] == ["451 try again", "550 no such mailbox"]
    assert server.closed


def test_a_client_that_does_not_follow_the_script() -> None:
    with pytest.raises(AssertionError) as found:
        submit(FakeServer(SCRIPT), b"Date: today\r\n")
    assert str(found.value) == "expected C: Subject: ...\n   found C: Date: today"


def test_a_script_that_is_not_played_to_the_end() -> None:
    with pytest.raises(AssertionError, match="ended before C: QUIT"), FakeServer(SCRIPT) as server:
        connect(server).send(ENVELOPE, b"Subject: x\r\n")


def test_an_error_in_the_block_says_more_than_what_is_left_of_the_script() -> None:
    with pytest.raises(KeyError), FakeServer(SCRIPT):
        raise KeyError


def test_a_client_that_says_more_than_the_script() -> None:
    server = FakeServer("S: 220 mx.example")
    with pytest.raises(AssertionError, match="the script is over, the client says QUIT"):
        server.sendall(b"QUIT\r\n")


def test_a_server_that_closes_early() -> None:
    server = FakeServer("S: 220 mx.example\nC: EHLO client.example\n")
    with pytest.raises(ConnectionLost, match="closed"):
        connect(server)


def test_a_server_that_says_nothing() -> None:
    server = FakeServer("C: EHLO client.example\nS: 250 late")
    with pytest.raises(ConnectionLost, match="no reply: none within"):
        connect(server)


def test_a_script_is_read_strictly() -> None:
    with pytest.raises(ValueError, match="begins with C: or S:, found 'EHLO x'"):
        FakeServer("EHLO x")


def test_a_script_for_code_with_sockets_of_its_own() -> None:
    # Versions of smtplib differ in the letter case of FROM and TO.
    server = FakeServer("""
        S: 220 mx.example
        C: ehlo client.example
        S: 250 mx.example
        C: mail ...
        S: 250 OK
        C: rcpt ...
        S: 250 OK
        C: data
        S: 354 go on
        C: hello
        C: .
        S: 250 OK
        C: QUIT
        S: 221 bye
    """)

    class Client(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> Any:
            server.settimeout(timeout)
            return server

    with server, Client("mx.example", local_hostname="client.example") as client:
        client.sendmail("a@client.example", ["b@mx.example"], b"hello\r\n")
    assert server.recv(10) == b""


def test_a_socket_that_would_wait_for_ever() -> None:
    server = FakeServer("S: 220 mx.example\nC: QUIT\nS: 221 bye")
    assert server.recv(4) + server.recv(100) == b"220 mx.example\r\n"
    with pytest.raises(TimeoutError, match="the server waits for C: QUIT"):
        server.recv(1)
    with pytest.raises(ValueError, match="expected 'rb'"):
        server.makefile("w")


# --- FakeClient ---------------------------------------------------------------------------------


def test_step_by_step() -> None:
    inbox = Inbox()
    client = FakeClient(inbox, hostname="mx.example")
    assert str(client.greeting) == "220 mx.example ESMTP"
    assert client.say("EHLO client.example").lines[0] == "mx.example"
    assert client.say("MAIL FROM:<>", "RCPT TO:<b@mx.example>") == Reply(250, "2.1.5", "OK")
    assert [reply.code for reply in client.send(b"DATA\r\nhel")] == [354]
    assert client.send(b"lo\n.\n") == []
    assert client.say(b"", b".").code == 550
    assert client.say("FOO").code == 500
    assert inbox.messages == []
    assert client.say("QUIT").code == 221
    assert client.closed
    assert client.close() == []
    assert client.octets.startswith(b"220 mx.example ESMTP\r\n250-mx.example\r\n")


def test_a_client_that_vanishes() -> None:
    handler = Stream()
    client = FakeClient(handler)
    client.say("EHLO client.example")
    client.say("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA")
    client.send(b"half a mess")
    assert client.close() == []
    assert handler.ended == ["lost"]


def test_what_gets_no_reply() -> None:
    client = FakeClient(Inbox())
    client.say("EHLO x")
    client.say("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA")
    with pytest.raises(AssertionError, match="no reply to 'hello'"):
        client.say("hello")
    assert client.say(".").positive
    assert client.say(str(Noop())).positive
