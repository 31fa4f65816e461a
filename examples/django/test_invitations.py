"""The project's tests: what people get, and what happens if the mail server refuses."""

from __future__ import annotations

import pytest
from django.test import Client

from smtpproto.testing import SinkServer

BOTH = ["alice@mx.example", "bob@mx.example"]


def invite(*addresses: str) -> tuple[int, dict[str, object]]:
    response = Client().post("/invite", {"address": list(addresses)})
    return response.status_code, response.json()


def test_each_person_gets_a_message_of_their_own(mail: SinkServer) -> None:
    assert invite(*BOTH) == (200, {"refused": {}})
    assert [message.recipients for message in mail.messages] == [[address] for address in BOTH]
    message = mail.messages[0]
    assert message.sender == "host@party.example"
    assert message.parsed["Subject"] == "An invitation"
    assert message.parsed.get_content() == "Come to our party on Saturday.\n"


@pytest.mark.smtp_server(tls="starttls", users={"host": "a secret"})
def test_mail_is_sent_with_tls_and_a_login(mail: SinkServer) -> None:
    assert invite("alice@mx.example")[0] == 200
    session = mail.messages[0].session
    assert session.tls is not None
    assert session.identity == "host"


@pytest.mark.smtp_server(tls="starttls")
def test_an_expired_certificate_is_not_accepted(mail: SinkServer) -> None:
    mail.fail_tls("expired")
    assert invite("alice@mx.example")[0] == 503
    assert mail.messages == []


def test_a_refused_recipient_is_told_and_the_others_are_invited(mail: SinkServer) -> None:
    mail.reject("rcpt", "alice@*", 550, "5.1.1", "no such mailbox")
    assert invite(*BOTH) == (200, {"refused": {"alice@mx.example": "5.1.1 no such mailbox"}})
    assert [message.recipients for message in mail.messages] == [["bob@mx.example"]]


def test_a_server_that_goes_away_is_told(mail: SinkServer) -> None:
    mail.drop("content")
    assert invite(*BOTH) == (503, {"error": "no mail can be sent now"})
