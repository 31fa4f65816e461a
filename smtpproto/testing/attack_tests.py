"""`AttackTests`: pytest runs the published attacks against your server.

    >>> class TestMyServer(AttackTests):
    ...     server = ("127.0.0.1", 8025)

The server may also be a handler, or what makes one, such as its class.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import ClassVar

import pytest

from ..vocabulary.replies import Reply
from .attacks import BEHIND_STARTTLS, LINE_ENDS, SMUGGLING
from .server_checks import Target, listening
from .socket_client import SocketClient

__all__ = ["AttackTests"]

_CLOSING = (221, 421)


class AttackTests:
    """The tests; subclass it and name the server.

    Attributes:
        server: what makes a handler, such as its class, or the host and the port of a server on
            loopback.  A handler is served over TCP, with TLS on request.
        sender, recipient: addresses that the server accepts in MAIL and RCPT.
        patience: how long to wait for a reply, in seconds.
    """

    server: Target
    sender = "a@example.com"
    recipient = "postmaster"
    patience = 5.0

    _listening: ClassVar[AbstractContextManager[tuple[str, int]]]
    _address: ClassVar[tuple[str, int]]

    @classmethod
    def setup_class(cls) -> None:
        """Serve the handler, if it is one."""
        server = getattr(cls, "server", None)
        if not callable(server) and not isinstance(server, tuple):
            raise TypeError(
                f"{cls.__name__}.server: expected what makes a handler, or a host and a port such "
                f"as ('127.0.0.1', 8025), found {server!r}"
            )
        cls._listening = listening(server)
        cls._address = cls._listening.__enter__()

    @classmethod
    def teardown_class(cls) -> None:
        """Stop."""
        cls._listening.__exit__(None, None, None)

    @pytest.fixture
    def client(self) -> Iterator[SocketClient]:
        """A client that has read the greeting."""
        with SocketClient(*self._address, patience=self.patience) as client:
            yield client

    @pytest.fixture
    def offered(self, client: SocketClient) -> list[str]:
        """The keywords that the server offers."""
        return _keywords(client.say("EHLO client.example"))

    @pytest.mark.parametrize("sequence", SMUGGLING, ids=repr)
    @pytest.mark.usefixtures("offered")
    def test_one_message_stays_one(self, client: SocketClient, sequence: bytes) -> None:
        """What is not CRLF.CRLF does not end the content after DATA."""
        self._envelope(client)
        assert client.say("DATA").code == 354
        replies = client.send(b"text" + sequence + self._smuggled() + b"\r\n.\r\nQUIT\r\n")
        _expect_one(replies, "the message has two ends")

    @pytest.mark.parametrize("sequence", SMUGGLING, ids=repr)
    def test_one_chunk_stays_one(
        self, client: SocketClient, offered: list[str], sequence: bytes
    ) -> None:
        """Nothing but its size ends the content after BDAT (RFC 3030)."""
        if "CHUNKING" not in offered:
            pytest.skip("the server does not offer CHUNKING")
        self._envelope(client)
        content = b"text" + sequence + self._smuggled() + b"\r\n.\r\n"
        replies = client.send(b"BDAT %d LAST\r\n%b" % (len(content), content), b"QUIT\r\n")
        _expect_one(replies, "the chunk has an end within it")

    @pytest.mark.parametrize("end", LINE_ENDS, ids=repr)
    @pytest.mark.usefixtures("offered")
    def test_one_line_stays_one(self, client: SocketClient, end: bytes) -> None:
        """Only CRLF ends a command."""
        replies = client.send(b"NOOP" + end + b"RSET\r\nQUIT\r\n")
        _expect_one(replies, "the line is two commands")

    @pytest.mark.parametrize("octets", BEHIND_STARTTLS, ids=repr)
    def test_nothing_in_plain_text_survives_starttls(
        self, client: SocketClient, offered: list[str], octets: bytes
    ) -> None:
        """What was put behind STARTTLS is not answered inside TLS (RFC 3207 section 6)."""
        if "STARTTLS" not in offered:
            pytest.skip("the server does not offer STARTTLS")
        replies = client.send(b"STARTTLS\r\n" + octets, replies=1)
        if replies and replies[0].code == 220 and client.start_tls():
            replies = client.send(b"QUIT\r\n")
            found = [reply for reply in replies if reply.code not in _CLOSING]
            assert found == [], f"plain text was obeyed inside TLS: {_shown(found)}"
        else:
            assert client.closed or not any(reply.positive for reply in replies)

    def _envelope(self, client: SocketClient) -> None:
        """Begin a mail transaction."""
        for line in self._envelope_lines():
            reply = client.say(line)
            assert reply.positive, f"{line}: the server says {reply}; set `sender` or `recipient`"

    def _envelope_lines(self) -> tuple[str, str]:
        return f"MAIL FROM:<{self.sender}>", f"RCPT TO:<{self.recipient}>"

    def _smuggled(self) -> bytes:
        """The message that the attack hides within the first one."""
        return "\r\n".join([*self._envelope_lines(), "DATA", "Subject: smuggled"]).encode()


def _keywords(reply: Reply) -> list[str]:
    assert reply.positive, f"the server says {reply} to EHLO"
    return [line.split()[0].upper() for line in reply.lines[1:] if line]


def _expect_one(replies: list[Reply], fault: str) -> None:
    """Expect one reply, and the end of the session behind it or in its place."""
    assert replies, "the server sends no reply"
    others = [reply for reply in replies[1:] if reply.code not in _CLOSING]
    assert others == [], f"{fault}: {_shown(replies)}"


def _shown(replies: list[Reply]) -> str:
    return "".join(f"\nS: {reply}" for reply in replies)
