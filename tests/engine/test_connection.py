"""What client and server share: buffers, ends, TLS, and the change of roles."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from smtpproto import (
    Client,
    Command,
    Data,
    Domain,
    Ehlo,
    ForwardPath,
    LocalProtocolError,
    Mail,
    Need,
    Noop,
    Rcpt,
    RemoteProtocolError,
    Reply,
    ReversePath,
    Rset,
    Server,
    Session,
    State,
    TLSFacts,
)
from smtpproto.extensions import Answered, Extension, Pipelining, SessionEvent
from smtpproto.testing import Pair
from smtpproto.vocabulary.session_facts import Transaction
from smtpproto.vocabulary.states import Transition
from tests.weight import weight

MAIL = Mail(ReversePath(None))
RCPT = Rcpt(ForwardPath(None))
NO = Reply(550, "5.0.0", "no")


@dataclass(frozen=True, slots=True)
class Upgrade(Command):
    verb = "XTLS"
    accepted = (220, "2.0.0", "go ahead")


@dataclass(frozen=True, slots=True)
class Seen:
    """A fact of the session: what the extension was told of."""

    what: tuple[str, ...] = ()


def seen(session: Session, what: str) -> Session:
    return session.with_fact(Seen((*(session.get(Seen) or Seen()).what, what)))


class Special(Extension):
    """An extension that keeps a diary, and can do all that changes a connection."""

    keyword = "XSPECIAL"
    commands = (Upgrade,)
    watches = (Noop,)
    transitions = {State.READY: {"XTLS": Transition(ok=State.TLS)}}

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        if isinstance(event, Answered):
            return seen(session, f"{event.command.verb} answered")
        return seen(session, type(event).__name__)


def pair(*, session: Session | None = None) -> Pair:
    return Pair.offering(
        Pipelining(), Special(), known=[Pipelining, Special], session=session
    ).hello()


def diary(session: Session) -> tuple[str, ...]:
    return (session.get(Seen) or Seen()).what


def connections() -> list[Client | Server]:
    return [Client(), Server("mx.example")]


# --- octets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("connection", connections(), ids=["client", "server"])
def test_nothing_after_the_end(connection: Client | Server) -> None:
    connection.receive_eof()
    # What a socket gives at the end says the same.
    connection.receive_data(b"")
    connection.receive_eof()
    with pytest.raises(LocalProtocolError, match="bytes came after the end"):
        connection.receive_data(b"more")


@pytest.mark.parametrize("state", [State.CLOSED, State.ERROR])
@pytest.mark.parametrize("connection", connections(), ids=["client", "server"])
def test_what_comes_after_the_session_is_not_kept(
    connection: Client | Server, state: State
) -> None:
    connection.state = state
    held = weight(connection)
    connection.receive_data(b"x" * 10_000)
    assert weight(connection) == held


def test_what_is_queued_leaves_once_and_together() -> None:
    server = Server("mx.example")
    assert server.data_to_send() == b""
    server.accept()
    server.receive_data(b"NOOP\r\nNOOP\r\n")
    for _ in range(2):
        server.next_event()
        server.accept()
    assert server.queued == 38
    assert server.data_to_send() == b"220 mx.example ESMTP\r\n250 OK\r\n250 OK\r\n"
    assert server.queued == 0
    assert server.data_to_send() == b""


@pytest.mark.parametrize("line", ["a\r\nb", "\n", "\r", "\0"])
def test_a_line_is_one_line(line: str) -> None:
    class Broken(Noop):
        def line(self) -> str:
            return line

    client = Client()
    client.receive_data(b"220 mx.example\r\n")
    client.next_event()
    with pytest.raises(LocalProtocolError, match="holds CR, LF or NUL"):
        client.send(Broken())
    assert client.data_to_send() == b""


# --- the transaction ----------------------------------------------------------------------------


def test_both_sides_keep_the_same() -> None:
    both = pair()
    both.talk(MAIL, RCPT, RCPT, answers=[None, None, NO])
    for side in (both.client, both.server):
        assert isinstance(side.transaction, Transaction)
        assert side.transaction.mail == MAIL
        assert side.transaction.recipients == [RCPT]
    both.say(Rset())
    for side in (both.client, both.server):
        assert side.transaction is None
        assert side.state is State.READY


def test_extensions_are_told_on_both_sides() -> None:
    both = pair()
    before = len(diary(both.server.session))
    both.say(Noop(), answers=[NO])
    both.say(Noop())
    both.talk(MAIL, RCPT)
    both.say(Rset())
    after = diary(both.server.session)[before:]
    assert after == ("NOOP answered", "NOOP answered", "TransactionOver")
    assert diary(both.client.session)[-3:] == after


def test_a_second_ehlo_forgets_the_first() -> None:
    both = pair()
    both.hello(helo=True)
    for side in (both.client, both.server):
        assert len(side.offered) == 0
        assert not side.session.extended
    both.hello()
    assert both.server.session.extended
    # Refused, it changes nothing.
    both.say(Ehlo(Domain("other.example")), answers=[NO])
    assert len(both.client.offered) == len(both.server.offered) == 2


def test_extensions_not_in_force_are_told_nothing() -> None:
    both = Pair.offering(Special(), known=[Special]).hello(helo=True)
    both.say(Noop())
    assert diary(both.server.session) == diary(both.client.session)


def test_an_intermediate_reply_keeps_nothing_new() -> None:
    both = pair()
    both.talk(MAIL, RCPT, Data())
    for side in (both.client, both.server):
        assert side.state is State.CONTENT
        assert side.transaction is not None
        assert side.transaction.recipients == [RCPT]


def test_a_recipient_without_a_transaction_is_kept_nowhere() -> None:
    class Early(Extension):
        keyword = "XEARLY"
        transitions = {State.READY: {"RCPT": Transition()}}

    server = Server("mx.example", [Early()])
    server.receive_data(b"EHLO client.example\r\nRCPT TO:<postmaster>\r\n")
    while not isinstance(server.next_event(), Need) or server.owed:
        if server.owed:
            server.accept()
    assert server.transaction is None
    assert server.data_to_send().endswith(b"250 OK\r\n")


def test_authenticated() -> None:
    both = pair()
    both.server.authenticated("eve")
    assert both.server.session.identity == "eve"


# --- TLS ----------------------------------------------------------------------------------------


def test_tls_makes_both_forget() -> None:
    """RFC 3207 section 4.2."""
    both = pair(session=Session(peer="192.0.2.1"))
    both.server.authenticated("eve")
    assert len(both.server.offered) == len(both.client.offered) == 2
    both.tls = None
    both.say(Upgrade())
    facts = TLSFacts("TLSv1.3")
    for side in (both.client, both.server):
        assert side.next_event() is Need.TLS
        side.tls_established(facts)
        assert side.state is State.GREETED
        assert side.session.secure
        assert side.session.tls is facts
        assert side.session.name is None
        assert side.session.identity is None
        assert len(side.offered) == 0
        with pytest.raises(LocalProtocolError, match="no TLS handshake is due"):
            side.tls_established()
    assert both.server.session.peer == "192.0.2.1"
    both.hello()
    assert both.server.state is both.client.state is State.READY


@pytest.mark.parametrize("connection", connections(), ids=["client", "server"])
def test_tls_before_all_else(connection: Client | Server) -> None:
    """RFC 8314 section 3.3: the greeting comes after the handshake."""
    connection.tls_established(TLSFacts("TLSv1.3"))
    assert connection.state is State.CONNECTED
    assert connection.session.secure


@pytest.mark.parametrize("connection", connections(), ids=["client", "server"])
def test_nothing_of_plain_text_survives_the_handshake(connection: Client | Server) -> None:
    connection.receive_data(b"220 injected\r\n")
    with pytest.raises(RemoteProtocolError, match="plain text came before the TLS handshake"):
        connection.tls_established()
    assert not connection.session.secure
