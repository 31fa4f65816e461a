"""Header fields in ASCII, and what has no such form."""

from __future__ import annotations

from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Domain, LocalProtocolError
from smtpproto.conversations.client.encoded_words import fold, in_ascii
from smtpproto.conversations.client.mime import unfold
from smtpproto.grammar.address_list import read_address_list


def to_ascii(domain: Domain) -> Domain:
    return Domain({"grüße.example": "xn--gre-6ka8l.example"}[str(domain)])


def converted(field: str) -> str:
    octets = in_ascii(field.encode(), to_ascii)
    assert octets.endswith(b"\r\n")
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    return octets.decode("ascii").removesuffix("\r\n").replace("\r\n", "")


A = "=?utf-8?b?w6Q=?="


@pytest.mark.parametrize(
    "field, expected",
    [
        # Text: from the first to the last word that needs it.
        ("Subject: ä\r\n", f"Subject: {A}"),
        ("subject:ä", f"subject: {A}"),
        ("Subject: re: ä: b\n", "Subject: re: =?utf-8?b?w6Q6?= b"),
        ("X-Any: a ä b ä c", "X-Any: a =?utf-8?b?w6QgYiDDpA==?= c"),
        ("Comments: a\r\n\tä", f"Comments: a\t{A}"),
        ("Subject: =?utf-8?q?=C3=A4?= ä", "Subject: =?utf-8?q?=C3=A4?= " + A),
        ("Subject: ä =?iso-8859-1?q?=E4?= ä", "Subject: =?utf-8?b?w6Qgw6Qgw6Q=?="),
        ("Keywords: a, ä ,b", f"Keywords: a, {A} ,b"),
        # Addresses: outside of encoded-words.
        ("From: ä <e@x.example>", f"From: {A} <e@x.example>"),
        ("From: ä<e@x.example>", f"From: {A} <e@x.example>"),
        ("To: a@x,ä <e@x.example>,b@x", f"To: a@x, {A} <e@x.example>, b@x"),
        ('Cc: "ä, b" <e@x.example>', "Cc: =?utf-8?b?w6QsIGI=?= <e@x.example>"),
        ("Bcc: =?utf-8?q?=C3=A4?= ä <e@x.example>", "Bcc: =?utf-8?b?w6Qgw6Q=?= <e@x.example>"),
        ("Reply-To: e@x.example (ä)", f"Reply-To: e@x.example ({A})"),
        ("Sender: e (ä) @ x.example", f"Sender: e ({A}) @ x.example"),
        ("Sender: e@x.example (ä (b))", "Sender: e@x.example (=?utf-8?b?w6QgKGIp?=)"),
        ("Resent-To: ä: a@x, b@y;", f"Resent-To: {A} : a@x, b@y;"),
        ("From: A <a@grüße.example>", "From: A <a@xn--gre-6ka8l.example>"),
        ("From: ä <a@grüße.example>", f"From: {A} <a@xn--gre-6ka8l.example>"),
        ('From: "a b"@grüße.example', 'From: "a b"@xn--gre-6ka8l.example'),
        # Parameters (RFC 2231).
        (
            'Content-Disposition: attachment; filename="ä b.txt"; size=3',
            "Content-Disposition: attachment; filename*=utf-8''%C3%A4%20b.txt; size=3",
        ),
        ("Content-Type: text/plain; name=ä", "Content-Type: text/plain; name*=utf-8''%C3%A4"),
    ],
)
def test_fields(field: str, expected: str) -> None:
    assert converted(field) == expected
    # It is ASCII now, and stays.
    assert converted(expected) == expected


def test_long_parameters() -> None:
    field = in_ascii(("Content-Type: a/b; name=" + "ä" * 100).encode(), None)
    assert max(map(len, field.split(b"\r\n"))) <= 78
    read = message_from_bytes(field + b"\r\n", policy=default)
    assert read["Content-Type"].params["name"] == "ä" * 100


@pytest.mark.parametrize(
    "field, problem",
    [
        (b"Subject: \xe4", "octets above 127 in Subject that are not UTF-8"),
        (b"From: \xe4 <a@x>", "octets above 127 in From that are not UTF-8"),
        (b"X-\xc3\xa4: a", "no encoded-word may stand"),
        ("Message-ID: <ä@x>", "characters in 'Message-ID' that are not ASCII"),
        ("Received: from ä", "no encoded-word may stand"),
        ("Subject: ä =?x-unheard-of?q?=E4?= ä", "an encoded-word in Subject whose charset"),
        ("Subject: ä =?utf-8?b?w?= ä", "an encoded-word in Subject whose charset"),
        ("From: jürgen@x.example", "a local-part in From"),
        ("From: ä (b) ö (ü) c <a@x>", "a comment within a name or an address in From"),
        ("From: a (ü) @ grüße.example", "a comment within a name or an address in From"),
        ("Content-Type: text/ä; name=ä", "outside of the values"),
        ("Content-Type: text/plain; ä=ä", "outside of the values"),
        ("To: ä a@x.example", r"To: expected '<' or ','"),
    ],
)
def test_what_has_no_such_form(field: str | bytes, problem: str) -> None:
    octets = field if isinstance(field, bytes) else field.encode()
    with pytest.raises(LocalProtocolError, match=problem):
        in_ascii(octets, to_ascii)


def test_u_labels_without_somebody_who_converts_them() -> None:
    with pytest.raises(LocalProtocolError, match="an address in From that is not ASCII"):
        in_ascii("From: a@grüße.example".encode(), None)


WORDS = st.lists(st.text('abäöüß漢字😀,.<>@()"\\=_', min_size=1, max_size=90), min_size=1).map(
    " ".join
)


@given(WORDS)
def test_text_means_the_same(text: str) -> None:
    field = in_ascii(f"Subject: {text}\r\n".encode(), None)
    assert field.isascii()
    lines = field.split(b"\r\n")
    assert all(len(line) <= 76 for line in lines if b"=?utf-8?b?" in line)
    assert str(message_from_bytes(field + b"\r\n", policy=default)["Subject"]) == text


NAME = st.text('abäöü漢 ,.<>@()\\"', min_size=1, max_size=40).filter(
    lambda name: name.strip() == name and "  " not in name
)


@given(st.lists(st.tuples(NAME, st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}", fullmatch=True))))
def test_addresses_stay_what_they_are(people: list[tuple[str, str]]) -> None:
    quoted = [(name.replace("\\", "\\\\").replace('"', '\\"'), each) for name, each in people]
    text = ", ".join(f'"{name}" <{each}>' for name, each in quoted)
    field = in_ascii(f"To: {text}\r\n".encode(), None)
    assert field.isascii()
    # Python's own reader puts a space between encoded-words in a display name.
    listed = read_address_list(unfold(field).decode("ascii"), "To")
    assert [f"{each.local_part}@{each.domain}" for each in listed.addresses] == [
        p[1] for p in people
    ]
    names = [str(make_header(decode_header(each.text))) for each in listed.names]
    assert names == [name for name, _ in people]


@given(st.binary(max_size=300).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"")))
def test_folding_adds_nothing_but_line_endings(line: bytes) -> None:
    folded = fold(line)
    assert folded.replace(b"\r\n", b"") == line
    # No line but the first one begins without white space, and none has nothing else.
    for each in folded.split(b"\r\n")[1:-1]:
        assert each[:1] in (b" ", b"\t")
