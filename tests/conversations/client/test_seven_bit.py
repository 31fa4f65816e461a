"""Messages made ready for servers that take less: what changes, what stays, what is refused."""

from __future__ import annotations

from base64 import b64decode
from email import message_from_bytes
from email.policy import default
from quopri import decodestring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError
from smtpproto.conversations.client.seven_bit import convert, is_wide

TOP = b"From: a@x.example\r\nSubject:  as it is \r\n\t here\r\n"
MIME = TOP + b"mime-version: 1.0\r\n"


def converted(octets: bytes, *, eight_bit: bool = False, utf8: bool = False) -> bytes:
    return convert(octets, eight_bit=eight_bit, utf8=utf8, to_ascii=None)


def multipart(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"x") -> bytes:
    pieces = [b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts]
    return (
        b"Content-Type: multipart/%s; boundary=%s\r\n\r\nbefore\r\n" % (kind, boundary)
        + b"".join(pieces)
        + b"--%s--\r\nafter\r\n" % boundary
    )


LATIN = b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nh\xe4\r\n"
PLAIN = b"\r\nplain\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        TOP + b"\r\nbody\r\n",
        TOP,
        TOP + b"\r\n",
        b"\r\nbody",
        b"",
        MIME + multipart(PLAIN, b"Content-Transfer-Encoding: base64\r\n\r\n/////w==", b"A: b"),
        MIME + multipart(multipart(PLAIN, boundary=b"y"), PLAIN, kind=b"signed"),
        MIME + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nno end",
        MIME + b"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n",
        MIME + b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno part\r\n",
        MIME + b"Content-Type: message/rfc822\r\n\r\n" + TOP + b"\r\nbody\r\n",
        MIME + b"Content-Type: no type\r\nContent-Transfer-Encoding: unheard-of\r\n\r\nbody\r\n",
        # What says 8bit within something signed and is not, stays as well.
        MIME
        + multipart(
            b"Content-Transfer-Encoding: 8bit\r\n" + multipart(PLAIN, boundary=b"y"), kind=b"signed"
        ),
    ],
)
def test_what_needs_no_change_stays(octets: bytes) -> None:
    for eight_bit in (False, True):
        assert converted(octets, eight_bit=eight_bit) == octets


def test_what_the_server_takes_stays() -> None:
    octets = MIME + multipart(LATIN, b"X: \xc3\xa4\r\n\r\nx", kind=b"signed")
    assert converted(octets, eight_bit=True, utf8=True) == octets
    # An old mistake, for which 8BITMIME has to do.
    assert converted(b"Subject: \xe4\r\n\r\n", eight_bit=True) == b"Subject: \xe4\r\n\r\n"


@pytest.mark.parametrize("label", [b"7bit", b"8bit", b"8BIT", b"binary", None])
@pytest.mark.parametrize("charset", [b"utf-8", b"iso-8859-1", b"x-unheard-of"])
def test_text(label: bytes | None, charset: bytes) -> None:
    """Also where the label is wrong (7bit), or there is none."""
    text = b"gr\xc3\xbc\xc3\x9fe \r\n.\r\n" + b"x" * 100 + b"\r\n\r\nbare \r and \n\r\nend"
    kind = b"Content-Type: text/plain; charset=" + charset + b"\r\n"
    encoding = b"" if label is None else b"Content-Transfer-Encoding: " + label + b"\r\n"
    octets = converted(MIME + encoding + kind + b"\r\n" + text)
    header, _, body = octets.partition(b"\r\n\r\n")
    changed = b"Content-Transfer-Encoding: quoted-printable"
    # In its place, and nothing else.
    expected = MIME + (kind + changed if label is None else changed + b"\r\n" + kind[:-2])
    assert header == expected
    assert octets.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not any(line.endswith((b" ", b"\t")) for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert decodestring(body.replace(b"=\r\n", b"")) == text


@given(st.binary(max_size=300))
def test_text_of_any_octets(body: bytes) -> None:
    header = b"Content-Type: text/plain; charset=x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    octets = converted(MIME + header + body)
    encoded = octets.partition(b"\r\n\r\n")[2]
    assert decodestring(encoded.replace(b"=\r\n", b"")) == body
    assert b"\n" not in encoded.replace(b"\r\n", b"")
    assert max(map(len, encoded.split(b"\r\n"))) <= 76


@given(st.binary(max_size=300))
def test_anything_else_of_any_octets(body: bytes) -> None:
    header = b"Content-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    encoded = converted(MIME + header + body, eight_bit=True).partition(b"\r\n\r\n")[2]
    assert b64decode(encoded) == body
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))


@pytest.mark.parametrize("label", [b"7bit", b"8bit", b"binary"])
@pytest.mark.parametrize("charset", ["utf-16", "UTF-16LE", "utf-32be"])
@pytest.mark.parametrize("eight_bit", [False, True])
def test_text_without_lines_of_octets(eight_bit: bool, charset: str, label: bytes) -> None:
    """Never line by line (RFC 2046 section 4.1.2)."""
    text = "grüße\r\n\u0a0d\u0d0a漢\r\n".encode(charset)
    header = f'Content-Type: text/plain; charset="{charset}"\r\n'.encode()
    part = header + b"Content-Transfer-Encoding: " + label + b"\r\n\r\n" + text
    octets = converted(MIME + multipart(part), eight_bit=eight_bit)
    (read,) = message_from_bytes(octets, policy=default).iter_parts()
    assert read["Content-Transfer-Encoding"] == "base64"
    assert read.get_payload(decode=True) == text


@pytest.mark.parametrize(
    "charset", ["utf-16", "utf-16be", "ucs-2", "iso-10646-ucs-4", "utf-32le", "utf_32"]
)
def test_wide_charsets(charset: str) -> None:
    assert is_wide(charset)


