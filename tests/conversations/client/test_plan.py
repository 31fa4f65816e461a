"""What a message needs of a server, and what it gets out of what is offered."""

from __future__ import annotations

import pytest

from smtpproto import Domain, LocalProtocolError, Mail, Rcpt
from smtpproto.conversations import Envelope
from smtpproto.conversations.client.content_source import ContentSource
from smtpproto.conversations.client.plan import Plan, ToASCII, make_plan
from smtpproto.extensions import (
    BinaryMime,
    Body,
    Chunking,
    Dsn,
    EightBitMime,
    Envid,
    Extension,
    Orcpt,
    Pipelining,
    ServerLimits,
    Size,
    SizeParameter,
    SmtpUtf8,
    SmtpUtf8Parameter,
)
from smtpproto.testing import Link
from smtpproto.vocabulary.session_facts import Offered

ASCII = b"Subject: x\r\n\r\nbody\r\n"
EIGHT = b"Subject: x\r\n\r\nb\xc3\xb6dy\r\n"
UTF8 = b"Subject: \xc3\xa4\r\n\r\nbody\r\n"
ALL = (Size(1000), EightBitMime(), SmtpUtf8())


def envelope(sender: str = "a@client.example", to: str = "b@mx.example") -> Envelope:
    return Envelope.of(sender, [to])


def plan(
    source: ContentSource,
    offered: tuple[Extension, ...] = ALL,
    given: Envelope | None = None,
    *,
    to_ascii: ToASCII | None = None,
    chunking: bool = False,
) -> Plan:
    """The plan for a message; nothing is sent for it."""
    return Link().run(
        make_plan(
            given or envelope(), source, Offered(offered), to_ascii=to_ascii, chunking=chunking
        )
    )


def fitted(
    content: object, offered: tuple[Extension, ...] = ALL, given: Envelope | None = None
) -> str:
    """The parameters of MAIL."""
    source = ContentSource(content)  # type: ignore[arg-type]
    return " ".join(map(str, plan(source, offered, given).mail.parameters))


@pytest.mark.parametrize(
    "content, offered, parameters",
    [
        (ASCII, ALL, "SIZE=20"),
        (ASCII, (), ""),
        (EIGHT, ALL, "SIZE=21 BODY=8BITMIME"),
        (EIGHT, (EightBitMime(),), "BODY=8BITMIME"),
        (UTF8, ALL, "SIZE=21 BODY=8BITMIME SMTPUTF8"),
        # What comes behind the header of a stream is not known.
        ([ASCII, EIGHT], ALL, "BODY=8BITMIME"),
        ([ASCII, EIGHT], (), ""),
    ],
)
def test_the_smallest_set(content: object, offered: tuple[Extension, ...], parameters: str) -> None:
    assert fitted(content, offered) == parameters


@pytest.mark.parametrize(
    "content, given, parameters",
    [
        (ASCII, SizeParameter(7), "SIZE=7"),
        (ASCII, Body("7BIT"), "BODY=7BIT SIZE=20"),
        (ASCII, Body("8BITMIME"), "BODY=8BITMIME SIZE=20"),
        (UTF8, SmtpUtf8Parameter(), "SMTPUTF8 SIZE=21 BODY=8BITMIME"),
        (b"\0\n", Body("BINARYMIME"), "BODY=BINARYMIME SIZE=2"),
        (ASCII, Envid("x"), "ENVID=x SIZE=20"),
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


BOTH = (Body("8BITMIME"), SmtpUtf8Parameter())


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
    source = ContentSource([ASCII, b"more"])
    mail = Mail(envelope().reverse_path, given)  # type: ignore[arg-type]
    plan(source, offered, Envelope(mail, envelope().recipients))
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
    rcpt = Rcpt(envelope().forward_paths[0], (Orcpt("utf-8", "jürgen@mx.example"),))
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
    found = plan(source, (), given, to_ascii=to_ascii)
    assert [str(rcpt.forward_path) for rcpt in found.recipients] == [
        "<b@xn--gre-6ka8l.example>",
        "<c@mx.example>",
        "<d@[192.0.2.1]>",
        "<postmaster>",
    ]
    # Where SMTPUTF8 is offered nothing is changed.
    assert plan(source, ALL, given, to_ascii=to_ascii).recipients == given.recipients


@pytest.mark.parametrize(
    "content, given", [(ASCII, envelope(to="jürgen@grüße.example")), (UTF8, envelope())]
)
def test_a_local_part_and_a_header_have_none(content: bytes, given: Envelope) -> None:
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        plan(ContentSource(content), (), given, to_ascii=to_ascii)


@pytest.mark.parametrize(
    "body, chunking, offered, chunked, binary",
    [
        ("BINARYMIME", False, (EightBitMime(), Chunking(), BinaryMime()), True, True),
        ("8BITMIME", False, (EightBitMime(), Chunking()), False, False),
        ("8BITMIME", True, (EightBitMime(), Chunking()), True, False),
        ("8BITMIME", True, (EightBitMime(),), False, False),
    ],
)
def test_the_way_of_the_content(
    body: str, chunking: bool, offered: tuple[Extension, ...], chunked: bool, binary: bool
) -> None:
    given = Envelope(Mail(envelope().reverse_path, (Body(body),)), envelope().recipients)
    found = plan(ContentSource(ASCII), offered, given, chunking=chunking)
    assert (found.chunked, found.binary, found.pipelined) == (chunked, binary, False)


def test_the_batches() -> None:
    given = Envelope.of("", ["b@mx.example", "c@mx.example", "b@mx.example"])
    assert plan(ContentSource(ASCII), (Pipelining(),), given).batches == [[0, 1, 2]]
    limited = (ServerLimits(rcptmax=2),)
    assert plan(ContentSource(ASCII), limited, given).batches == [[0, 1], [2]]
    assert plan(ContentSource([ASCII]), limited, given).batches == [[0, 1], [2]]
    with pytest.raises(LocalProtocolError, match="can be read only once"):
        plan(ContentSource(iter([ASCII])), limited, given)
