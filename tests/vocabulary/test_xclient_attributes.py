"""The attributes of XCLIENT and XFORWARD."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError, Session
from smtpproto.vocabulary.command_base import Grammar
from smtpproto.vocabulary.command_parser import parse
from smtpproto.vocabulary.xclient_attributes import (
    AttributeCommand,
    Speaker,
    Unavailable,
    ip_address,
    merged,
    speaker,
)


@dataclass(frozen=True, slots=True)
class XTry(AttributeCommand):
    verb = "XTRY"
    temporary = frozenset({"NAME"})


GRAMMAR = Grammar({"XTRY": XTry})
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255)
ATTRIBUTES = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z0-9-]{0,9}", fullmatch=True).filter(lambda n: not n.endswith("PORT")),
    TEXTS.filter(lambda text: text.upper() not in ("[UNAVAILABLE]", "[TEMPUNAVAIL]"))
    | st.just(Unavailable.PERMANENT),
    min_size=1,
    max_size=5,
)


@given(ATTRIBUTES)
def test_what_is_written_is_read_again(attributes: dict[str, str | Unavailable]) -> None:
    command = XTry(tuple(attributes.items()))
    assert parse(command.line().encode(), GRAMMAR) == command


@pytest.mark.parametrize(
    "line, attributes",
    [
        ("xtry name=a.example addr=192.0.2.1", (("NAME", "a.example"), ("ADDR", "192.0.2.1"))),
        ("XTRY HELO=a+2Bb", (("HELO", "a+b"),)),
        ("XTRY NAME=[Unavailable]", (("NAME", Unavailable.PERMANENT),)),
        ("XTRY NAME=[tempunavail]", (("NAME", Unavailable.TEMPORARY),)),
        ("XTRY  PORT=25", (("PORT", "25"),)),
    ],
)
def test_attributes(line: str, attributes: object) -> None:
    assert parse(line.encode(), GRAMMAR) == XTry(attributes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line, reason",
    [
        ("XTRY", "one or more attributes, each of them once"),
        ("XTRY NAME=a NAME=b", "one or more attributes, each of them once"),
        ("XTRY NAME", "expected name=value"),
        ("XTRY =a", "the name of an attribute"),
        ("XTRY N.A=a", "the name of an attribute"),
        ("XTRY NAME=", "visible ASCII characters for NAME"),
        ("XTRY NAME=a+20b", "visible ASCII characters for NAME"),
        ("XTRY NAME=a+0D+0Ab", "visible ASCII characters for NAME"),
        ("XTRY NAME=+C3+A4", "visible ASCII characters for NAME"),
        (f"XTRY NAME={'a' * 256}", "visible ASCII characters for NAME"),
        ("XTRY NAME=+5BUNAVAILABLE]", "visible ASCII characters for NAME"),
        ("XTRY NAME=a+b", "expected xtext"),
        ("XTRY PORT=smtp", "0 to 65535 for PORT"),
        ("XTRY DESTPORT=65536", "0 to 65535 for DESTPORT"),
        ("XTRY HELO=[TEMPUNAVAIL]", "a value of HELO or [UNAVAILABLE]"),
    ],
)
def test_malformed_attributes(line: str, reason: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse(line.encode(), GRAMMAR)
    assert reason in str(caught.value)
    assert caught.value.code == 501


def test_names_are_in_upper_case() -> None:
    with pytest.raises(LocalProtocolError, match="the name of an attribute"):
        XTry((("name", "a"),))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_nothing_else_escapes(text: str) -> None:
    with contextlib.suppress(LocalProtocolError):
        XTry.parse(text, GRAMMAR)


@pytest.mark.parametrize(
    "text, address",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("IPV6:2001:db8::1", "2001:db8::1"),
        ("ipv6:2001:DB8:0::1", "2001:db8::1"),
        ("2001:db8::1", None),
        ("IPV6:192.0.2.1", None),
        ("IPV6:fe80::1%eth0", None),
        ("[192.0.2.1]", None),
        ("a.example", None),
    ],
)
def test_ip_addresses(text: str, address: str | None) -> None:
    assert ip_address(text) == address


def test_who_speaks() -> None:
    session = Session(peer="192.0.2.1")
    assert speaker(session) == "192.0.2.1"
    assert speaker(session.with_fact(Speaker("127.0.0.1"))) == "127.0.0.1"


def test_later_attributes_count() -> None:
    before = (("NAME", "a"), ("HELO", "b"))
    assert merged(before, (("NAME", "c"),)) == (("NAME", "c"), ("HELO", "b"))
