"""SIZE: what is declared, what is offered, and what comes."""

from __future__ import annotations

import pytest

from smtpproto import (
    ContentChunk,
    Data,
    EndOfContent,
    LocalProtocolError,
    Rejected,
)
from smtpproto.extensions import Size, SizeParameter
from smtpproto.testing import Pair
from tests.commands import longest_line, mail, rcpt

A, B = mail().reverse_path, rcpt().forward_path


@pytest.mark.parametrize(
    "value", [None, "", "-1", "+1", "1.5", "1k", " 1", "1" * 21, "\N{ARABIC-INDIC DIGIT FIVE}"]
)
def test_malformed_numbers(value: str | None) -> None:
    with pytest.raises(LocalProtocolError, match="SIZE: expected 1 to 20 digits") as caught:
        SizeParameter.parse(value)
    assert caught.value.code == 501
    if value:
        with pytest.raises(LocalProtocolError, match="SIZE: expected 1 to 20 digits"):
            Size.parse_offer(value)


@pytest.mark.parametrize("octets", [-1, 10**20, 10**4000])
def test_numbers_that_cannot_be_written(octets: int) -> None:
    with pytest.raises(LocalProtocolError, match="1 to 20 digits"):
        SizeParameter(octets)
    with pytest.raises(LocalProtocolError, match="1 to 20 digits"):
        Size(octets)


@pytest.mark.parametrize(
    "size, line", [(Size(), "SIZE"), (Size(0), "SIZE 0"), (Size(1000), "SIZE 1000")]
)
def test_offers(size: Size, line: str) -> None:
    assert size.line() == line
    assert Pair.offering(size).hello().client.offered.get(Size) == size


@pytest.mark.parametrize("limit", [None, 0])
def test_no_limit(limit: int | None) -> None:
    """RFC 1870 section 4: 0 means no fixed limit."""
    both = Pair.offering(Size(limit)).hello()
    both.talk(mail(SizeParameter(10**19)), rcpt(), Data())
    assert both.say(ContentChunk(b"x" * 100_000 + b"\r\n"), EndOfContent()).code == 250


@pytest.mark.parametrize("octets, fits", [(0, True), (1000, True), (1001, False), (10**19, False)])
def test_declared(octets: int, fits: bool) -> None:
    both = Pair.offering(Size(1000)).hello()
    command = mail(SizeParameter(octets))
    if fits:
        assert both.say(command).code == 250
    else:
        with pytest.raises(LocalProtocolError, match="exceeds fixed maximum") as caught:
            both.client.send(command)
        assert caught.value.code == 552
    assert both.raw(f"MAIL FROM:{A} SIZE={octets}").startswith("503 " if fits else "552 ")


@pytest.mark.parametrize("declared", [(), (SizeParameter(10),)])
@pytest.mark.parametrize("octets, fits", [(998, True), (999, False), (5000, False)])
def test_what_comes(declared: tuple[SizeParameter, ...], octets: int, fits: bool) -> None:
    """The declared size makes no difference (RFC 1870 section 6.3)."""
    both = Pair.offering(Size(1000)).hello()
    both.talk(mail(*declared), rcpt(), Data())
    reply = both.say(ContentChunk(b"x" * octets + b"\r\n"), EndOfContent())
    assert reply.code == (250 if fits else 552)
    assert isinstance(both.events[-1], EndOfContent if fits else Rejected)


def test_dot_transparency_does_not_count() -> None:
    both = Pair.offering(Size(8)).hello()
    both.talk(mail(), rcpt(), Data())
    assert both.say(ContentChunk(b".\r\n...\r\n"), EndOfContent()).code == 250


def test_it_belongs_to_mail() -> None:
    both = Pair.offering(Size(1000)).hello()
    both.say(mail())
    with pytest.raises(LocalProtocolError, match="SIZE is not offered"):
        both.client.send(rcpt(SizeParameter(10)))
    assert both.raw(f"RCPT TO:{B} SIZE=10").startswith("555 ")


def test_longer_lines() -> None:
    """RFC 1870 section 3: 26 octets more for MAIL."""
    assert longest_line("MAIL", Size()) == longest_line("NOOP", Size()) + 26


def test_where_it_is_not_offered() -> None:
    both = Pair.offering().hello()
    with pytest.raises(LocalProtocolError, match="not offered"):
        both.client.send(mail(SizeParameter(10)))
    assert both.raw(f"MAIL FROM:{A} SIZE=10").startswith("555 ")
