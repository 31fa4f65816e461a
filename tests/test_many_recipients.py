"""`send_all` and `take_repeated`: the same as one by one, for less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    Client,
    Command,
    Data,
    Domain,
    Ehlo,
    ForwardPath,
    Limits,
    LocalProtocolError,
    Mail,
    Rcpt,
    Reply,
    ReversePath,
    Rset,
    State,
)
from smtpproto.extensions import Notify

MAIL = Mail(ReversePath.of("sender@example.org"))
OFFERS = (b"PIPELINING", b"DSN", b"SMTPUTF8", b"8BITMIME", b"LIMITS RCPTMAX=4 RCPTDOMAINMAX=2")
ACCEPTED = b"250 2.1.5 OK\r\n"


def rcpt(number: int, *parameters: Any) -> Rcpt:
    return Rcpt(ForwardPath.of(f"user{number}@example{number % 3}.com"), parameters)


def ready(
    offers: Sequence[bytes] = (b"PIPELINING",), unanswered: int = 512, observer: Any = None
) -> Client:
    client = Client(limits=Limits(unanswered=unanswered), observer=observer)
    client.receive_data(b"220 mx.example ESMTP\r\n")
    client.next_event()
    client.send(Ehlo(Domain("client.example")))
    client.data_to_send()
    lines = [b"mx.example", *offers]
    client.receive_data(b"".join(b"250-%s\r\n" % line for line in lines) + b"250 HELP\r\n")
    client.next_event()
    return client


def look(client: Client) -> object:
    transaction = client.transaction
    return (
        client.state,
        client.pending,
        client.queued,
        None if transaction is None else (transaction.mail, transaction.recipients),
    )


def replies(client: Client) -> list[Reply]:
    found = []
    while isinstance(event := client.next_event(), Reply):
        found.append(event)
    return found


def test_a_thousand_recipients() -> None:
    client = ready()
    recipients = [rcpt(number) for number in range(1000)]
    client.send_all([MAIL, *recipients, Data()])
    first = client.data_to_send()
    assert first.count(b"\r\n") == 512
    assert client.pending == 1002
    client.receive_data(b"250 2.1.0 OK\r\n" + ACCEPTED * 511)
    mail, one, two = client.next_event(), client.next_event(), client.next_event()
    assert [each.command for each in (mail, one, two) if isinstance(each, Reply)] == [
        MAIL,
        *recipients[:2],
    ]
    assert client.take_repeated() == 509
    assert client.take_repeated() == 0
    second = client.data_to_send()
    assert second.endswith(b"RCPT TO:<user999@example0.com>\r\nDATA\r\n")
    client.receive_data(ACCEPTED * 489 + b"354 go on\r\n")
    last = client.next_event()
    assert isinstance(last, Reply)
    assert last.command is recipients[511]
    assert client.take_repeated() == 488
    data = client.next_event()
    assert isinstance(data, Reply)
    assert data.command == Data()
    assert client.state is State.CONTENT
    assert client.transaction is not None
    assert client.transaction.recipients == recipients


def test_only_what_is_the_same_is_taken() -> None:
    client = ready()
    client.send_all([MAIL, *(rcpt(number) for number in range(6))])
    client.receive_data(
        b"250 OK\r\n250 OK\r\n250 OK\r\n250 OK\r\n550 no\r\n250 OK\r\n250 O"  # the last one comes
    )
    for _ in range(3):
        client.next_event()
    assert client.take_repeated() == 1
    refused = client.next_event()
    assert isinstance(refused, Reply)
    assert refused.command == rcpt(3)
    assert client.take_repeated() == 0
    client.next_event()
    assert client.take_repeated() == 0
    client.receive_data(b"K\r\n")
    assert client.take_repeated() == 1
    assert client.pending == 0
    assert client.transaction is not None
    assert client.transaction.recipients == [rcpt(number) for number in (0, 1, 2, 4, 5)]


def test_a_reply_in_several_lines_is_not_repeated() -> None:
    client = ready()
    client.send_all([MAIL, rcpt(0), rcpt(1), rcpt(2)])
    client.receive_data(b"250 OK\r\n" + b"250-well\r\n250 OK\r\n" * 3)
    client.next_event()
    client.next_event()
    client.next_event()
    assert client.take_repeated() == 0


def test_runs_of_one_cost_no_more_than_long_ones() -> None:
    """Each is looked at once or twice, however they are mixed."""
    looked = 0

    class Looking(list[Command]):
        def __getitem__(self, index: Any) -> Any:
            nonlocal looked
            looked += 1
            return super().__getitem__(index)

        def __iter__(self) -> Any:
            raise AssertionError("from the beginning again")

    plain, other = rcpt(1), rcpt(2, Notify(("NEVER",)))
    client = ready([b"PIPELINING", b"DSN"])
    client.send_all(Looking([MAIL, *([plain, plain, other] * 200)]))
    assert client.pending == 601
    assert looked <= 3 * 601


def test_extensions_look_at_each() -> None:
    client = ready([b"PIPELINING", b"8BITMIME", b"SMTPUTF8"])
    recipients = [*map(rcpt, range(3)), Rcpt(ForwardPath.of("jürgen@example.com")), rcpt(4)]
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        client.send_all([MAIL, *recipients, Data()])
    assert client.data_to_send().count(b"RCPT") == 3
    client.receive_data(b"250 OK\r\n" * 4)
    assert len(replies(client)) == 4
    client.send_all(recipients[4:])
    assert client.data_to_send().count(b"RCPT") == 1


@pytest.mark.parametrize(
    "address, complaint",
    [
        ("jürgen@example.com", "only ASCII, as SMTPUTF8 was not offered"),
        (f"user@{'.'.join(['x' * 60] * 9)}.com", "octets with its CRLF, 512 are allowed"),
    ],
)
def test_those_before_one_that_does_not_fit_leave(address: str, complaint: str) -> None:
    client = ready()
    long = Rcpt(ForwardPath.of(address, limits=Limits(path=1000, domain=1000)))
    with pytest.raises(LocalProtocolError, match=complaint):
        client.send_all([MAIL, *map(rcpt, range(4)), long, rcpt(5)])
    assert client.data_to_send().count(b"RCPT") == 4


def test_nothing_is_repeated_before_anything_was_said() -> None:
    assert Client().take_repeated() == 0


def test_an_observer_hears_of_each() -> None:
    heard: list[tuple[str, bytes]] = []
    client = ready(observer=lambda who, octets, content: heard.append((who, octets)))
    del heard[:]
    client.send_all([MAIL, rcpt(0), rcpt(1), rcpt(2)])
    client.receive_data(b"250 OK\r\n" * 4)
    while isinstance(client.next_event(), Reply):
        assert client.take_repeated() == 0
    assert [who for who, _ in heard] == ["C"] * 4 + ["S"] * 4


@pytest.mark.parametrize("message", ["RSET", Rset, None])
def test_all_are_commands(message: Any) -> None:
    client = ready()
    with pytest.raises(TypeError):
        client.send_all([MAIL, message, Data()])
    assert client.data_to_send().count(b"\r\n") == 1


def test_a_broken_connection_says_so() -> None:
    client = ready()
    client.receive_data(b"nonsense\r\n")
    with pytest.raises(Exception, match="reply code"):
        client.next_event()
    with pytest.raises(LocalProtocolError, match="the connection is broken"):
        client.send_all([MAIL])


recipients = st.builds(
    lambda number, notify: rcpt(number, *([Notify(("NEVER",))] if notify else [])),
    st.integers(0, 5),
    st.sampled_from([False, False, False, True]),
) | st.just(Rcpt(ForwardPath.of("jürgen@example.com")))
commands = st.lists(
    st.one_of(recipients, recipients, recipients, st.sampled_from([MAIL, Data(), Rset()])),
    max_size=12,
)
answers = st.lists(
    st.sampled_from([b"250 OK\r\n", b"250 OK\r\n", b"250 fine\r\n", b"550 no\r\n", b"421 bye\r\n"]),
    max_size=14,
).map(b"".join)


@given(
    commands.map(lambda rest: [MAIL, *rest]),
    answers,
    st.sets(st.sampled_from(OFFERS)).map(sorted),
    st.integers(1, 5),
)
def test_it_makes_no_difference(
    all_of_them: list[Command], answered: bytes, offers: list[bytes], unanswered: int
) -> None:
    each, together = (ready(offers, unanswered) for _ in range(2))
    errors = []
    for client in (each, together):
        try:
            if client is together:
                client.send_all(all_of_them)
            else:
                for command in all_of_them:
                    client.send(command)
            errors.append("")
        except LocalProtocolError as error:
            errors.append(str(error))
    assert errors[0] == errors[1]
    assert look(each) == look(together)
    assert each.data_to_send() == together.data_to_send()
    seen: list[list[object]] = [[], []]
    for client, events in ((each, seen[0]), (together, seen[1])):
        client.receive_data(answered)
        try:
            while isinstance(event := client.next_event(), Reply):
                events.append(str(event))
                if client is together:
                    events.extend([str(event)] * client.take_repeated())
            events.append(event)
        except Exception as error:  # noqa: BLE001  the same on both sides
            events.append(repr(error))
    assert seen[0] == seen[1]
    assert look(each) == look(together)
    assert each.data_to_send() == together.data_to_send()
