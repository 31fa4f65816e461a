"""LIMITS: written and read, obeyed by a server, and what a client makes of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    Command,
    ConnectionClosed,
    Data,
    Domain,
    ForwardPath,
    LocalProtocolError,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Reply,
    ReversePath,
    Rset,
    Session,
    State,
)
from smtpproto.extensions import Answered, Bdat, Chunking, Pipelining, ServerLimits, Usage
from smtpproto.testing import Pair

MAIL = Mail(ReversePath.of("a@client.example"))
NO = Reply(550, "5.7.1", "not you")

NUMBERS = st.none() | st.integers(1, 999_999)
NAMES = st.text("ABCxyz09-_", min_size=1, max_size=8).filter(
    lambda name: name.upper() not in ("MAILMAX", "RCPTMAX", "RCPTDOMAINMAX")
)
VALUES = st.none() | st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=";"),
    min_size=1,
    max_size=8,
)
LIMITS = st.builds(
    ServerLimits,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.lists(st.tuples(NAMES, VALUES), max_size=3).map(tuple),
)


def rcpt(address: str) -> Rcpt:
    return Rcpt(ForwardPath.of(address))


# --- the EHLO line ----------------------------------------------------------------------------


@given(LIMITS)
def test_what_is_written_is_read_again(limits: ServerLimits) -> None:
    keyword, _, arguments = limits.line().partition(" ")
    assert keyword == "LIMITS"
    assert ServerLimits.parse_offer(arguments) == limits


@pytest.mark.parametrize(
    "arguments, limits",
    [
        ("", ServerLimits()),
        ("MAILMAX=10 RCPTMAX=100 RCPTDOMAINMAX=1", ServerLimits(10, 100, 1)),
        ("rcptmax=5  MailMax=7", ServerLimits(7, 5)),
        ("RCPTMAX=999999", ServerLimits(rcptmax=999_999)),
        # RFC 9422 section 3: unknown limits are no reason to ignore the others.
        (
            "FOO=bar=baz RCPTMAX=5 X_Y",
            ServerLimits(rcptmax=5, others=(("FOO", "bar=baz"), ("X_Y", None))),
        ),
        # Nor are malformed ones.
        ("RCPTMAX=0 MAILMAX=1", ServerLimits(1)),
        ("RCPTMAX=05 MAILMAX=1", ServerLimits(1)),
        ("RCPTMAX=1000000 MAILMAX=1", ServerLimits(1)),
        ("RCPTMAX= RCPTMAX MAILMAX=1", ServerLimits(1)),
        ("RCPTMAX=-1 RCPTMAX=1e3 MAILMAX=1", ServerLimits(1)),
        ("RCPTMAX=\N{ARABIC-INDIC DIGIT FIVE} MAILMAX=1", ServerLimits(1)),
        ("FOO=a;b =5 é=1 MAILMAX=1", ServerLimits(1)),
        ("MAILMAX=1 MAILMAX=2", ServerLimits(1)),
    ],
)
def test_offers(arguments: str, limits: ServerLimits) -> None:
    assert ServerLimits.parse_offer(arguments) == limits


@given(st.text(max_size=60))
def test_any_offer_can_be_read(arguments: str) -> None:
    limits = ServerLimits.parse_offer(arguments)
    assert ServerLimits.parse_offer(limits.arguments()) == limits


@pytest.mark.parametrize("number", [0, -1, 1_000_000])
def test_numbers_out_of_range(number: int) -> None:
    with pytest.raises(LocalProtocolError, match="MAILMAX: expected 1 to 999999"):
        ServerLimits(mailmax=number)
    with pytest.raises(LocalProtocolError, match="RCPTMAX: expected 1 to 999999"):
        ServerLimits(rcptmax=number)
    with pytest.raises(LocalProtocolError, match="RCPTDOMAINMAX: expected 1 to 999999"):
        ServerLimits(rcptdomainmax=number)


@pytest.mark.parametrize(
    "other", [("", None), ("A B", None), ("A", ""), ("A", "b;c"), ("A", "b c"), ("mailmax", "1")]
)
def test_other_limits_that_cannot_be_written(other: tuple[str, str | None]) -> None:
    with pytest.raises(LocalProtocolError, match="no further limit"):
        ServerLimits(others=(other,))


# --- the server -------------------------------------------------------------------------------


def test_recipients_of_one_transaction() -> None:
    both = Pair.offering(ServerLimits(rcptmax=2)).hello()
    for _ in range(2):
        both.say(MAIL)
        assert both.say(rcpt("b@mx.example")).code == 250
        assert both.say(rcpt("c@mx.example")).code == 250
        assert both.raw("RCPT TO:<d@mx.example>").startswith("452 ")
        assert both.say(Rset()).code == 250


def test_transactions_of_one_session() -> None:
    """Refused ones count; what was not offered yet does not."""
    both = Pair.offering(ServerLimits(mailmax=2)).hello()
    assert both.say(MAIL, answers=[NO]).code == 550
    assert both.say(MAIL).code == 250
    both.say(Rset())
    assert both.server.session.get(Usage) == Usage(2)
    assert both.raw("MAIL FROM:<a@client.example>").startswith("421 ")
    assert both.server.state is State.CLOSED
    assert isinstance(both.events[-1], ConnectionClosed)


def test_the_count_outlives_ehlo() -> None:
    both = Pair.offering(ServerLimits(mailmax=2)).hello()
    both.say(MAIL)
    both.hello()
    assert both.say(MAIL).code == 250
    both.say(Rset())
    assert both.raw("MAIL FROM:<a@client.example>").startswith("421 ")


def test_domains_of_one_session() -> None:
    both = Pair.offering(ServerLimits(rcptdomainmax=2)).hello()
    for _ in range(2):
        both.say(MAIL)
        for address in ("b@one.example", "c@ONE.example", "d@[192.0.2.1]", "postmaster"):
            assert both.say(rcpt(address)).code == 250
        assert both.raw("RCPT TO:<e@two.example>").startswith("452 ")
        both.say(Rset())
    usage = both.server.session.get(Usage)
    assert usage is not None
    assert Domain("One.example") in usage.domains
    assert len(usage.domains) == 2


def test_domains_are_not_kept_for_nothing() -> None:
    both = Pair.offering(ServerLimits(rcptmax=5)).hello()
    both.say(MAIL)
    both.say(rcpt("b@mx.example"))
    assert both.server.session.get(Usage) == Usage(1)


def test_nothing_is_counted_where_it_is_not_offered() -> None:
    both = Pair.offering(ServerLimits(mailmax=1)).hello(helo=True)
    for _ in range(3):
        assert both.say(MAIL).code == 250
        both.say(Rset())
    assert both.server.session.get(Usage) is None


def test_the_wrong_order_comes_first() -> None:
    limits = ServerLimits(1, 1, 1)
    assert limits.check(rcpt("b@mx.example"), Session(), None) is None
    assert limits.check(Noop(), Session(), None) is None
    answered = Answered(Noop(), positive=True, on_server=True)
    assert ServerLimits.after(answered, Session()) == Session()


# --- the client -------------------------------------------------------------------------------


def test_a_client_is_told_before_it_sends() -> None:
    both = Pair.offering(Pipelining(), ServerLimits(1, 2, 1)).hello()
    assert both.client.offered.get(ServerLimits) == ServerLimits(1, 2, 1)
    # Pipelined: no reply has come yet.
    both.send(MAIL, rcpt("b@mx.example"), rcpt("c@mx.example"))
    with pytest.raises(LocalProtocolError, match="too many recipients") as caught:
        both.client.send(rcpt("d@mx.example"))
    assert caught.value.code == 452
    both.run()
    assert both.client.session.get(Usage) == both.server.session.get(Usage)
    both.say(Rset())
    with pytest.raises(LocalProtocolError, match="too many mail transactions"):
        both.client.send(MAIL)


def test_a_client_is_told_of_domains() -> None:
    both = Pair.offering(ServerLimits(rcptdomainmax=1)).hello()
    both.say(MAIL)
    both.say(rcpt("b@one.example"))
    with pytest.raises(LocalProtocolError, match="too many domains"):
        both.client.send(rcpt("b@two.example"))


def addresses(limits: ServerLimits, recipients: list[Rcpt]) -> list[list[str]]:
    return [
        [recipients[index].forward_path.address for index in batch]
        for batch in limits.batches(recipients)
    ]


@pytest.mark.parametrize(
    "limits, batches",
    [
        (ServerLimits(), [["a@x", "b@y", "c@x", "postmaster", "d@z"]]),
        (ServerLimits(rcptmax=2), [["a@x", "b@y"], ["c@x", "postmaster"], ["d@z"]]),
        (ServerLimits(rcptdomainmax=1), [["postmaster", "a@x", "c@x"], ["b@y"], ["d@z"]]),
        (ServerLimits(rcptdomainmax=2), [["postmaster", "a@x", "c@x", "b@y"], ["d@z"]]),
        (
            ServerLimits(rcptmax=2, rcptdomainmax=1),
            [["postmaster", "a@x"], ["c@x"], ["b@y"], ["d@z"]],
        ),
    ],
)
def test_batches(limits: ServerLimits, batches: list[list[str]]) -> None:
    recipients = [rcpt(address) for address in ("a@x", "b@y", "c@x", "postmaster", "d@z")]
    assert addresses(limits, recipients) == batches


def test_batches_of_little() -> None:
    for limits in (ServerLimits(), ServerLimits(1, 1, 1)):
        assert limits.batches([]) == []
        assert addresses(limits, [rcpt("postmaster")]) == [["postmaster"]]


@given(LIMITS, st.lists(st.sampled_from(["a@x", "b@x", "c@y", "d@z", "postmaster"]), max_size=12))
def test_batches_fit(limits: ServerLimits, recipients: list[str]) -> None:
    """No recipient is lost, and a new session allows each batch."""
    rcpts = [rcpt(address) for address in recipients]
    batches = limits.batches(rcpts)
    assert sorted(itertools.chain(*batches)) == list(range(len(recipients)))
    for batch in batches:
        assert batch
        assert limits.allows([rcpts[index] for index in batch], Session())
        assert len(batch) <= (limits.rcptmax or 1000)


def test_when_a_new_session_is_due() -> None:
    limits = ServerLimits(mailmax=2, rcptdomainmax=1)
    batch = (rcpt("a@x"),)
    session = Session()
    assert limits.allows(batch, session)
    used = session.with_fact(Usage(1, frozenset({Domain("x")})))
    assert limits.allows(batch, used)
    assert not limits.allows((rcpt("a@y"),), used)
    assert limits.allows((rcpt("postmaster"),), used)
    assert not limits.allows(batch, session.with_fact(Usage(2)))


@pytest.mark.parametrize("command", [Data(), Rset(), Noop(), Quit(), Bdat(0, last=True)])
def test_what_a_client_may_say_once_the_envelope_is_full(command: Command) -> None:
    """RFC 9422 section 4: a limit on recipients refuses the next one, and nothing else."""
    pair = Pair.offering(Pipelining(), Chunking(), ServerLimits(rcptmax=2)).hello()
    pair.talk(MAIL, *[rcpt("b@mx.example")] * 2)
    with pytest.raises(LocalProtocolError):
        pair.client.send(rcpt("b@mx.example"))
    assert pair.say(command).code < 400
