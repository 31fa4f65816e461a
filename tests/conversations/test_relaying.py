"""ATRN, both sides: the customer connects, and the provider delivers (RFC 2645)."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import Client, Limits, LocalProtocolError, Reply, Session
from smtpproto.conversations import Envelope, Service
from smtpproto.conversations.relaying import fetch_mail
from smtpproto.conversations.requests import Draining, Receive
from smtpproto.extensions import Atrn, Auth, OnDemandRelay, Turned
from smtpproto.extensions.atrn import NO_MAIL
from smtpproto.sasl import Credentials, Users
from tests.conversations.driver import Inbox, Link, begin, deliver, serve, statuses

USERS = Users({"customer": "secret"}, secret=b"sixteen octets..", iterations=4096)
CREDENTIALS = Credentials(username="customer", password="secret")
CONTENT = b"Subject: held for you\r\n\r\nHello.\r\n"


class Provider(Inbox):
    """Has mail for a customer."""

    def __init__(self, *messages: Any, answer: Any = None) -> None:
        super().__init__()
        self.queue = list(messages)
        self.said = answer
        self.asked: list[Turned | None] = []
        self.results: list[Any] = []

    def command(self, session: Session, command: Any) -> Any:
        assert isinstance(command, Atrn)
        assert session.identity == "customer"
        return self.said

    def waiting(self, session: Session) -> Any:
        self.asked.append(session.get(Turned))
        message = self.queue.pop(0) if self.queue else None
        if isinstance(message, Exception):
            raise message
        return message

    def relayed(self, session: Session, delivery: Any) -> None:
        self.results.append(statuses(delivery))


def message(*to: str, content: Any = CONTENT) -> tuple[Envelope, Any]:
    return Envelope.of("somebody@example.org", to or ("user@customer.example",)), content


def nonce() -> str:
    return "n" * 24


def connect(provider: object, **settings: Any) -> tuple[Link, Client]:
    link = serve(
        provider,
        extensions=[OnDemandRelay(), Auth(allow_plaintext=("PLAIN",))],
        users=USERS,
        nonce=nonce,
        **settings,
    )
    client = begin(link, credentials=CREDENTIALS, nonce=nonce)
    return link, client


def fetch(link: Link, client: Client, customer: object, *domains: str) -> Reply:
    service = Service(customer, hostname="customer.example")
    reply = link.run(fetch_mail(client, service, domains))
    assert isinstance(reply, Reply)
    return reply


def test_what_waits_is_delivered() -> None:
    second = message("user@customer.example", "nobody@customer.example")
    provider = Provider(message(), second)
    customer = Inbox({"rcpt": {"<nobody@customer.example>": Reply(550, "5.1.1", "not here")}})
    link, client = connect(provider)
    reply = fetch(link, client, customer, "customer.example", "other.example")
    assert reply.positive
    assert customer.messages[0][1].forward_paths == message()[0].forward_paths
    assert [content for _, _, content in customer.messages] == [CONTENT, CONTENT]
    assert provider.results == [["ACCEPTED"], ["ACCEPTED", "REFUSED"]]
    turned = provider.asked[0]
    assert turned is not None
    assert [str(domain) for domain in turned.domains] == ["customer.example", "other.example"]
    assert turned.identity == "customer"
    assert len(provider.asked) == 3
    assert link.server.done
    assert len(provider.ended) == len(customer.ended) == 1
    assert not link.server.reports + link.client.reports


def test_where_nothing_waits_the_session_goes_on() -> None:
    link, client = connect(Provider(answer=NO_MAIL))
    assert fetch(link, client, Inbox()).code == 453
    assert statuses(deliver(link, client)) == ["ACCEPTED"]


def test_who_offers_no_atrn_is_not_asked() -> None:
    link = serve(Inbox())
    client = begin(link)
    with pytest.raises(LocalProtocolError, match="ATRN is not offered"):
        fetch(link, client, Inbox())
    assert statuses(deliver(link, client)) == ["ACCEPTED"]


def test_a_message_that_the_customer_cannot_take_fails_and_the_next_one_goes() -> None:
    provider = Provider(message("jürgen@customer.example"), message())
    customer = Inbox()
    link, client = connect(provider)
    assert fetch(link, client, customer).positive
    assert provider.results == [["FAILED"], ["ACCEPTED"]]
    assert len(customer.messages) == 1


def test_nobody_has_to_hear_what_became_of_them() -> None:
    class Careless(Inbox):
        done = False

        def waiting(self, session: Session) -> Any:
            self.done, before = True, self.done
            return None if before else message()

    customer = Inbox()
    link, client = connect(Careless())
    assert fetch(link, client, customer).positive
    assert len(customer.messages) == 1


@pytest.mark.parametrize("hostname", ["mx.example", "[192.0.2.25]"])
def test_the_provider_names_itself(hostname: str) -> None:
    class Asking(Inbox):
        def ehlo(self, session: Session, hello: Any) -> None:
            names.append(str(hello.name))

    names: list[str] = []
    link, client = connect(Provider(message()), hostname=hostname)
    assert fetch(link, client, Asking()).positive
    assert names == [hostname]


def test_a_customer_who_turns_the_provider_away() -> None:
    provider = Provider(message())
    link, client = connect(provider)
    assert fetch(link, client, Inbox({"connect": Reply(554, "5.3.2", "not today")})).positive
    assert provider.results == []
    assert ["not today" in str(error) for error in link.server.reports] == [True]
    assert link.server.done


def test_a_provider_who_fails() -> None:
    provider = Provider(message(), OSError("the queue cannot be read"), message())
    customer = Inbox()
    link, client = connect(provider)
    assert fetch(link, client, customer).positive
    assert len(customer.messages) == 1
    assert [str(error) for error in link.server.reports] == ["the queue cannot be read"]


def test_a_server_that_is_to_stop_finishes_the_message() -> None:
    provider = Provider(message(), message())
    customer = Inbox()
    link, client = connect(provider)

    def stop(inbox: Inbox) -> None:
        # The provider waits for what becomes of the content.
        waits = len(link.server.requests) - 1
        assert isinstance(link.server.requests[waits], Receive)
        link.server.faults[waits] = Draining()

    customer.answers["mail"] = stop
    assert fetch(link, client, customer).positive
    assert len(customer.messages) == 1
    assert provider.results == [["ACCEPTED"]]
    assert len(provider.queue) == 1
    assert not link.server.reports


def test_a_link_that_breaks() -> None:
    provider = Provider(message())
    link, client = connect(provider)

    def cut(inbox: Inbox) -> None:
        link.server.faults[len(link.server.requests) - 1] = ConnectionResetError("gone")

    fetch(link, client, Inbox({"mail": cut}))
    assert provider.results == [["FAILED"]]
    assert link.server.done


def test_limits_and_observers_stay() -> None:
    heard: list[str] = []

    def observe(sender: str, octets: bytes, content: bool) -> None:
        heard.append(f"{sender}: {octets.decode()}")

    class Many(Inbox):
        def connect(self, session: Session) -> Reply:
            return Reply(220, "", "hello\n" * 8 + "ESMTP")

    provider = Provider(message())
    link, client = connect(provider, limits=Limits(reply_lines=8), observer=lambda _: observe)
    del heard[:]
    assert fetch(link, client, Many()).positive
    # Nine lines of a greeting are one more than this provider reads.
    assert provider.results == []
    assert "more than 8 lines" in str(link.server.reports[0])
    assert heard[:3] == ["C: ATRN", "S: 250 OK now reversing the connection", "S: 220-hello"]
