"""From an `EmailMessage` to envelope and content."""

from __future__ import annotations

import contextlib
import io
from email import message_from_bytes, message_from_string
from email.header import Header
from email.message import EmailMessage, Message
from email.mime.text import MIMEText
from email.policy import Policy, compat32, default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Domain, LocalProtocolError
from smtpproto.conversations.client.message import (
    content_of,
    envelope_of,
    header_of,
    read_header,
    without_bcc,
)
from smtpproto.extensions import EightBitMime, Extension, SmtpUtf8
from smtpproto.vocabulary.session_facts import Offered

ALL = (EightBitMime(), SmtpUtf8())


def parse(text: str) -> Message:
    return message_from_bytes(text.encode(), policy=default)


def content(message: Message, *offered: Extension, **options: object) -> bytes:
    return content_of(message, Offered(offered), **options)  # type: ignore[arg-type]


def to_ascii(domain: Domain) -> Domain:
    return Domain({"grüße.example": "xn--gre-6ka8l.example"}[str(domain)])


# --- the envelope -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header, sender, recipients",
    [
        ("From: a@x.example\nTo: b@y.example", "<a@x.example>", ["<b@y.example>"]),
        (
            "From: A <a@x.example>, z@x.example\nSender: s@x.example\nTo: b@y.example",
            "<s@x.example>",
            ["<b@y.example>"],
        ),
        (
            "From: a@x.example\nTo: B <b@y.example>, c@y.example\nCc: b@y.example\nBcc: d@y",
            "<a@x.example>",
            ["<b@y.example>", "<c@y.example>", "<d@y>"],
        ),
        (
            "From: a@x.example\nTo: group: b@y.example, c@y.example;",
            "<a@x.example>",
            ["<b@y.example>", "<c@y.example>"],
        ),
        (
            (
                "Resent-Date: Tue, 24 Nov 2026 19:00:00 +0000\n"
                "Resent-From: r@x.example\nFrom: a@x.example\nTo: b@y.example\n"
                "Resent-To: e@y.example\nResent-Bcc: f@y.example"
            ),
            "<r@x.example>",
            ["<e@y.example>", "<f@y.example>"],
        ),
    ],
)
def test_who_is_named(header: str, sender: str, recipients: list[str]) -> None:
    envelope = envelope_of(parse(header + "\n\nbody\n"))
    assert str(envelope.reverse_path) == sender
    assert list(map(str, envelope.forward_paths)) == recipients


def test_what_is_given_counts() -> None:
    message = parse("From: a@x.example\nTo: b@y.example\n\n")
    envelope = envelope_of(message, "")
    assert (str(envelope.reverse_path), len(envelope.recipients)) == ("<>", 1)
    envelope = envelope_of(message, "", ["c@y.example"])
    assert str(envelope.reverse_path) == "<>"
    assert list(map(str, envelope.forward_paths)) == ["<c@y.example>"]


