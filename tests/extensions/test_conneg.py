"""CONPERM and CONNEG (RFC 4141)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError, Reply
from smtpproto.extensions import Conneg, ConnegParameter, Conperm, ConpermParameter
from smtpproto.extensions.conneg import capabilities, with_capabilities
from smtpproto.testing import Pair
from tests.commands import mail, rcpt

FAX = "(&(image-file-structure=TIFF-minimal)(MRC-mode=0)(color=Binary)(dpi=[204,200]))"


def test_what_content_suits_a_recipient() -> None:
    pair = Pair.offering(Conperm(), Conneg()).hello()
    assert pair.say(mail(ConpermParameter())).code == 250
    answer = with_capabilities(Reply(250, "2.1.5", "recipient OK"), FAX)
    reply = pair.say(rcpt(ConnegParameter()), answers=[answer])
    assert reply.lines == ("recipient OK", f"CONNEG {FAX}")
    assert capabilities(reply) == FAX
    assert pair.server.transaction is not None
    assert pair.server.transaction.recipients == [rcpt(ConnegParameter())]


def test_a_long_list_goes_over_several_lines() -> None:
    pair = Pair.offering(Conneg()).hello()
    wanted = f"(|{FAX * 20})"
    assert pair.say(mail()).code == 250
    reply = pair.say(rcpt(ConnegParameter()), answers=[with_capabilities(Reply(250), wanted)])
    assert reply.lines[0] == "recipient OK"
    assert len(reply.lines) > 4
    found = capabilities(reply)
    assert found is not None
    assert found.replace(" ", "") == wanted


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=2000))
def test_nothing_is_lost(text: str) -> None:
    reply = with_capabilities(Reply(250), text)
    assert all(len(line) <= 500 for line in reply.lines)
    found = capabilities(reply)
    assert found is not None
    assert found.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "reply", [Reply(250, "2.1.5", "recipient OK"), Reply(550, "5.1.1", "no\nCONNEG (a=1)")]
)
def test_replies_that_tell_nothing(reply: Reply) -> None:
    assert capabilities(reply) is None


def test_a_refusal_tells_nothing() -> None:
    with pytest.raises(LocalProtocolError, match="tells of no capabilities"):
        with_capabilities(Reply(550), FAX)
