"""Parameters of MAIL and RCPT: RFC 5321 section 4.1.2, esmtp-param."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.errors import LocalProtocolError
from smtpproto.vocabulary.parameters import (
    Parameter,
    UnknownParameter,
    format_parameters,
    parse_parameters,
)


@dataclass(frozen=True, slots=True)
class Colour(Parameter):
    """A parameter as an extension would bring it: with a value from a list, or without one."""

    keyword = "XCOLOUR"
    name: str | None

    def value(self) -> str | None:
        return self.name

    @classmethod
    def parse(cls, value: str | None) -> Colour:
        if value not in {None, "red", "blue"}:
            raise LocalProtocolError("no such colour", code=555)
        return cls(value)


KNOWN: dict[str, type[Parameter]] = {"XCOLOUR": Colour}


@pytest.mark.parametrize(
    "text,parameters",
    [
        ("SIZE=1000", (UnknownParameter("SIZE", "1000"),)),
        ("SMTPUTF8", (UnknownParameter("SMTPUTF8"),)),
        ("size=1 x-b", (UnknownParameter("size", "1"), UnknownParameter("x-b"))),
        ("XCOLOUR=red", (Colour("red"),)),
        ("xColour=blue", (Colour("blue"),)),
        ("XCOLOUR", (Colour(None),)),
        ("8=1 XCOLOUR", (UnknownParameter("8", "1"), Colour(None))),
    ],
)
def test_parsing(text: str, parameters: tuple[Parameter, ...]) -> None:
    assert parse_parameters(text, KNOWN) == parameters


@pytest.mark.parametrize(
    "text,message",
    [
        ("", "expected the keyword of a parameter, found ''"),
        (" ", "expected the keyword of a parameter, found ''"),
        ("SIZE=1 ", "expected the keyword of a parameter, found ''"),
        ("SIZE=1  BODY=7BIT", "expected the keyword of a parameter, found ''"),
        ("=1", "expected the keyword of a parameter, found ''"),
        ("-a", "expected the keyword of a parameter, found '-a'"),
        ("SIZE\r\nRSET", r"found 'SIZE\r\nRSET'"),
        ("ſize=1", r"found '\u017fize'"),
        ("SIZE=", "SIZE: expected printable characters without '=' and spaces after '=', found ''"),
        ("SIZE=1=2", "found '1=2'"),
        ("SIZE=\t", r"found '\t'"),
        ("XNAME=ü", r"found '\xfc'"),
        ("SIZE=1 size=2", "the parameter SIZE stands there twice"),
        ("XCOLOUR XCOLOUR=red", "the parameter XCOLOUR stands there twice"),
        ("K" * 100 + "_", "found '" + "K" * 64 + "'"),
    ],
)
def test_what_is_no_list_of_parameters(text: str, message: str) -> None:
    with pytest.raises(LocalProtocolError) as refusal:
        parse_parameters(text, KNOWN)
    assert message in str(refusal.value)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.4")


def test_an_extension_refuses_values_with_its_own_code() -> None:
    with pytest.raises(LocalProtocolError, match="no such colour") as refusal:
        parse_parameters("XCOLOUR=green", KNOWN)
    assert refusal.value.code == 555


def test_values_hold_utf8_when_it_is_in_use() -> None:
    assert parse_parameters("XNAME=ü", {}, utf8=True) == (UnknownParameter("XNAME", "ü"),)
    with pytest.raises(LocalProtocolError, match="XNAME"):
        parse_parameters("XNAME=ü\x85", {}, utf8=True)


@pytest.mark.parametrize(
    "name,text",
    [
        ("", None),
        ("A B", None),
        ("A=1", None),
        ("A", ""),
        ("A", "1 B=2"),
        ("A", "1\r\n"),
        ("A", "\0"),
    ],
)
def test_an_unknown_parameter_smuggles_nothing(name: str, text: str | None) -> None:
    with pytest.raises(LocalProtocolError, match=r"section 4\.1\.2"):
        UnknownParameter(name, text)


def test_formatting() -> None:
    assert format_parameters(()) == ""
    assert (
        format_parameters((UnknownParameter("size", "1"), UnknownParameter("X"), Colour("red")))
        == " size=1 X XCOLOUR=red"
    )
    assert str(Colour(None)) == "XCOLOUR"


def test_an_unknown_parameter_gives_its_value() -> None:
    assert UnknownParameter("A", "1").value() == "1"
    assert UnknownParameter("A").value() is None


def test_the_base_class_leaves_value_and_parse_to_its_subclasses() -> None:
    with pytest.raises(NotImplementedError):
        Parameter().value()
    with pytest.raises(NotImplementedError):
        Parameter.parse(None)


keywords = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,8}", fullmatch=True)
values = st.none() | st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="="), min_size=1
)
parameters = st.lists(
    st.builds(UnknownParameter, keywords, values)
    | st.builds(Colour, st.sampled_from([None, "red"])),
    min_size=1,
    unique_by=lambda p: str(p).partition("=")[0].upper(),
).map(tuple)


@given(st.text(st.characters()), st.booleans())
def test_any_text_gives_parameters_or_one_error(text: str, utf8: bool) -> None:
    try:
        parsed = parse_parameters(text, KNOWN, utf8=utf8)
    except LocalProtocolError:
        return
    assert format_parameters(parsed)[1:] == text
