"""The transmission channel: a socket that never waits, with and without TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest
import trustme

from smtpproto.adapters import tls_contexts
from smtpproto.adapters.nonblocking_channel import NO_HANDSHAKE, Channel, HandshakeSettings

CA = trustme.CA()
SERVER = tls_contexts.ServerContext()
CA.issue_cert("mx.example.org").configure_cert(SERVER)
TRUSTING = tls_contexts.client_context()
CA.configure_trust(TRUSTING)


@contextlib.contextmanager
def channels(client: ssl.SSLContext = TRUSTING) -> Iterator[tuple[Channel, Channel]]:
    """A client's and a server's, connected."""
    one, other = socket.socketpair()
    with one, other:
        yield (
            Channel(one, HandshakeSettings(client, "mx.example.org")),
            Channel(other, HandshakeSettings(SERVER)),
        )


def shake_hands(one: Channel, other: Channel) -> None:
    begun = [False, False]
    while not all(begun):
        for index, each in enumerate((one, other)):
            begun[index] = begun[index] or each.shake_hands() is not None


def move(one: Channel, other: Channel, size: int) -> bytes:
    """Push on one side and read on the other until so much has come."""
    octets = b""
    while len(octets) < size:
        one.push()
        octets += other.read(65536) or b""
    return octets


@pytest.mark.parametrize("secure", [False, True])
def test_octets_arrive_as_they_were_sent(*, secure: bool) -> None:
    octets = bytes(range(256)) * 8192
    with channels() as (one, other):
        if secure:
            shake_hands(one, other)
        assert one.read(100) is None
        one.put(octets)
        assert one.push()
        assert one.unsent
        one.put(b"more")
        other.put(b"an answer")
        assert move(one, other, len(octets) + 4) == octets + b"more"
        assert not one.unsent
        assert not one.push()
        assert move(other, one, 9) == b"an answer"


@pytest.mark.parametrize("politely", [False, True])
@pytest.mark.parametrize("secure", [False, True])
def test_the_end(*, secure: bool, politely: bool) -> None:
    """A word about it is sent within TLS; without one it is an end as well."""
    with channels() as (one, other):
        if secure:
            shake_hands(one, other)
            # What is left unread resets the connection: the session tickets of TLS 1.3.
            assert one.read(100) is None
        one.put(b"last words")
        one.push()
        if politely:
            one.say_goodbye()
        one.sock.close()
        assert move(other, other, 10) == b"last words"
        assert other.read(100) == b""
        assert other.read(100) == b""
        other.say_goodbye()


@pytest.mark.parametrize("secure", [False, True])
def test_what_is_cut_off_ends(*, secure: bool) -> None:
    """Nothing that the peer says afterwards is read, above all not as plain text."""
    with channels() as (one, other):
        if secure:
            shake_hands(one, other)
        other.cut()
        one.put(b"too late")
        with contextlib.suppress(OSError):
            one.push()
        assert other.read(100) == b""
        other.cut()


def test_why_a_handshake_fails_is_told_to_the_peer() -> None:
    with channels(tls_contexts.client_context()) as (one, other):
        one.shake_hands()
        other.shake_hands()
        with pytest.raises(ssl.SSLCertVerificationError):
            one.shake_hands()
        with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
            other.shake_hands() or other.read(100)


def test_a_handshake_without_a_context() -> None:
    one, other = socket.socketpair()
    with one, other, pytest.raises(OSError, match="needs a context"):
        Channel(one, NO_HANDSHAKE).shake_hands()


def test_no_goodbye_lets_what_is_unsent_leave() -> None:
    """It may be the end of content that was told to have failed."""
    with channels() as (one, other):
        shake_hands(one, other)
        one.put(b"x" * 10_000_000)
        assert one.push()
        came = other.read(65536)
        unsent = len(one.unsent)
        assert came
        assert unsent
        one.say_goodbye()
        assert len(one.unsent) == unsent