@pytest.mark.parametrize("charset", ["utf-8", "utf-7", "", "big5", "iso-8859-16", "utf-166"])
def test_other_charsets(charset: str) -> None:
    assert not is_wide(charset)


def test_at_any_depth() -> None:
    inner = multipart(LATIN, PLAIN, boundary=b"y", kind=b"alternative")
    within = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    octets = MIME + b"Content-Transfer-Encoding: 8bit\r\n"
    octets += multipart(inner, within + TOP + LATIN, PLAIN)
    found = converted(octets)
    quoted = LATIN.replace(
        b"\r\n\r\nh\xe4", b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nh=E4"
    )
    expected = (
        MIME
        + b"Content-Transfer-Encoding: 7bit\r\n"
        + multipart(
            inner.replace(LATIN, quoted),
            # The message within is made one of MIME, too.
            within.replace(b"8bit", b"7bit")
            + TOP
            + quoted.replace(b"\r\n\r\n", b"\r\nMIME-Version: 1.0\r\n\r\n"),
            PLAIN,
        )
    )
    assert found == expected


def test_digests() -> None:
    octets = MIME + multipart(b"\r\nSubject: \xc3\xa4\r\n\r\nbody", kind=b"digest")
    assert b"\r\n\r\nSubject: =?utf-8?b?w6Q=?=\r\n\r\nbody" in converted(octets)


def test_messages_without_mime() -> None:
    """MIME-Version is there where MIME is used (RFC 2045 section 4)."""
    found = converted(TOP + b"\r\ngr\xc3\xbc\xc3\x9fe\r\n")
    assert found == (
        TOP + b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\n"
        b"gr=C3=BC=C3=9Fe\r\n"
    )
    assert b"MIME-Version" in converted(TOP + LATIN)
    assert converted(TOP + LATIN).count(b"ersion") == 1
    assert converted(MIME + LATIN).lower().count(b"mime-version") == 1
    # Not in a part, and not where nothing changes.
    assert b"MIME" not in converted(MIME + multipart(LATIN))
    assert b"MIME" not in converted(TOP + multipart(PLAIN))
    # Encoded-words alone need none.
    assert converted(b"Subject: \xc3\xa4\r\n\r\nx") == b"Subject: =?utf-8?b?w6Q=?=\r\n\r\nx"


def test_a_header_alone() -> None:
    octets = b"A: b\r\nContent-Transfer-Encoding: binary"
    assert converted(octets).startswith(b"A: b\r\nContent-Transfer-Encoding: quoted-printable\r\n")
    octets = multipart(b"Content-Transfer-Encoding: 8bit\r\nContent-Type: message/rfc822")
    assert b"7bit\r\n" in converted(octets)


def test_fields_of_parts() -> None:
    octets = MIME + multipart(b"Content-Disposition: attachment; filename=\xc3\xa4\r\n\r\nx")
    for eight_bit in (False, True):
        found = converted(octets, eight_bit=eight_bit)
        assert found == octets.replace(b"filename=\xc3\xa4", b"filename*=utf-8''%C3%A4")
    assert converted(octets, eight_bit=True, utf8=True) == octets


SIGNED = b"a signed or encrypted part"


@pytest.mark.parametrize(
    "octets, problem",
    [
        (MIME + multipart(LATIN, kind=b"signed"), SIGNED),
        (MIME + multipart(LATIN, kind=b"encrypted"), SIGNED),
        # One level deeper than a direct child, also where the label is wrong.
        (MIME + multipart(multipart(PLAIN, LATIN, boundary=b"y"), kind=b"signed"), SIGNED),
        (
            MIME
            + multipart(
                multipart(b"Content-Transfer-Encoding: 7bit\r\n" + LATIN, boundary=b"y"),
                kind=b"signed",
            ),
            SIGNED,
        ),
        (MIME + multipart(multipart(LATIN, kind=b"signed", boundary=b"y")), SIGNED),
        (MIME + multipart(b"X: \xc3\xa4\r\n\r\nx", kind=b"signed"), b"with a header in UTF-8"),
        (
            MIME + multipart(b"Content-Transfer-Encoding: binary\r\n\r\nx", kind=b"signed"),
            SIGNED,
        ),
        (
            MIME
            + multipart(
                b"Content-Transfer-Encoding: binary\r\n" + multipart(PLAIN, boundary=b"y"),
                kind=b"signed",
            ),
            SIGNED,
        ),
        (TOP + b"\r\nh\xe4", b"text in a charset that it does not name"),
        (MIME + multipart(b"\r\nh\xe4"), b"text in a charset that it does not name"),
        (MIME + b"Subject: \xe4\r\n\r\n", b"in Subject that are not UTF-8"),
        (MIME + b"Content-Transfer-Encoding: base64\r\n\r\n\xe4", b"encoded as 'base64'"),
        (MIME + b"Content-Type: message/partial\r\n\r\n\xe4", b"of type message/partial"),
        (MIME + b"Content-Type: multipart/mixed\r\n\r\n\xe4", b"a multipart without a boundary"),
        (
            MIME + b"Content-Transfer-Encoding: binary\r\nContent-Type: multipart/mixed\r\n\r\nx",
            b"a multipart without a boundary",
        ),
        (MIME + multipart(PLAIN).replace(b"before", b"\xe4"), b"outside of the parts"),
        (MIME + multipart(PLAIN).replace(b"after", b"\xe4"), b"outside of the parts"),
    ],
)
def test_what_cannot_be_converted_without_loss(octets: bytes, problem: bytes) -> None:
    with pytest.raises(LocalProtocolError, match=problem.decode()) as caught:
        converted(octets)
    assert caught.value.code == 554
    assert caught.value.enhanced in ("5.6.3", "5.6.7")
