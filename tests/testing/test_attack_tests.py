"""The published attacks find what is wrong with a careless server, and nothing with ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smtpproto.testing.attack_tests import AttackTests
from smtpproto.testing.server_checks import listening
from smtpproto.testing.socket_client import SocketClient
from tests.testing.careless import careless


class Accepting:
    """A handler that takes every message."""

    def message(self, session: object, envelope: object, content: bytes) -> None:
        """Take it."""


class TestAHandler(AttackTests):
    server = Accepting


@pytest.fixture
def client() -> Iterator[SocketClient]:
    """A client of a careless server."""
    with careless() as address, SocketClient(*address) as client:
        client.say("EHLO client.example")
        yield client


OFFERED = ["CHUNKING", "STARTTLS"]


@pytest.mark.parametrize(
    "name, arguments, finding",
    [
        (
            "test_one_message_stays_one",
            [b"\n.\n"],
            r"two ends: \nS: 250 OK\nS: 250 OK\nS: 250 OK\nS: 35",
        ),
        ("test_one_chunk_stays_one", [OFFERED, b"\r\n.\n"], "the chunk has an end within it"),
        ("test_one_line_stays_one", [b"\n"], "the line is two commands"),
        (
            "test_nothing_in_plain_text_survives_starttls",
            [OFFERED, b"RSET\r\n"],
            r"obeyed inside TLS: \nS: 250 OK",
        ),
    ],
)
def test_each_fault_is_found(
    client: SocketClient, name: str, arguments: list[object], finding: str
) -> None:
    with pytest.raises(AssertionError, match=finding):
        getattr(AttackTests(), name)(client, *arguments)


def test_what_the_careless_server_does_not_take_for_an_end_is_no_finding(
    client: SocketClient,
) -> None:
    AttackTests().test_one_message_stays_one(client, b"\r.\r")


@pytest.mark.parametrize(
    "name", ["test_one_chunk_stays_one", "test_nothing_in_plain_text_survives_starttls"]
)
def test_what_is_not_offered_is_skipped(client: SocketClient, name: str) -> None:
    with pytest.raises(pytest.skip.Exception, match="does not offer"):
        getattr(AttackTests(), name)(client, [], b"")


@pytest.mark.parametrize("attributes", [{}, {"server": "127.0.0.1:8025"}])
def test_the_server_has_to_be_one(attributes: dict[str, str]) -> None:
    tests: type[AttackTests] = type("TestMine", (AttackTests,), attributes)
    with pytest.raises(TypeError, match=r"TestMine.server: expected what makes a handler, or a"):
        tests.setup_class()


def test_a_client_says_octets_too(client: SocketClient) -> None:
    assert client.say(b"NOOP").code == client.say("NOOP").code == 250


def test_a_recipient_that_is_refused_is_said() -> None:
    class Refusing(Accepting):
        def rcpt(self, session: object, rcpt: object) -> bool:
            return False

    with listening(Refusing) as address, SocketClient(*address) as client:
        client.say("EHLO client.example")
        with pytest.raises(AssertionError, match=r"RCPT TO:<postmaster>: .*set `sender` or"):
            AttackTests().test_one_message_stays_one(client, b"")
