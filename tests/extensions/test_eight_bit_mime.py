"""8BITMIME: the kinds of content that it allows."""

from __future__ import annotations

import pytest

from smtpproto import (
    ContentChunk,
    Data,
    EndOfContent,
    LocalProtocolError,
)
from smtpproto.extensions import Body, EightBitMime, SizeParameter
from smtpproto.testing import Pair
from tests.commands import longest_line, mail, rcpt

A = mail().reverse_path
KINDS = ["7BIT", "8BITMIME", "BINARYMIME"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_again(kind: str) -> None:
    body = Body(kind)
    assert str(body) == f"BODY={kind}"
    assert Body.parse(kind) == Body.parse(kind.lower()) == body


@pytest.mark.parametrize(
    "value", ["7bits", "8BIT", "", "7BIT,8BITMIME", "B\N{LATIN SMALL LETTER DOTLESS I}NARYMIME"]
)
def test_other_values(value: str) -> None:
    with pytest.raises(LocalProtocolError, match="BODY: expected 7BIT"):
        Body.parse(value)


@pytest.mark.parametrize("kind", ["7BIT", "8BITMIME"])
def test_content_of_octets(kind: str) -> None:
    both = Pair.offering(EightBitMime()).hello()
    command = mail(Body(kind))
    both.talk(command, rcpt(), Data())
    octets = bytes(range(128, 256)) + b"\r\n"
    assert both.say(ContentChunk(octets), EndOfContent()).code == 250
    assert both.events == [command, rcpt(), Data(), ContentChunk(octets), EndOfContent()]


def test_a_kind_of_another_extension() -> None:
    both = Pair.offering(EightBitMime()).hello()
    with pytest.raises(LocalProtocolError, match=r"BODY=BINARYMIME is not offered"):
        both.client.send(mail(Body("BINARYMIME")))
    assert both.raw(f"MAIL FROM:{A} BODY=BINARYMIME").startswith("555 ")
    assert EightBitMime().covers(SizeParameter(1))


def test_longer_lines() -> None:
    """RFC 6152 section 2: 17 octets more for MAIL."""
    assert longest_line("MAIL", EightBitMime()) == longest_line("NOOP", EightBitMime()) + 17
