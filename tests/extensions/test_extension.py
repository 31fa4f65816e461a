"""What all service extensions share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError, Noop, Reply, Session, UnknownParameter
from smtpproto.extensions import Extension, Flag, TransactionOver, UnknownExtension
from smtpproto.extensions.extension import split_line


@dataclass(frozen=True, slots=True)
class Plain(Extension):
    keyword = "X-PLAIN"


@dataclass(frozen=True, slots=True)
class Coloured(Extension):
    keyword = "X-COLOUR"
    name: str = "blue"

    def arguments(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Loud(Flag):
    keyword = "LOUD"


def test_what_an_extension_does_that_says_nothing_of_it() -> None:
    session, extension = Session(peer="192.0.2.1"), Plain()
    assert extension.arguments() == ""
    assert extension.offer(session) is extension
    assert Plain.parse_offer("anything") == extension
    assert extension.covers(UnknownParameter("X"))
    assert extension.check(Noop(), session, None) is None
    assert extension.demand(Noop(), session) is None
    assert extension.check_content(10**9, session) is None
    assert Plain.after(TransactionOver(), session) is session
    reply = Reply(250, "", "äöü")
    assert extension.fit_reply(reply, Noop(), None) is reply


def test_extensions_stay_small() -> None:
    assert not hasattr(Plain(), "__dict__")
    assert not hasattr(Loud(), "__dict__")


@pytest.mark.parametrize(
    "extension, line",
    [
        (Plain(), "X-PLAIN"),
        (Coloured("red"), "X-COLOUR red"),
        (Coloured(""), "X-COLOUR"),
        (UnknownExtension("x-Else"), "x-Else"),
        (UnknownExtension("X-ELSE", "a  b"), "X-ELSE a  b"),
    ],
)
def test_ehlo_lines(extension: Extension, line: str) -> None:
    assert extension.line() == line


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}", fullmatch=True), st.text())
def test_lines_are_read_as_they_are_written(name: str, text: str) -> None:
    text = text.strip(" ")
    assert split_line(UnknownExtension(name, text).line()) == (name, text)


@pytest.mark.parametrize("line", ["", " ", "-X", "X_Y", "X=Y Z", "ÄRA", ".", "X\tY"])
def test_lines_without_a_keyword(line: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected an EHLO keyword"):
        split_line(line)


def test_spaces_around_a_line_count_for_nothing() -> None:
    assert split_line("  SIZE   1000 ") == ("SIZE", "1000")


def test_flags() -> None:
    assert str(Loud()) == "LOUD"
    assert Loud.parse(None) == Loud()
    for value in ("", "very"):
        with pytest.raises(LocalProtocolError, match="LOUD: expected no value"):
            Loud.parse(value)
