"""What a message needs of a server, and what it gets out of what is offered."""

from __future__ import annotations

import pytest

from smtpproto import Domain, LocalProtocolError, Mail, Rcpt
from smtpproto.conversations import Envelope
from smtpproto.conversations.content import ContentSource
from smtpproto.conversations.needs import fit, is_binary
from smtpproto.extensions import (
    Body,
    DeclaredSize,
    Dsn,
    EightBitMime,
    EnvelopeId,
    Extension,
    Internationalized,
    OriginalRecipient,
    Size,
    SmtpUtf8,
)
from smtpproto.session import Offered

ASCII = b"Subject: x\r\n\r\nbody\r\n"
EIGHT = b"Subject: x\r\n\r\nb\xc3\xb6dy\r\n"
UTF8 = b"Subject: \xc3\xa4\r\n\r\nbody\r\n"
ALL = (Size(1000), EightBitMime(), SmtpUtf8())


def envelope(sender: str = "a@client.example", to: str = "b@mx.example") -> Envelope:
    return Envelope.of(sender, [to])


def fitted(
    content: object, offered: tuple[Extension, ...] = ALL, given: Envelope | None = None
) -> str:
    """The parameters of MAIL."""
    source = ContentSource(content)  # type: ignore[arg-type]
    mail = fit(given or envelope(), source, Offered(offered)).mail
    return " ".join(map(str, mail.parameters))


@pytest.mark.parametrize(
    "content, offered, parameters",
    [
        (ASCII, ALL, "SIZE=20"),
        (ASCII, (), ""),
        (EIGHT, ALL, "SIZE=21 BODY=8BITMIME"),
        (EIGHT, (EightBitMime(),), "BODY=8BITMIME"),
        (UTF8, ALL, "SIZE=21 BODY=8BITMIME SMTPUTF8"),
        # Of a stream nobody knows.
        ([EIGHT], ALL, "BODY=8BITMIME"),
        ([EIGHT], (), ""),
    ],
)
def test_the_smallest_set(content: object, offered: tuple[Extension, ...], parameters: str) -> None:
    assert fitted(content, offered) == parameters


@pytest.mark.parametrize(
    "content, given, parameters",
    [
        (ASCII, DeclaredSize(7), "SIZE=7"),
        (ASCII, Body("7BIT"), "BODY=7BIT SIZE=20"),
        (ASCII, Body("8BITMIME"), "BODY=8BITMIME SIZE=20"),
        (UTF8, Internationalized(), "SMTPUTF8 SIZE=21 BODY=8BITMIME"),
        (b"\0\n", Body("BINARYMIME"), "BODY=BINARYMIME SIZE=2"),
        (ASCII, EnvelopeId("x"), "ENVID=x SIZE=20"),
    ],
)
def test_what_is_given_stays(content: bytes, given: object, parameters: str) -> None:
    mail = Mail(envelope().reverse_path, (given,))  # type: ignore[arg-type]
    assert fitted(content, (*ALL, Dsn()), Envelope(mail, envelope().recipients)) == parameters


@pytest.mark.parametrize(
    "content, given, enhanced",
    [
        (EIGHT, envelope(), "5.6.3"),
        (UTF8, envelope(), "5.6.7"),
        (ASCII, envelope("jürgen@client.example"), "5.6.7"),
        (ASCII, envelope(to="b@grüße.example"), "5.6.7"),
    ],
)
def test_what_the_server_cannot_take(content: bytes, given: Envelope, enhanced: str) -> None:
    with pytest.raises(LocalProtocolError, match="does not offer") as caught:
        fitted(content, (Size(),), given)
    assert (caught.value.code, caught.value.enhanced) == (554, enhanced)


def test_a_declaration_that_is_wrong() -> None:
    given = Envelope(Mail(envelope().reverse_path, (Body("7BIT"),)), envelope().recipients)
    with pytest.raises(LocalProtocolError, match="says BODY=7BIT"):
        fitted(EIGHT, ALL, given)


BOTH = (Body("8BITMIME"), Internationalized())


@pytest.mark.parametrize(
    "given, offered, problems",
    [
        ((), (), ("does not offer 8BITMIME", "does not offer SMTPUTF8")),
        ((), (EightBitMime(),), ("", "does not offer SMTPUTF8")),
        ((), ALL, ("", "was not known before MAIL")),
        ((Body("7BIT"),), ALL, ("says BODY=7BIT", "was not known before MAIL")),
        (BOTH, ALL, ("", "")),
        ((Body("BINARYMIME"),), ALL, ("", "was not known before MAIL")),
    ],
)
def test_what_a_stream_must_not_turn_out_to_hold(
    given: tuple[object, ...], offered: tuple[Extension, ...], problems: tuple[str, str]
) -> None:
    source = ContentSource([b""])
    mail = Mail(envelope().reverse_path, given)  # type: ignore[arg-type]
    fit(Envelope(mail, envelope().recipients), source, Offered(offered))
    for refusal, problem in zip(
        (source.eight_bit_refusal, source.utf8_refusal), problems, strict=True
    ):
        assert (refusal is None) is (not problem)
        assert problem in str(refusal)


@pytest.mark.parametrize(
    "given", [envelope("jürgen@client.example"), envelope(to="b@grüße.example")]
)
def test_addresses_that_need_utf8(given: Envelope) -> None:
    assert fitted(ASCII, ALL, given) == "SIZE=20 SMTPUTF8"


def test_a_parameter_that_needs_utf8() -> None:
    rcpt = Rcpt(envelope().forward_paths[0], (OriginalRecipient("utf-8", "jürgen@mx.example"),))
    given = Envelope(envelope().mail, (rcpt,))
    assert fitted(ASCII, ALL, given).endswith("SMTPUTF8")
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        fitted(ASCII, (), given)


def to_ascii(domain: Domain) -> Domain:
    assert str(domain) == "grüße.example"
    return Domain("xn--gre-6ka8l.example")


def test_a_domain_has_another_form() -> None:
    source = ContentSource(ASCII)
    given = Envelope.of("", ["b@grüße.example", "c@mx.example", "d@[192.0.2.1]", "postmaster"])
    found = fit(given, source, Offered(()), to_ascii)
    assert [str(path) for path in found.forward_paths] == [
        "<b@xn--gre-6ka8l.example>",
        "<c@mx.example>",
        "<d@[192.0.2.1]>",
        "<postmaster>",
    ]
    # Where SMTPUTF8 is offered nothing is changed.
    assert fit(given, source, Offered(ALL), to_ascii).recipients == given.recipients


@pytest.mark.parametrize(
    "content, given", [(ASCII, envelope(to="jürgen@grüße.example")), (UTF8, envelope())]
)
def test_a_local_part_and_a_header_have_none(content: bytes, given: Envelope) -> None:
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        fit(given, ContentSource(content), Offered(()), to_ascii)


def test_binary() -> None:
    assert not is_binary(envelope())
    assert not is_binary(Envelope(Mail(envelope().reverse_path, (Body("8BITMIME"),)), ()))
    assert is_binary(Envelope(Mail(envelope().reverse_path, (Body("BINARYMIME"),)), ()))
