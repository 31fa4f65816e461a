"""Failing examples shrink to what a person would write, and are printed as C: lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from smtpproto import Protocol
from smtpproto.testing import converse
from smtpproto.testing import strategies as smtp
from smtpproto.testing.strategies import ClientSession, Cuts

# The phase `explain` follows every line: it takes most of the time, and changes no example.
SHRINK = settings(
    phases=[Phase.generate, Phase.shrink], max_examples=300, derandomize=True, deadline=None
)


@pytest.mark.parametrize(
    "strategy, simplest",
    [
        (smtp.domains(), "example.com"),
        (smtp.domains(smtputf8=True), "example.com"),
        (smtp.address_literals(), "[192.0.2.1]"),
        (smtp.names(), "example.com"),
        (smtp.local_parts(smtputf8=True), "a"),
        (smtp.mailboxes(smtputf8=True), "a@example.com"),
        (smtp.reverse_paths(), "<a@example.com>"),
        (smtp.forward_paths(smtputf8=True), "<a@example.com>"),
        (smtp.mails(smtp.offers()), "MAIL FROM:<a@example.com>"),
        (smtp.contents(bare=True), "b'hello\\r\\n'"),
        (smtp.hostile_replies(), "b'250 OK\\r\\n'"),
        (smtp.cuts(), "Cuts()"),
        (smtp.segmentations(b"octets"), "[b'octets']"),
        (smtp.mutated(st.just(b"undamaged")), "b'undamaged'"),
    ],
)
def test_the_simplest_value(strategy: st.SearchStrategy[Any], simplest: str) -> None:
    assert str(find(strategy, lambda value: True, settings=SHRINK)) == simplest


@pytest.mark.parametrize("extensions", [None, ()])
@pytest.mark.parametrize("protocol, hello", [(Protocol.SMTP, "EHLO"), (Protocol.LMTP, "LHLO")])
def test_the_simplest_session(extensions: tuple[()] | None, protocol: Protocol, hello: str) -> None:
    sessions = smtp.sessions(extensions, protocol=protocol)
    assert str(find(sessions, lambda session: True, settings=SHRINK)).splitlines() == [
        f"C: {hello} example.com",
        "C: MAIL FROM:<a@example.com>",
        "C: RCPT TO:<a@example.com>",
        "C: DATA",
        r"C: b'hello\r\n.\r\n'",
    ]


class Overwriting:
    """A handler whose second message takes the place of the first."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def message(self, session: object, envelope: object, content: bytes) -> None:
        self.messages = [content]


class Crashing(Overwriting):
    """A handler that breaks at a line that begins with a dot."""

    def message(self, session: object, envelope: object, content: bytes) -> None:
        assert not any(line.startswith(b".") for line in content.split(b"\r\n")), "crash"


def notes(test: Callable[[], None]) -> list[str]:
    """What hypothesis prints for a test that fails."""
    with pytest.raises(AssertionError) as raised:
        test()
    # Hypothesis sets it on Python 3.10, too.
    found: list[str] = vars(raised.value)["__notes__"]
    return "\n".join(found).splitlines()


def printed(test: Callable[[], None]) -> list[str]:
    """The same, without what hypothesis says itself."""
    return [line for line in map(str.strip, notes(test)) if line.startswith(("C: ", "cuts"))]


def test_a_message_that_overwrites_another_takes_ten_lines() -> None:
    @SHRINK
    @given(session=smtp.sessions(), cuts=smtp.cuts())
    def each_message_arrives(session: ClientSession, cuts: Cuts) -> None:
        handler = Overwriting()
        converse(handler, cuts(session.octets), extensions=smtp.offers())
        assert len(handler.messages) == len(session.messages)

    message = [
        "C: MAIL FROM:<a@example.com>",
        "C: RCPT TO:<a@example.com>",
        "C: DATA",
        r"C: b'hello\r\n.\r\n'",
    ]
    assert printed(each_message_arrives) == [
        "C: EHLO example.com",
        *message,
        *message,
        "cuts=Cuts(),",
    ]


def test_a_crash_takes_five_lines() -> None:
    @SHRINK
    @given(session=smtp.sessions())
    def nothing_breaks(session: ClientSession) -> None:
        converse(Crashing(), session.octets, extensions=smtp.offers())

    assert printed(nothing_breaks) == [
        "C: EHLO example.com",
        "C: MAIL FROM:<a@example.com>",
        "C: RCPT TO:<a@example.com>",
        "C: DATA",
        r"C: b'..\r\n.\r\n'",
    ]


def test_damaged_octets_are_printed_line_by_line() -> None:
    @SHRINK
    @given(octets=smtp.mutated(smtp.sessions().map(lambda session: session.octets)))
    def nothing_breaks(octets: bytes) -> None:
        assert b"MAIL" not in octets

    lines = "\n".join(line.strip() for line in notes(nothing_breaks))
    assert "octets=(\nb'EHLO example.com\\r\\n'\nb'MAIL FROM:<a@example.com>\\r\\n'\n" in lines


def test_long_runs_of_an_octet_are_printed_in_short() -> None:
    lines = (b"DATA\r\n", b"a" * 998 + b"\r\n.\r\n")
    assert str(ClientSession(b"".join(lines), (), (), lines)).splitlines() == [
        "C: DATA",
        r"C: b'a' * 998 + b'\r\n.\r\n'",
    ]
