"""The trace field (RFC 5321 section 4.4): what it says, and that nobody writes into it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import AddressLiteral, Domain, LocalProtocolError, Mail, Protocol, Session, TLSFacts
from smtpproto.conversations import Envelope
from smtpproto.conversations.server.received import Separator, protocol_keyword, received
from smtpproto.extensions import SmtpUtf8Parameter

WHEN = datetime(2026, 11, 24, 19, 0, 5, tzinfo=timezone(timedelta(hours=1)))
SESSION = Session(
    hostname="mx.example", peer="192.0.2.1", name=Domain("client.example"), extended=True
)
ENVELOPE = Envelope.of("a@client.example", ["b@mx.example"])
TLS = TLSFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256")
UTF8 = Envelope(Mail(ENVELOPE.reverse_path, (SmtpUtf8Parameter(),)), ENVELOPE.recipients)


def test_all_of_it() -> None:
    session = replace(SESSION, tls=TLS, secure=True, identity="alice")
    assert received(session, ENVELOPE, WHEN, "4bQ-x_1.A").decode() == (
        "Received: from client.example ([192.0.2.1])\r\n"
        "\tby mx.example with ESMTPSA (TLSv1.3 TLS_AES_128_GCM_SHA256) id 4bQ-x_1.A\r\n"
        "\tfor <b@mx.example>;\r\n"
        "\tTue, 24 Nov 2026 19:00:05 +0100\r\n"
    )


def test_of_several_recipients_none_is_told() -> None:
    envelope = Envelope.of("", ["b@mx.example", "c@mx.example"])
    assert received(SESSION, envelope, WHEN, "1").decode() == (
        "Received: from client.example ([192.0.2.1])\r\n"
        "\tby mx.example with ESMTP id 1;\r\n"
        "\tTue, 24 Nov 2026 19:00:05 +0100\r\n"
    )


@pytest.mark.parametrize(
    "name, peer, told",
    [
        (Domain("c.example"), "2001:db8::1", "c.example ([IPv6:2001:db8::1])"),
        (Domain("c.example"), "fe80::1%eth0", "c.example ([IPv6:fe80::1])"),
        (AddressLiteral.parse("[192.0.2.9]"), "192.0.2.1", "[192.0.2.9] ([192.0.2.1])"),
        (Domain("c.example"), "", "c.example"),
        (Domain("c.example"), "/run/smtp.sock", "c.example"),
        (None, "192.0.2.1", "[192.0.2.1] ([192.0.2.1])"),
        (None, "evil\r\nX-Injected: 1", "unknown"),
    ],
)
def test_who_the_client_is(name: Domain | AddressLiteral | None, peer: str, told: str) -> None:
    field = received(replace(SESSION, name=name, peer=peer), ENVELOPE, WHEN, "1").decode()
    assert field.startswith(f"Received: from {told}\r\n")


@pytest.mark.parametrize(
    "session, envelope, keyword",
    [
        ({"extended": False}, ENVELOPE, "SMTP"),
        ({"extended": False, "tls": TLS}, ENVELOPE, "SMTP"),
        ({}, ENVELOPE, "ESMTP"),
        ({"tls": TLS}, ENVELOPE, "ESMTPS"),
        ({"identity": "alice"}, ENVELOPE, "ESMTPA"),
        ({"tls": TLS, "identity": "alice"}, ENVELOPE, "ESMTPSA"),
        ({"protocol": Protocol.LMTP}, ENVELOPE, "LMTP"),
        ({"protocol": Protocol.LMTP, "tls": TLS, "identity": "a"}, ENVELOPE, "LMTPSA"),
        ({}, UTF8, "UTF8SMTP"),
        ({"tls": TLS, "identity": "alice"}, UTF8, "UTF8SMTPSA"),
        ({"protocol": Protocol.LMTP}, UTF8, "UTF8LMTP"),
        ({"protocol": Protocol.LMTP, "tls": TLS}, UTF8, "UTF8LMTPS"),
    ],
)
def test_protocols(session: dict[str, object], envelope: Envelope, keyword: str) -> None:
    assert protocol_keyword(replace(SESSION, **session), envelope) == keyword  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tls, comment",
    [
        (TLSFacts(""), "with ESMTPS id"),
        (TLSFacts("TLSv1.2"), "with ESMTPS (TLSv1.2) id"),
        (TLSFacts("a)\r\nX: (b", "c d"), "with ESMTPS (a???X:??b c?d) id"),
    ],
)
def test_what_a_proxy_says_of_tls_cannot_break_out(tls: TLSFacts, comment: str) -> None:
    field = received(replace(SESSION, tls=tls), ENVELOPE, WHEN, "1").decode()
    assert comment in field
    assert field.count("\r\n") == 4


@pytest.mark.parametrize("identifier", ["", "a b", "a;", "a\r\nX: y", "a)", "x" * 129, "ä"])
def test_identifiers(identifier: str) -> None:
    with pytest.raises(ValueError, match="identifier"):
        received(SESSION, ENVELOPE, WHEN, identifier)


def test_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        received(SESSION, ENVELOPE, WHEN.replace(tzinfo=None), "1")


def test_a_host_that_is_none() -> None:
    with pytest.raises(LocalProtocolError):
        received(replace(SESSION, hostname="my host"), ENVELOPE, WHEN, "1")


@given(
    st.datetimes(
        WHEN.replace(year=1970, tzinfo=None),
        WHEN.replace(year=2999, tzinfo=None),
        timezones=st.timezones(),
    ),
    st.text(max_size=40),
    st.sampled_from(['"a; b\\"c"@mx.example', "jürgen@mx.example", "postmaster"]),
)
def test_it_is_one_field_whatever_stands_in_it(when: datetime, peer: str, to: str) -> None:
    envelope = Envelope.of("", [to])
    field = received(replace(SESSION, peer=peer, tls=TLSFacts(peer, peer)), envelope, when, "1")
    message = message_from_bytes(field + b"Subject: x\r\n\r\n", policy=default)
    assert message.keys() == ["Received", "Subject"]
    date = str(message["Received"]).rpartition(";")[2]
    assert abs(parsedate_to_datetime(date) - when) < timedelta(minutes=1)


# --- content below the field ------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, apart",
    [
        (b"Subject: x\r\n\r\nbody\r\n", False),
        (b"Subject : x\r\n\r\n", False),
        (b"X-1!: y", False),
        (b"\r\nbody\r\n", False),
        (b"\nbody\n", False),
        (b"", False),
        (b" folded\r\nSubject: x\r\n", True),
        (b"\tfolded\r\n", True),
        (b" \r\nSubject: x\r\n", True),
        (b" Subject: x\r\n", True),
        (b": x\r\n", True),
        (b"hello\r\nSubject: x\r\n", True),
        (b"From eve Tue Nov 24\r\nSubject: x\r\n", True),
        (b"\xc3\xbc: x\r\n", True),
        (b"no colon", True),
        (b"\r", True),
        (b"\rx", True),
        (b"x" * 998 + b":", False),
        (b"x" * 2000 + b":", True),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else None,
)
def test_what_stands_apart_from_the_fields_above_it(content: bytes, apart: bool) -> None:
    expected = b"\r\n" + content if apart else content
    for size in (1, 2, 3, 5000):
        separator = Separator()
        found = [separator.feed(content[at : at + size]) for at in range(0, len(content), size)]
        assert b"".join([*found, separator.finish()]) == expected


@given(st.binary(max_size=40), st.lists(st.integers(0, 40)))
def test_chunks_make_no_difference_to_what_stands_apart(content: bytes, cuts: list[int]) -> None:
    def separated(*chunks: bytes) -> bytes:
        separator = Separator()
        return b"".join([*map(separator.feed, chunks), separator.finish()])

    whole = separated(content)
    assert whole in (content, b"\r\n" + content)
    assert not whole.startswith((b" ", b"\t"))
    ends = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    assert separated(*(content[a:b] for a, b in itertools.pairwise(ends))) == whole
