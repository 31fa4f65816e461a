"""The pages."""

from __future__ import annotations

import smtplib

from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse, JsonResponse

SENDER = "host@party.example"
TEXT = "Come to our party on Saturday."


def invite(request: HttpRequest) -> HttpResponse:
    """Send an invitation to each address; say which ones the mail server refused."""
    refused = {}
    try:
        for address in request.POST.getlist("address"):
            try:
                send_mail("An invitation", TEXT, SENDER, [address])
            except smtplib.SMTPRecipientsRefused as error:
                _, text = error.recipients[address]
                refused[address] = text.decode()
    except (OSError, smtplib.SMTPException):
        return JsonResponse({"error": "no mail can be sent now"}, status=503)
    return JsonResponse({"refused": refused})
