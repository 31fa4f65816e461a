"""The application's tests."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from smtpproto.testing import SinkServer

from . import create_app

ORDER = {"address": "alice@mx.example", "item": "teapot"}


@pytest.fixture
def client(smtp_server: SinkServer) -> FlaskClient:
    return create_app({"TESTING": True, **smtp_server.flask_settings}).test_client()


def test_an_order_is_confirmed(client: FlaskClient, smtp_server: SinkServer) -> None:
    assert client.post("/order", data=ORDER).status_code == 200
    (message,) = smtp_server.messages
    assert (message.sender, message.recipients) == ("shop@shop.example", ["alice@mx.example"])
    assert message.parsed["Subject"] == "Your order: teapot"
    assert "You ordered: teapot." in message.parsed.get_content()


@pytest.mark.smtp_server(tls="implicit", users={"shop": "a secret"})
def test_the_confirmation_goes_over_tls(client: FlaskClient, smtp_server: SinkServer) -> None:
    assert client.post("/order", data=ORDER).status_code == 200
    session = smtp_server.messages[0].session
    assert session.tls is not None
    assert session.identity == "shop"


def test_a_refused_address_is_told(client: FlaskClient, smtp_server: SinkServer) -> None:
    smtp_server.reject("rcpt", "alice@*", 550, "5.1.1", "no such mailbox")
    response = client.post("/order", data=ORDER)
    assert (response.status_code, response.json) == (
        422,
        {"error": "no mail can be sent to alice@mx.example"},
    )
    assert smtp_server.messages == []


def test_greylisting_passes(client: FlaskClient, smtp_server: SinkServer) -> None:
    smtp_server.greylist()
    codes = [client.post("/order", data=ORDER).status_code for _ in range(2)]
    assert codes == [503, 200]
    assert len(smtp_server.messages) == 1
