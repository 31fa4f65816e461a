"""DSN: what its parameters mean, and that they are passed on as they came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import ForwardPath, LocalProtocolError, Mail, Rcpt, ReversePath
from smtpproto.extensions import (
    Dsn,
    EightBitMime,
    Envid,
    Notify,
    Orcpt,
    Ret,
    SmtpUtf8,
    SmtpUtf8Parameter,
)
from smtpproto.testing import Pair
from smtpproto.vocabulary.parameters import Parameter
from tests.commands import longest_line

A = ReversePath.of("a@client.example")
B = ForwardPath.of("b@mx.example")

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
LETTERS = st.text(
    st.characters(min_codepoint=0xA0, exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30
)


def written(parameter: Parameter) -> tuple[str, str | None]:
    keyword, equals, value = str(parameter).partition("=")
    return keyword, value if equals else None


def refusal(kind: type[Parameter], value: str | None) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        kind.parse(value)
    assert caught.value.code == 501
    return str(caught.value)


# --- round trips ------------------------------------------------------------------------------


@given(PRINTABLE.filter(bool))
def test_envelope_identifiers_mean_the_text(text: str) -> None:
    assert Envid.of(text).text == text


@given(PRINTABLE)
def test_original_recipients_mean_the_address(address: str) -> None:
    assert Orcpt.of(address).address == address


@given(LETTERS, PRINTABLE, st.booleans())
def test_original_recipients_in_other_scripts(letters: str, printable: str, smtputf8: bool) -> None:
    address = letters + printable
    parameter = Orcpt.of(address, "UTF-8", smtputf8=smtputf8)
    assert parameter.address == address
    assert smtputf8 or str(parameter).isascii()
    assert not set(parameter.value()) & set(" =+")


@given(st.text(max_size=40), st.sampled_from([Notify, Ret, Envid, Orcpt]))
def test_nothing_else_escapes(value: str, kind: type[Parameter]) -> None:
    for text in (value, f"rfc822;{value}", f"utf-8;{value}"):
        try:
            parameter = kind.parse(text)
        except LocalProtocolError:
            continue
        assert written(parameter) == (kind.keyword, text)


# --- NOTIFY -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, never, success, delay",
    [
        ("NEVER", True, False, False),
        ("never", True, False, False),
        ("SUCCESS", False, True, False),
        ("Failure,delay", False, False, True),
        ("DELAY,SUCCESS,FAILURE", False, True, True),
    ],
)
def test_notify(value: str, never: bool, success: bool, delay: bool) -> None:
    notify = Notify.parse(value)
    assert (notify.never, notify.on("SUCCESS"), notify.on("delay")) == (never, success, delay)
    assert notify.value() == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "ALWAYS",
        "NEVER,SUCCESS",
        "SUCCESS,NEVER",
        "NEVER,NEVER",
        "SUCCESS,SUCCESS",
        "SUCCESS,success",
        "SUCCESS,",
        ",SUCCESS",
        "SUCCESS FAILURE",
        "\N{LATIN SMALL LETTER LONG S}uccess",
    ],
)
def test_malformed_notify(value: str | None) -> None:
    assert "NOTIFY: expected NEVER, or" in refusal(Notify, value)


# --- RET --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value, full", [("FULL", True), ("hdrs", False), ("Full", True)])
def test_ret(value: str, full: bool) -> None:
    assert Ret.parse(value).full is full
    assert Ret.parse(value).value() == value


@pytest.mark.parametrize("value", [None, "", "HEADERS", "FULL,HDRS"])
def test_malformed_ret(value: str | None) -> None:
    assert "RET: expected FULL or HDRS" in refusal(Ret, value)


# --- ENVID ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, text",
    [("QQ314159", "QQ314159"), ("a+20b+3Dc", "a b=c"), ("+41", "A"), ("+09", "\t"), ("~", "~")],
)
def test_envid(value: str, text: str) -> None:
    """An encoding that was not necessary is kept."""
    assert Envid.parse(value).text == text
    assert Envid.parse(value).value() == value


@pytest.mark.parametrize(
    "value", ["+", "+2", "+2b", "a=b", "a b", "é", "+C3+A9", "+0D+0A", "+00", "+7F", "+FF"]
)
def test_malformed_envid(value: str) -> None:
    assert "xtext" in refusal(Envid, value)


@pytest.mark.parametrize("value", [None, "", "x" * 101])
def test_length_of_envid(value: str | None) -> None:
    assert "ENVID: expected 1 to 100 characters" in refusal(Envid, value)
    Envid("x" * 100)


# --- ORCPT ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, kind, address",
    [
        ("rfc822;b@mx.example", "rfc822", "b@mx.example"),
        ("RFC822;B+2Bc@MX.example", "RFC822", "B+c@MX.example"),
        ("rfc822;", "rfc822", ""),
        ("rfc822;a;b", "rfc822", "a;b"),
        ("x400;/PN=".replace("=", "+3D") + "Jo/", "x400", "/PN=Jo/"),
        ("utf-8;jos\\x{E9}\\x{2B}x@mx.example", "utf-8", "josé+x@mx.example"),
        ("UTF-8;josé@mx.example", "UTF-8", "josé@mx.example"),
        ("utf-8;\\x{5C}\\x{20}\\x{3D}\\x{1F4E7}\\x{10FFFF}", "utf-8", "\\ =\U0001f4e7\U0010ffff"),
        ("utf-8;jos\\x{e9}", "utf-8", "josé"),
    ],
)
def test_orcpt(value: str, kind: str, address: str) -> None:
    parameter = Orcpt.parse(value)
    assert (parameter.kind, parameter.address) == (kind, address)
    assert parameter.value() == value


@pytest.mark.parametrize(
    "value, complaint",
    [
        (None, "the type of an address"),
        ("", "the type of an address"),
        ("b@mx.example", "the type of an address"),
        (";b", "the type of an address"),
        ("a.b;c", "the type of an address"),
        ("é;c", "the type of an address"),
        ("rfc822;+2b", "expected xtext"),
        ("rfc822;é", "expected xtext"),
        ("rfc822;+C3+A9", "printable ASCII"),
        ("rfc822;+0D+0ABcc:", "printable ASCII"),
        ("utf-8;a+b", "RFC 6533"),
        ("utf-8;a b", "RFC 6533"),
        ("utf-8;a\\b", "RFC 6533"),
        ("utf-8;\\x{41}", "RFC 6533"),
        ("utf-8;\\x{7F}", "RFC 6533"),
        ("utf-8;\\x{0A}", "RFC 6533"),
        ("utf-8;\\x{85}", "RFC 6533"),
        ("utf-8;\\x{2028}", "RFC 6533"),
        ("utf-8;\\x{D800}", "RFC 6533"),
        ("utf-8;\\x{110000}", "RFC 6533"),
        ("utf-8;\\x{00E9}", "RFC 6533"),
        ("utf-8;\\x{E9", "RFC 6533"),
        ("utf-8;\\x{1234567}", "RFC 6533"),
        ("utf-8;\u2028", "RFC 6533"),
        ("utf-8;\x85", "RFC 6533"),
        ("rfc822;" + "x" * 494, "at most 500 characters, found 501"),
    ],
)
def test_malformed_orcpt(value: str | None, complaint: str) -> None:
    assert complaint in refusal(Orcpt, value)


def test_which_form_an_address_gets() -> None:
    of = Orcpt.of
    assert str(of("b+c@mx.example")) == "ORCPT=rfc822;b+2Bc@mx.example"
    assert str(of("josé+c@mx")) == "ORCPT=utf-8;jos\\x{E9}\\x{2B}c@mx"
    assert str(of("josé+c@mx", smtputf8=True)) == "ORCPT=utf-8;josé\\x{2B}c@mx"
    with pytest.raises(LocalProtocolError):
        of("a\r\nb")
    with pytest.raises(LocalProtocolError):
        of("é\r\nb")
    Orcpt("rfc822", "x" * 493)


# --- in a session -----------------------------------------------------------------------------


def test_all_of_them() -> None:
    both = Pair.offering(Dsn()).hello()
    mail = Mail(A, (Ret("hdrs"), Envid("x" * 100)))
    longest = Orcpt("rfc822", "x" * 493)
    rcpt = Rcpt(B, (Notify(("SUCCESS", "delay", "FAILURE")), longest))
    assert both.say(mail).code == 250
    assert both.say(rcpt).code == 250
    assert both.events == [mail, rcpt]
    assert mail.get(Ret) == Ret("hdrs")
    assert rcpt.get(Orcpt) is longest


def test_room_for_the_longest_line() -> None:
    """RFC 3461 section 5.4: 530 octets more than 512 for RCPT."""
    assert longest_line("RCPT", Dsn()) >= 1042
    assert longest_line("MAIL", Dsn()) >= 512 + 1 + 8 + 1 + 100


def test_utf_8_as_it_is() -> None:
    """RFC 6533 section 3: where SMTPUTF8 is in force."""
    both = Pair.offering(EightBitMime(), SmtpUtf8(), Dsn()).hello()
    both.say(Mail(A, (SmtpUtf8Parameter(),)))
    rcpt = Rcpt(B, (Orcpt.of("josé@mx.example", smtputf8=True),))
    assert both.say(rcpt).code == 250
    assert both.events[-1] == rcpt


@pytest.mark.parametrize(
    "code, line",
    [
        # RFC 3461 sections 4.5 and 5.1
        (501, "MAIL FROM:<a@b.example> RET=SOME"),
        (501, "MAIL FROM:<a@b.example> RET"),
        (501, "MAIL FROM:<a@b.example> RET=FULL RET=FULL"),
        (501, "MAIL FROM:<a@b.example> ENVID=a ENVID=b"),
        (501, "MAIL FROM:<a@b.example> ENVID=+"),
        (501, "RCPT TO:<b@mx.example> NOTIFY=NEVER,DELAY"),
        (501, "RCPT TO:<b@mx.example> NOTIFY=DELAY NOTIFY=DELAY"),
        (501, "RCPT TO:<b@mx.example> ORCPT=b@mx.example"),
        (501, "RCPT TO:<b@mx.example> ORCPT=rfc822;b orcpt=rfc822;b"),
        # Each belongs to one command.
        (555, "MAIL FROM:<a@b.example> NOTIFY=NEVER"),
        (555, "MAIL FROM:<a@b.example> ORCPT=rfc822;b"),
        (555, "RCPT TO:<b@mx.example> RET=FULL"),
        (555, "RCPT TO:<b@mx.example> ENVID=a"),
    ],
)
def test_what_a_server_refuses(code: int, line: str) -> None:
    both = Pair.offering(Dsn()).hello()
    if line.startswith("RCPT"):
        both.say(Mail(A))
    assert both.raw(line).startswith(f"{code} ")
