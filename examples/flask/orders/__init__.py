"""A shop that confirms orders by mail, with Flask and Flask-Mail."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_mail import Mail, Message

__all__ = ["create_app"]


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the application.

    Arguments:
        settings: such as `MAIL_SERVER`.
    """
    app = Flask(__name__)
    app.config.from_mapping(settings, MAIL_DEFAULT_SENDER="shop@shop.example")
    mail = Mail(app)

    @app.post("/order")
    def order() -> ResponseReturnValue:
        address, item = request.form["address"], request.form["item"]
        try:
            mail.send(Message(f"Your order: {item}", [address], body=f"You ordered: {item}."))
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = error.recipients[address]
            if code < 500:
                return {"error": "try again in some minutes"}, 503
            return {"error": f"no mail can be sent to {address}"}, 422
        return {"ordered": item}

    return app
