from __future__ import annotations

from dataclasses import dataclass, fields

from smtpproto.extensions import Extension
from smtpproto.vocabulary.addresses import Domain
from smtpproto.vocabulary.commands import Mail, Rcpt
from smtpproto.vocabulary.paths import ForwardPath, ReversePath
from smtpproto.vocabulary.session_facts import (
    NameKind,
    Offered,
    PeerName,
    Protocol,
    Session,
    TLSFacts,
    Transaction,
    changed,
)


@dataclass(frozen=True)
class Size(Extension):
    keyword = "SIZE"
    limit: int


@dataclass(frozen=True)
class Colour(Extension):
    keyword = "COLOUR"
    name: str


class TestOffered:
    def test_by_class(self) -> None:
        offered = Offered([Size(5), Colour("blue")])
        assert offered.get(Size) == Size(5)
        assert Size in offered
        assert Colour in offered
        assert offered.get(int) is None
        assert int not in offered

    def test_in_order(self) -> None:
        offered = Offered([Colour("blue"), Size(5)])
        assert list(offered) == [Colour("blue"), Size(5)]
        assert len(offered) == 2

    def test_nothing(self) -> None:
        assert len(Offered()) == 0
        assert not list(Offered())

    def test_shown(self) -> None:
        assert repr(Offered([Size(5)])) == "Offered((Size(limit=5),))"


class TestSession:
    def test_at_first_nothing_is_known(self) -> None:
        session = Session()
        assert session.protocol is Protocol.SMTP
        assert (session.name, session.identity, session.tls) == (None, None, None)
        assert not session.secure
        assert not session.extended
        assert len(session.offered) == 0

    def test_facts_one_of_each_class(self) -> None:
        before = Session(facts=(Size(1),))
        after = before.with_fact(Colour("blue")).with_fact(Size(2))
        assert after.get(Size) == Size(2)
        assert after.get(Colour) == Colour("blue")
        assert after.get(int) is None
        assert len(after.facts) == 2
        assert before.get(Size) == Size(1), "a session is never changed"
        assert after.without_fact(Size).facts == (Colour("blue"),)
        assert after.without_fact(int) == after

    def test_what_is_offered_does_not_count_for_equality(self) -> None:
        assert Session(offered=Offered([Size(1)])) == Session()
        assert Session(name=Domain("a.example")) != Session()


def test_secrets_of_tls_are_not_shown() -> None:
    facts = TLSFacts("TLSv1.3", peer_certificate=b"der", channel_bindings={"tls-exporter": b"key"})
    assert "key" not in repr(facts)
    assert "der" not in repr(facts)
    assert facts == TLSFacts("TLSv1.3", peer_certificate=b"der")


def test_a_name_of_a_certificate_is_shown_as_its_text() -> None:
    assert str(PeerName(NameKind.EMAIL, "a@mx.example")) == "a@mx.example"


def test_a_transaction_begins_without_recipients() -> None:
    mail = Mail(ReversePath(None))
    transaction = Transaction(mail)
    assert transaction.mail is mail
    assert transaction.recipients == []
    transaction.recipients.append(Rcpt(ForwardPath(None)))
    assert Transaction(mail).recipients == []


def test_a_changed_session_keeps_all_else() -> None:
    """Each field has a value of its own, so that none can be left out or take another's place."""
    values: dict[str, object] = {each.name: object() for each in fields(Session)}
    session = Session(**values)  # type: ignore[arg-type]
    for name in values:
        other = changed(session, **{name: "other"})
        assert {each: getattr(other, each) for each in values} == values | {name: "other"}
    assert {each: getattr(session, each) for each in values} == values
