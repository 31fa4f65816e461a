"""CHECKPOINT (RFC 1845)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import BodyChunk, Data, EndOfBody, LocalProtocolError, Mail, Reply, State
from smtpproto.extensions import Checkpoint, Pipelining, TransactionId
from smtpproto.extensions.checkpoint import go_on_at, offset_of
from tests.pair import Pair, mail, rcpt, read_again

ID = TransactionId("12345@client.example")
ATOM = r"[!#-'*+\-0-9A-Z^-~]"


@given(
    st.from_regex(
        rf"{ATOM}{{1,20}}(\.{ATOM}{{1,9}})?@{ATOM}{{1,20}}(\.{ATOM}{{1,9}})?", fullmatch=True
    )
)
def test_what_is_written_is_read_again(name: str) -> None:
    assert read_again(TransactionId(name)) == TransactionId(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=<>",
        "=12345@client.example",
        "=<12345>",
        "=<@client.example>",
        "=<1@>",
        "=<1@a@b>",
        "=<1..2@a>",
        "=<1;2@a>",
        "=<1@a",
        "=1@a>",
        f"=<1@{'a' * 77}>",
    ],
)
def test_malformed_values(text: str) -> None:
    reply = Pair(Checkpoint()).hello().raw(f"MAIL FROM:<a@client.example> TRANSID{text}")
    assert reply.startswith("501 TRANSID: expected <local@domain> in up to 80 characters")


def test_the_longest_name() -> None:
    longest = TransactionId(f"1@{'a' * 76}")
    assert len(str(longest)) == Checkpoint.extra_length[Mail]


def test_a_transaction_that_was_interrupted() -> None:
    content = b"Subject: long\r\n\r\none\r\ntwo\r\nthree\r\n"
    first = Pair(Checkpoint(), Pipelining()).hello()
    assert [r.code for r in first.talk(mail(ID), rcpt(), Data())] == [250, 250, 354]
    first.talk(BodyChunk(content[:24]))
    saved = b"".join(event.octets for event in first.events if isinstance(event, BodyChunk))
    saved = saved[: saved.rindex(b"\r\n") + 2]
    assert first.server.transaction is not None
    recipients = first.server.transaction.recipients
    # The link is lost.  Both come back to it.

    second = Pair(Checkpoint(), Pipelining()).hello()
    reply = second.say(mail(ID), answer=go_on_at(len(saved)))
    assert offset_of(reply) == len(saved) == 22
    assert {second.client.state, second.server.state} == {State.RCPT}
    for connection in (second.client, second.server):
        assert connection.transaction is not None
        assert connection.transaction.mail == mail(ID)
        connection.transaction.recipients.extend(recipients)
    assert second.say(Data()).code == 354
    assert second.say(BodyChunk(content[len(saved) :]), EndOfBody()).code == 250
    rest = b"".join(event.octets for event in second.events if isinstance(event, BodyChunk))
    assert saved + rest == content
    assert {second.client.state, second.server.state} == {State.READY}
    assert second.client.transaction is second.server.transaction is None


def test_a_transaction_that_begins_anew() -> None:
    pair = Pair(Checkpoint()).hello()
    reply = pair.say(mail(ID))
    assert offset_of(reply) is None
    assert pair.client.state is pair.server.state is State.MAIL


def test_a_transaction_that_is_refused() -> None:
    pair = Pair(Checkpoint()).hello()
    assert pair.say(mail(ID), answer=Reply(451)).code == 451
    assert pair.client.state is pair.server.state is State.READY
    assert pair.client.transaction is None


def test_only_a_transaction_with_a_name_can_go_on() -> None:
    pair = Pair(Checkpoint()).hello()
    pair.client.send(mail())
    pair.server.receive_data(pair.client.data_to_send())
    assert pair.server.next_event() == mail()
    with pytest.raises(LocalProtocolError, match="355 does not answer MAIL"):
        pair.server.send(go_on_at(0))


@pytest.mark.parametrize("text", ["", "somewhere", "-1 is it", "12x"])
def test_offsets_that_are_none(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="355: expected an octet-offset"):
        offset_of(Reply(355, "", text))


@pytest.mark.parametrize("offset", [-1, 10**20])
def test_offsets_that_cannot_be_written(offset: int) -> None:
    with pytest.raises(LocalProtocolError, match="expected an offset of 0 or more"):
        go_on_at(offset)


@pytest.mark.parametrize("text", ["0", "6135 is the transaction offset", "6135\tis it"])
def test_offsets(text: str) -> None:
    assert offset_of(Reply(355, "", text)) == int(text.split(maxsplit=1)[0])
