"""Segmentation invariance of a handler, and of a server at a port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from smtpproto import Reply
from smtpproto.testing import strategies as smtp
from smtpproto.testing.server_checks import check_segmentation_invariance, listening
from smtpproto.testing.socket_client import SocketClient
from smtpproto.testing.strategies import ClientSession, Cuts
from tests.testing.careless import Hasty, careless
from tests.testing.test_attack_tests import Accepting

SESSION = b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n"


@given(session=smtp.sessions(), cuts=smtp.cuts())
@settings(max_examples=20)
def test_a_handler(session: ClientSession, cuts: Cuts) -> None:
    check_segmentation_invariance(Accepting, session.octets, cuts, extensions=smtp.offers())


def test_a_port() -> None:
    with listening(Accepting) as address:
        check_segmentation_invariance(address, SESSION)
        check_segmentation_invariance(address, SESSION, Cuts(7, 1, 30))


class Counting:
    """Accepts all, but its texts and messages depend on the segments."""

    def content(self, session: Any, envelope: Any, chunks: Iterator[bytes]) -> Reply:
        return Reply(250, "2.0.0", f"{len(list(chunks))} chunks")


def test_a_handler_whose_texts_depend_on_the_segments_is_found() -> None:
    with pytest.raises(
        AssertionError, match=r"C: \.\nS: 250 2\.0\.0 1 chunks\n(.*\n)*S: .* 3 chunks"
    ):
        check_segmentation_invariance(Counting, SESSION)


def test_a_server_that_takes_segments_for_lines_is_found() -> None:
    with (
        careless(Hasty) as address,
        pytest.raises(AssertionError, match=r"at once:\nS: 220\nS: 250\nin the segments \[b'NOOP"),
    ):
        check_segmentation_invariance(
            address, b"NOOP\r\nNOOP\r\n", Cuts(6), patience=0.5, pause=0.2
        )


def test_a_server_elsewhere_is_not_attacked() -> None:
    with pytest.raises(ValueError, match=r"expected a server on loopback, found 192\.0\.2\.1"):
        SocketClient("192.0.2.1", 25)


def test_a_reply_that_does_not_come_is_said() -> None:
    with careless() as address, SocketClient(*address, patience=0.05) as client:
        client.say("DATA")
        with pytest.raises(AssertionError, match="no reply to 'text'"):
            client.say("text")


def test_a_port_where_no_server_listens_is_named() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = bound.getsockname()
        where = f"no connection to 127.0.0.1 port {address[1]}: Connection refused"
        with pytest.raises(ConnectionRefusedError, match=where):
            check_segmentation_invariance(address, SESSION)
