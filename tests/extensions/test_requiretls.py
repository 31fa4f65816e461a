"""REQUIRETLS (RFC 8689)."""

from __future__ import annotations

import pytest

from smtpproto import LocalProtocolError, Session
from smtpproto.extensions import RequireTls, RequireTlsParameter
from smtpproto.testing import Pair
from tests.commands import mail

INSIDE_TLS = Session(secure=True)


def test_a_message_that_requires_tls() -> None:
    pair = Pair.offering(RequireTls(), session=INSIDE_TLS, client_session=INSIDE_TLS).hello()
    assert RequireTls in pair.client.offered
    assert pair.say(mail(RequireTlsParameter())).code == 250
    transaction = pair.server.transaction
    assert transaction is not None
    assert transaction.mail.get(RequireTlsParameter) == RequireTlsParameter()


def test_it_is_not_offered_outside_tls() -> None:
    pair = Pair.offering(RequireTls()).hello()
    assert RequireTls not in pair.client.offered
    with pytest.raises(LocalProtocolError, match="REQUIRETLS is not offered"):
        pair.client.send(mail(RequireTlsParameter()))
    assert pair.raw("MAIL FROM:<a@client.example> REQUIRETLS").startswith("555 MAIL: REQUIRETLS")


def test_a_client_does_not_trust_an_offer_in_plain_text() -> None:
    pair = Pair.offering(RequireTls(), session=INSIDE_TLS).hello()
    assert RequireTls in pair.client.offered
    with pytest.raises(LocalProtocolError, match="REQUIRETLS needs TLS") as caught:
        pair.client.send(mail(RequireTlsParameter()))
    assert (caught.value.code, caught.value.enhanced) == (530, "5.7.10")


def test_the_line_may_be_longer() -> None:
    assert RequireTls.extra_length[type(mail())] == len(f" {RequireTlsParameter()}")