@pytest.mark.parametrize(
    "header, problem",
    [
        ("To: b@y.example", "no Sender or From field"),
        ("From: a@x.example", "names no recipient in To, Cc and Bcc: give the"),
        ("Resent-Date: x\nResent-Date: y\nFrom: a@x.example\nTo: b@y.example", "more than once"),
    ],
)
def test_nobody_is_named(header: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        envelope_of(parse(header + "\n\nbody\n"))


@pytest.mark.parametrize("name", ["From", "Sender", "To", "Cc", "Bcc"])
def test_who_gets_what_was_resent_has_to_be_clear(name: str) -> None:
    header = f"From: a@x.example\nTo: b@y.example\nResent-{name}: c@y.example\n"
    with pytest.raises(LocalProtocolError, match=f"Resent-{name}: expected one for each"):
        envelope_of(parse(header + "\nbody\n"))
    header += f"Resent-Date: x\nResent-{name}: d@y.example\n"
    with pytest.raises(LocalProtocolError, match=f"Resent-{name}: .* found 2"):
        envelope_of(parse(header + "\nbody\n"))
    given = envelope_of(parse(header + "\n"), "", ["e@y.example"])
    assert list(map(str, given.forward_paths)) == ["<e@y.example>"]


def test_what_is_named_is_no_mailbox() -> None:
    with pytest.raises(LocalProtocolError):
        envelope_of(parse("From: a@x.example\nTo: undisclosed\n\n"))


# Each names somebody who would be lost, or somebody else, if it were read as far as it goes.
NO_LISTS = [
    ("a@mx.example; b@mx.example", "; b@mx.example"),
    ("a@mx.example, Bob b@mx.example", "Bob b@mx.example"),
    ("a@mx.example, b@", "b@"),
    ("Dept: a@mx.example; b@mx.example", "; b@mx.example"),
    ("a@mx.example <b@mx.example>", "<b@mx.example>"),
    ("a@mx.example (b@mx.example", "(b@mx.example"),
    ("undisclosed", "undisclosed"),
    ("a@-mx.example", "a@-mx.example"),
]
NAMES = ["To", "Cc", "Bcc", "From", "Sender", "Resent-To", "Resent-Cc", "Resent-Bcc"]
NAMES += ["Resent-From", "Resent-Sender"]


@pytest.mark.parametrize("policy", [default, compat32], ids=["default", "compat32"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text, rest", NO_LISTS)
def test_what_cannot_be_read_is_refused(name: str, text: str, rest: str, policy: Policy) -> None:
    prefix = "Resent-" if name.startswith("Resent-") else ""
    others = {f"{prefix}To", f"{prefix}From"} - {name}
    header = "".join(f"{other}: x@y.example\n" for other in others)
    raw = f"{prefix}Date: x\n{header}{name}: {text}\n\nbody\n"
    with pytest.raises(LocalProtocolError) as caught:
        envelope_of(message_from_bytes(raw.encode(), policy=policy))
    assert str(caught.value).startswith(f"{name}: ")
    assert rest in str(caught.value)


@pytest.mark.parametrize("text, rest", [NO_LISTS[0], NO_LISTS[1], *NO_LISTS[4:7]])
@pytest.mark.parametrize("kind", [EmailMessage, Message])
def test_what_cannot_be_read_is_refused_where_it_was_set(
    kind: type[Message], text: str, rest: str
) -> None:
    message = kind()
    message["From"] = "x@y.example"
    message["Cc"] = text
    with pytest.raises(LocalProtocolError, match=r"^Cc: ") as caught:
        envelope_of(message)
    assert rest in str(caught.value)
    # What is not asked for is not read.
    assert envelope_of(message, recipients=["b@y.example"]).recipients
    assert envelope_of(message, "x@y.example", ["b@y.example"]).recipients


@pytest.mark.parametrize("policy", [default, compat32], ids=["default", "compat32"])
def test_how_addresses_may_be_written(policy: Policy) -> None:
    raw = (
        b"From: J\xc3\xbcrgen (me) <j\xc3\xbc@x.example>\r\n"
        b"To: A. Q. <a@y.example>,, =?utf-8?q?B?=\r\n <b@y.example> (B)\r\n"
        b'Cc: g: "Doe, J." <c@y.example>, d . e @ y.example;\r\n'
        b"Bcc: M\xfcller <f@[192.0.2.1]>\r\n\r\n"
    )
    envelope = envelope_of(message_from_bytes(raw, policy=policy))
    assert str(envelope.reverse_path) == "<jü@x.example>"
    assert " ".join(map(str, envelope.forward_paths)) == (
        "<a@y.example> <b@y.example> <c@y.example> <d.e@y.example> <f@[192.0.2.1]>"
    )


def test_addresses_that_were_set() -> None:
    older = Message()
    older["From"] = "Müller <e@grüße.example>"
    older["To"] = "a@y.example"
    assert str(envelope_of(older).reverse_path) == "<e@grüße.example>"
    message = EmailMessage()
    message["From"] = "Jürgen <j@x.example>"
    message["To"] = "a@y.example,,b@y.example"  # obsolete, but clear
    assert [str(path) for path in envelope_of(message).forward_paths] == [
        "<a@y.example>",
        "<b@y.example>",
    ]


def test_addresses_that_were_set_as_a_list_of_texts() -> None:
    message = EmailMessage()
    message["From"] = "eve@client.example"
    message["To"] = ["Ann <ann@mx.example>", "bob@mx.example"]
    assert envelope_of(message).lines()[1:] == (
        "RCPT TO:<ann@mx.example>",
        "RCPT TO:<bob@mx.example>",
    )
    assert b"\r\nTo: Ann <ann@mx.example>, bob@mx.example\r\n" in content_of(message, Offered())


def test_a_sender_that_the_email_package_fails_to_parse() -> None:
    message = parse("From: . <a@x.example>\nTo: b@y.example\n\nHello\n")
    assert str(envelope_of(message).reverse_path) == "<a@x.example>"


def test_defects_of_the_body_do_not_matter() -> None:
    message = parse("From: a@x.example\nTo: b@y\nContent-Type: multipart/mixed\n\nbody\n")
    assert message.defects
    assert str(envelope_of(message).reverse_path) == "<a@x.example>"


def test_octets_that_are_no_utf8_in_an_address() -> None:
    raw = b"From: a@x.example\nTo: m\xfcller@y.example\n\n"
    with pytest.raises(LocalProtocolError, match=r"^To: "):
        envelope_of(message_from_bytes(raw, policy=default))


@pytest.mark.parametrize(
    "header, complaint",
    [
        ("From: a@x.example, b@x.example", "From: expected one address, found 2"),
        ("From: a@x.example\nFrom: b@x.example", "From: expected one address, found 2"),
        ("From: a@x.example\nSender: ", "Sender: expected one address, found 0"),
        ("From: a@x.example b@x.example\nSender: c@x.example", "From: expected"),
    ],
)
def test_who_the_sender_is_must_be_clear(header: str, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        envelope_of(parse(f"{header}\nTo: d@y.example\n\n"))


def test_one_sender() -> None:
    with pytest.raises(LocalProtocolError, match="Sender: expected one address, found 2"):
        envelope_of(parse("From: a@x.example\nSender: b@x.example, c@x.example\nTo: d@y\n\n"))


@pytest.mark.parametrize("line", ["b@y.example,", "Cc c@y.example", "Cc : c@y.example"])
def test_recipients_behind_a_line_that_is_no_field(line: str) -> None:
    header = f"From: a@x.example\nTo: b@y.example\n{line}\nBcc: c@y.example\n\nbody\n"
    with pytest.raises(LocalProtocolError, match="a line that is no field"):
        envelope_of(parse(header))
    with pytest.raises(LocalProtocolError, match="a line that is no field"):
        envelope_of(parse(" x\n" + header))


# --- the content ------------------------------------------------------------------------------


def test_bcc_is_left_out_and_the_message_stays() -> None:
    message = EmailMessage()
    for name in ("From", "To", "Bcc", "Resent-Bcc"):
        message[name] = "a@x.example"
    message.set_content("Hello\n")
    octets = content(message)
    assert b"bcc" not in octets.lower()
    assert message["Bcc"] == "a@x.example"
    assert octets.count(b"\n") == octets.count(b"\r\n")


def test_eight_bits_where_they_are_offered() -> None:
    message = EmailMessage()
    message.set_content("grüße\n", cte="8bit")
    assert "grüße".encode() in content(message, EightBitMime())
    octets = content(message)
    assert octets.isascii()
    assert message_from_bytes(octets, policy=default).get_content() == "grüße\r\n"
    # The message itself is as it was.
    assert message["Content-Transfer-Encoding"] == "8bit"


BINARY = b"""\
From: a@x.example\r
Content-Type: multipart/mixed; boundary=x\r
Content-Transfer-Encoding: binary\r
\r
--x\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
gr\xc3\xbc\xc3\x9fe\r
--x\r
Content-Type: text/plain; charset=utf-8\r
\r
gr\xc3\xbc\xc3\x9fe\r
--x\r
Content-Type: application/octet-stream\r
Content-Transfer-Encoding: binary\r
\r
\xff\xfe\0\r
--x\r
Content-Type: application/octet-stream\r
Content-Transfer-Encoding: base64\r
\r
/////w==\r
--x\r
Content-Type: message/rfc822\r
Content-Transfer-Encoding: 8bit\r
\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: 8bit\r
\r
\xe4\r
--x--\r
"""


@pytest.mark.parametrize("offered", [(), (EightBitMime(),)])
def test_every_part_fits(offered: tuple[Extension, ...]) -> None:
    octets = content(message_from_bytes(BINARY, policy=default), *offered)
    assert octets.isascii() is (not offered)
    assert b"binary" not in octets
    message = message_from_bytes(octets, policy=default)
    texts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert [text.strip(b"\r\n") for text in texts if isinstance(text, bytes)] == [
        "grüße".encode(),
        "grüße".encode(),
        b"\xff\xfe\0",
        b"\xff" * 4,
        b"\xe4",
    ]
    assert message["Content-Transfer-Encoding"] == ("8bit" if offered else "7bit")


@pytest.mark.parametrize("kind", ["signed", "encrypted"])
def test_what_is_sealed_is_not_touched(kind: str) -> None:
    raw = BINARY.replace(b"multipart/mixed", b"multipart/" + kind.encode())
    with pytest.raises(LocalProtocolError, match="signed or encrypted") as caught:
        content(message_from_bytes(raw, policy=default))
    assert caught.value.enhanced == "5.6.3"


def test_signed_in_seven_bits() -> None:
    raw = b"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\nok\r\n--x--\r\n"
    assert b"ok" in content(message_from_bytes(raw, policy=default))


def test_older_messages() -> None:
    message = MIMEText("häl\nFrom here\n.\n", _charset="utf-8")
    message["From"] = "a@x.example"
    assert content(message).isascii()
    plain = message_from_bytes(b"From: a@x.example\n\nFrom here\n", policy=compat32)
    assert content(plain).endswith(b"\r\nFrom here\r\n")


# --- addresses --------------------------------------------------------------------------------


def international(sender: str = "Jürgen <j@grüße.example>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["Reply-To"] = "answers@y.example"
    message["To"] = "friends: b@y.example, C <c@grüße.example>;, d@y.example"
    message["Subject"] = "Ä"
    message.set_content("Hello\n")
    return message


def test_addresses_in_utf8() -> None:
    octets = content(international("jürgen@grüße.example"), *ALL)
    assert "From: jürgen@grüße.example\r\n".encode() in octets


def test_other_headers_need_no_utf8() -> None:
    message = EmailMessage()
    message["From"] = "Jürgen <j@x.example>"
    message["Subject"] = "Ä"
    message.set_content("Hello\n")
    assert content(message, *ALL).isascii()


def test_a_labels_in_their_place() -> None:
    message = international()
    octets = content(message, to_ascii=to_ascii)
    assert octets.isascii()
    read = message_from_bytes(octets, policy=default)
    assert [address.addr_spec for address in read["From"].addresses] == ["j@xn--gre-6ka8l.example"]
    assert [address.display_name for address in read["From"].addresses] == ["Jürgen"]
    assert [group.display_name for group in read["To"].groups] == ["friends", None]
    assert [address.addr_spec for address in read["To"].addresses] == [
        "b@y.example",
        "c@xn--gre-6ka8l.example",
        "d@y.example",
    ]
    assert "grüße" in str(message["From"])


@pytest.mark.parametrize(
    "message, options, problem",
    [
        (international(), {}, "an address in From"),
        (international("jürgen@x.example"), {"to_ascii": to_ascii}, "a local-part in From"),
        (MIMEText("x"), {}, "an address in From"),
    ],
)
def test_addresses_without_another_form(
    message: Message, options: dict[str, object], problem: str
) -> None:
    if "From" not in message:
        message["From"] = "j@grüße.example"
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        content(message, EightBitMime(), **options)
    assert caught.value.enhanced == "5.6.7"


# --- fields that came, and fields that were set ---------------------------------------------------

AS_THEY_CAME = b"""\
DKIM-Signature: v=1; a=rsa-sha256; h=from:to:subject;\r
\tb=%s;\r
   bh=x\r
from: "A"  (b) <a@x.example>\r
To: a@x.example,b@x.example , %s\r
SUBJECT: =?utf-8?q?=C3=A4?=   as\r
 it is \r
Content-Type: multipart/report; boundary=x\r
MIME-Version: 1.0\r
\r
\r
--x\r
content-type: message/delivery-status\r
\r
Reporting-MTA: dns; a\r
\r
Final-Recipient: x\r
\r
--x\r
Content-Type: message/rfc822\r
\r
X:  \r
\r
\r
--x--\r
after\r
""".replace(b"%s", b"c" * 500).replace(b"X:  \r", b"X: \r")


@pytest.mark.parametrize("policy", [default, compat32], ids=["default", "compat32"])
@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b"\r"])
def test_what_came_stays_octet_by_octet(ending: bytes, policy: Policy) -> None:
    """Folding a field again breaks signatures (RFC 6376 section 5.3)."""
    message = message_from_bytes(AS_THEY_CAME.replace(b"\r\n", ending), policy=policy)
    assert message["subject"]
    for offered in ((), ALL):
        assert content(message, *offered) == AS_THEY_CAME


@pytest.mark.parametrize("policy", [default, compat32], ids=["default", "compat32"])
def test_octets_above_127_that_came(policy: Policy) -> None:
    raw = "From: Müller, J <e@x.example>\r\n".replace("Müller, J", '"Müller, J"').encode()
    raw += "Subject: Grüße\r\nTo: A <a@x.example>\r\n\r\nHello\r\n".encode()
    message = message_from_bytes(raw, policy=policy)
    assert content(message, *ALL) == raw
    for offered in ((), (EightBitMime(),)):
        octets = content(message, *offered)
        assert octets.isascii()
        assert b"<e@x.example>\r\n" in octets
        assert b"unknown" not in octets
        read = message_from_bytes(octets, policy=default)
        assert read["From"].addresses[0].display_name == "Müller, J"
        assert read["From"].addresses[0].addr_spec == "e@x.example"
        assert read["Subject"] == "Grüße"
        assert octets.endswith(b"\r\nTo: A <a@x.example>\r\n\r\nHello\r\n")


@pytest.mark.parametrize("policy", [default, compat32], ids=["default", "compat32"])
def test_octets_in_an_unknown_charset_that_came(policy: Policy) -> None:
    message = message_from_bytes(b"From: M\xfcller <e@x.example>\n\nHello\n", policy=policy)
    with pytest.raises(LocalProtocolError, match="in From that are not UTF-8"):
        content(message)
    assert content(message, EightBitMime()).startswith(b"From: M\xfcller <e@x.example>\r\n")


@pytest.mark.parametrize("sender", ["Müller <e@x.example>", "e@x.example (Müller)"])
@pytest.mark.parametrize("offered", [(), ALL])
def test_fields_that_were_set(offered: tuple[Extension, ...], sender: str) -> None:
    """Encoded-words are all it takes: no SMTPUTF8, and no address within one."""
    for message in (EmailMessage(), Message(), MIMEText("Hello\n")):
        message["From"] = sender
        message["Subject"] = "Grüße " * 30
        message["To"] = ", ".join(
            f"Empfänger {number} <r{number}@x.example>" for number in range(9)
        )
        message["X-Note"] = "x" * 60 + " y" * 40
        octets = content(message, *offered)
        assert octets.isascii()
        assert max(map(len, octets.split(b"\r\n"))) <= 160
        assert b"e@x.example" in octets
        assert all(b"<r%d@x.example>" % number in octets for number in range(9))
        read = message_from_bytes(octets, policy=default)
        assert read["Subject"].rstrip() == ("Grüße " * 30).rstrip()
        assert [str(a.display_name) for a in read["To"].addresses][8] == "Empfänger 8"


def test_comments_that_were_set_stay() -> None:
    message = EmailMessage()
    message["From"] = "a@x.example (A (b))"
    message["Reply-To"] = "=?utf-8?q?M=C3=BC=2C_A?= <b@x.example>"
    message["To"] = "no list"
    octets = content(message)
    assert b"From: a@x.example (A (b))\r\n" in octets
    read = message_from_bytes(octets, policy=default)
    assert read["Reply-To"].addresses[0].display_name == "Mü, A"
    assert b"To: no list\r\n" in octets


def test_headers_of_the_older_kind() -> None:
    message = Message()
    message["Subject"] = Header("Grüße " * 20, "utf-8")  # type: ignore[assignment]
    message["From"] = Header("Müller <e@x.example>", "utf-8")  # type: ignore[assignment]
    message["X-Any"] = 7  # type: ignore[assignment]
    octets = content(message)
    assert octets.isascii()
    assert b"<e@x.example>\r\n" in octets
    assert b"X-Any: 7\r\n" in octets
    assert message_from_bytes(octets, policy=default)["Subject"].startswith("Grüße Grüße")


@pytest.mark.parametrize("kind", [EmailMessage, Message])
def test_names_of_files(kind: type[Message]) -> None:
    message = kind()
    message["Content-Type"] = 'text/plain; name="grüße.txt"'
    octets = content(message)
    assert b"name*=utf-8''gr%C3%BC%C3%9Fe.txt" in octets


def test_a_field_in_which_nothing_but_utf8_helps() -> None:
    message = Message()
    message["Message-ID"] = "<ä@x.example>"
    assert "<ä@x.example>".encode() in content(message, *ALL)
    with pytest.raises(LocalProtocolError, match="Message-ID"):
        content(message, EightBitMime())


def test_lines_that_are_too_long() -> None:
    message = Message()
    message["To"] = ",".join(f"r{number}@x.example" for number in range(100))
    message["X-Words"] = "word " * 300
    message["Subject"] = "ä " * 600
    message["X-UTF8"] = "<ä@x> "
    message["From"] = "ä@x.example, " + "b@x.example, " * 100 + "c@x.example"
    octets = content(message, *ALL)
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    assert b"r0@x.example, r1@x.example" in octets
    assert len(message_from_bytes(octets, policy=default)["To"].addresses) == 100


@pytest.mark.parametrize(
    "name, text", [("Subject", "a\nBcc: b@x"), ("Subject", "a\n\nb"), ("A: b\nC", "d"), ("Ä", "b")]
)
def test_one_field_is_one_field(name: str, text: str) -> None:
    message = Message()
    message[name] = text
    with pytest.raises(LocalProtocolError, match=r"RFC 5322 section 2\.2"):
        content(message)


# --- bodies ---------------------------------------------------------------------------------------


def test_a_boundary_is_made() -> None:
    outer, inner = EmailMessage(), EmailMessage()
    inner.set_content("--=_0_\n--=_1_\n")
    inner.add_attachment(b"\xff", maintype="a", subtype="b")
    outer.set_content("Hello\n")
    outer.make_mixed()
    outer.attach(inner)
    octets = content(outer)
    read = message_from_bytes(octets, policy=default)
    first, second = read.iter_parts()
    assert first.get_content() == "Hello\r\n"
    assert [part.get_content_type() for part in second.iter_parts()] == ["text/plain", "a/b"]
    # The message itself is as it was.
    assert outer.get_boundary() is None
    assert content(outer) == octets


def test_bodies_of_all_kinds() -> None:
    message = Message()
    assert content(message) == b"\r\n"
    message.set_payload(b"a\nb\n")
    assert content(message) == b"\r\na\r\nb\r\n"
    message.set_payload("a\rb")
    assert content(message) == b"\r\na\r\nb"
    message.set_payload("gr\xfc\xdfe")
    with pytest.raises(LocalProtocolError, match="its charset cannot encode"):
        content(message)
    message.set_payload("gr\xfc\xdfe", "utf-8")
    assert b"base64\r\n\r\nZ3LDvMOfZQ==" in content(message)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_text_that_was_parsed(charset: str) -> None:
    """Its characters are in the charset that it names, whatever it was read with."""
    header = f"MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n\n"
    message = message_from_string(header + "grüße\n", policy=default)
    assert content(message, EightBitMime()).endswith("grüße\r\n".encode(charset))
    octets = content(message)
    assert octets.isascii()
    assert message_from_bytes(octets, policy=default).get_content() == "grüße\r\n"
    for unfit in ("漢\n", "\ud800\n"):
        wrong = message_from_string(header.replace("utf-8", "x-none") + unfit, policy=default)
        with pytest.raises(LocalProtocolError, match="its charset cannot encode"):
            content(wrong)


def test_a_binary_part_that_is_not_found() -> None:
    """Where the email package sees parts and we see none, nothing leaves as it is not."""
    raw = (
        b"Content-Type: multipart/mixed; boundary*0=x\n\n"
        b"--x\nContent-Transfer-Encoding: binary\n\na\rb\n--x--\n"
    )
    with pytest.raises(LocalProtocolError, match="a binary part, and"):
        content(message_from_bytes(raw, policy=default))


def test_binary_octets_arrive_as_they_are() -> None:
    body = bytes(range(256)) * 3 + b"\r\n\n\r"
    raw = b"MIME-Version: 1.0\nContent-Type: a/b\nContent-Transfer-Encoding: binary\n\n" + body
    read = message_from_bytes(content(message_from_bytes(raw, policy=default)), policy=default)
    assert read.get_payload(decode=True) == body


def test_parts_within_parts_have_an_end() -> None:
    message = Message()
    for _ in range(102):
        outer = Message()
        outer["Content-Type"] = "multipart/mixed; boundary=x"
        outer.set_payload([message])
        message = outer
    with pytest.raises(LocalProtocolError, match="parts within parts"):
        content(message)


PIECES = st.sampled_from(
    b"From: |To: |Subject: |Content-Type: |Content-Transfer-Encoding: |Keywords: |Message-ID: |"
    b"Content-Disposition: a; filename=|Resent-Date: x\r\n|multipart/mixed|multipart/signed|"
    b"multipart/digest|message/rfc822|message/delivery-status|message/partial|text/plain|"
    b"; boundary=x|; boundary*0=x|; boundary=|; charset=utf-16|; charset=utf-8|; name=\xc3\xa4|"
    b"\r\n|\r\n|\n|\r|\r\n\r\n|--x\r\n|--x--\r\n|8bit|binary|base64|\xc3\xa4|\xe4|a@b|<a@b>|"
    b', |;|:| |(|)|"|=?utf-8?b?w6Q=?=|=?x?q?=E4?=|\0|a@\xc3\xa4'.split(b"|")
)


@given(st.lists(PIECES, max_size=30).map(b"".join), st.sampled_from([default, compat32]))
def test_what_comes_of_anything(raw: bytes, policy: Policy) -> None:
    """An error of ours, or octets that the server can take."""
    message = message_from_bytes(raw, policy=policy)
    with contextlib.suppress(LocalProtocolError, ValueError):
        envelope_of(message)
    for offered in ((), (EightBitMime(),), ALL):
        try:
            octets = content(message, *offered, to_ascii=lambda _: Domain("x.example"))
        except LocalProtocolError:
            continue
        assert octets.isascii() or offered
        rest = octets.replace(b"\r\n", b"")
        assert b"\r" not in rest
        assert b"\n" not in rest


# --- a header in a file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw, header, without",
    [
        (
            b"A: b\r\nBcc: x@y\r\n z@y\r\nC: d\r\n\r\nbody",
            b"A: b\r\nBcc: x@y\r\n z@y\r\nC: d\r\n\r\n",
            b"A: b\r\nC: d\r\n\r\n",
        ),
        (b"BCC : x\nResent-Bcc: y\nA: b\n\nbody", b"BCC : x\nResent-Bcc: y\nA: b\n\n", b"A: b\n\n"),
        (b"A: b\n", b"A: b\n", b"A: b\n"),
        (b"Bccx: b\n X: Bcc: c\n\n", b"Bccx: b\n X: Bcc: c\n\n", b"Bccx: b\n X: Bcc: c\n\n"),
    ],
)
def test_a_header_is_read_apart(raw: bytes, header: bytes, without: bytes) -> None:
    file = io.BytesIO(raw)
    assert read_header(file) == header
    assert file.read() == raw.removeprefix(header)
    assert without_bcc(header) == without


def test_a_header_without_end() -> None:
    with pytest.raises(ValueError, match="MiB"):
        read_header(io.BytesIO(b"A: b\n" * 300_000))


def test_a_header_that_a_server_can_take() -> None:
    raw = "From: ä <a@grüße.example>\nBcc: b@x\nSubject: ä\n as it is \nX: as  it is\n\n".encode()
    latin = b"Subject: \xe4\n\n"
    assert header_of(raw, Offered(ALL)) == without_bcc(raw)
    for offered in ((), (EightBitMime(),)):
        assert header_of(raw, Offered(offered), to_ascii) == (
            b"From: =?utf-8?b?w6Q=?= <a@xn--gre-6ka8l.example>\r\n"
            b"Subject: =?utf-8?b?w6Q=?= as it is\r\nX: as  it is\n\n"
        )
        with pytest.raises(LocalProtocolError, match="an address in From"):
            header_of(raw, Offered(offered))
    assert header_of(latin, Offered((EightBitMime(),))) == latin
    with pytest.raises(LocalProtocolError, match="not UTF-8"):
        header_of(latin, Offered(()))
