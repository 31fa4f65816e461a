"""Keywords are read in any letter case and no further: `upper` makes ASCII of other characters."""

from __future__ import annotations

import pytest

from smtpproto import Need, Server, Session, Syntax
from smtpproto.extensions import (
    Auth,
    Chunking,
    Dsn,
    EightBitMime,
    Size,
    SmtpUtf8,
    XClient,
    XForward,
)
from smtpproto.vocabulary.events import Rejected
from smtpproto.vocabulary.states import State

PEER = "127.0.0.1"
# "ı".upper() is "I", "ſ".upper() is "S", "ﬀ".upper() is "FF".
LINES = [
    "AUTH PLAıN",
    "XCLIENT LOGıN=admin",
    "XCLIENT NAME=[UNAVAıLABLE]",
    "XFORWARD ſOURCE=LOCAL",
    "MAIL FROM:<a@b> ſIZE=1",
    "MAIL FROM:<a@b> BODY=8BıTMIME",
    "MAIL FROM:<a@b> RET=HDRſ",
    "MAıL FROM:<a@b>",
    "RſET",
    "VRFY a ſMTPUTF8 x",
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("syntax", list(Syntax))
def test_characters_that_only_become_ascii_are_none(line: str, syntax: Syntax) -> None:
    trusted = (PEER,)
    server = Server(
        "mx.example",
        (
            *(SmtpUtf8(), EightBitMime(), Size(), Dsn(), Chunking(), Auth(("PLAIN",))),
            *(XClient(trusted), XForward(trusted)),
        ),
        session=Session(peer=PEER, secure=True),
        syntax=syntax,
    )
    server.accept()
    server.receive_data(b"EHLO a.b\r\n")
    server.next_event()
    server.accept()
    server.receive_data(line.encode() + b"\r\n")
    event = server.next_event()
    if line.startswith("VRFY"):
        # To VRFY this is text like other text.
        assert getattr(event, "parameters", None) == ()
        return
    assert isinstance(event, Rejected)
    assert event.reply.code in (500, 501, 555)
    assert server.state is State.READY
    assert server.session.identity is None


def test_utf8_is_over_when_its_extension_is() -> None:
    """After XCLIENT nothing is in force, as after the greeting."""
    server = Server(
        "mx.example",
        (SmtpUtf8(), EightBitMime(), XClient((PEER,))),
        session=Session(peer=PEER),
    )
    server.accept()
    server.receive_data("EHLO a.b\r\nXCLIENT NAME=x\r\nVRFY jörg\r\n".encode())
    for _ in range(2):
        server.next_event()
        assert server.next_event() is Need.REPLY
        server.accept()
    event = server.next_event()
    assert isinstance(event, Rejected)
    assert event.reply.code == 500
