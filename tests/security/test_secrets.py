"""What follows AUTH may be a password, however wrong the line was: no observer sees it."""

from __future__ import annotations

import base64

import pytest

from smtpproto import Need, Rejected, Server
from smtpproto.extensions import Auth

PASSWORD = "correct horse battery staple"
RESPONSE = base64.b64encode(f"\0harry\0{PASSWORD}".encode()).decode()


@pytest.mark.parametrize(
    "before",
    [
        "AUTH",
        "AUTH ",
        "auth",
        "AUTH PLAIN,LOGIN",
        "AUTH mechanism-with-a-name-too-long",
        "AUTH LOGIN ????",
        "AUTH NTLM",
        "AUTH PLAIN ä",
        "AUTH\tPLAIN",
        " AUTH PLAIN",
    ],
)
def test_the_line_behind_a_refused_auth(before: str) -> None:
    seen: list[bytes] = []
    server = Server(
        "mx.example",
        [Auth(("PLAIN", "LOGIN"), allow_plaintext=("PLAIN", "LOGIN"))],
        observer=lambda sender, octets, content: seen.append(octets),
    )
    server.accept()
    server.receive_data(f"EHLO a.b\r\n{before}\r\n{RESPONSE}\r\n".encode())
    server.next_event()
    server.accept()
    for _ in range(2):
        event = server.next_event()
        assert isinstance(event, Rejected)
        assert RESPONSE not in event.reason + event.reply.text
    assert server.next_event() is Need.DATA
    assert RESPONSE.encode() not in b"".join(seen) + server.data_to_send()
