"""The conversation in reports: by session, cut, and without secrets."""

from __future__ import annotations

from smtpproto import Session, TLSFacts
from smtpproto.testing import MemorySink
from smtpproto.testing.conversation_log import ConversationLog


def test_sessions_do_not_mix() -> None:
    log = ConversationLog()
    first, second = Session(peer="192.0.2.1", peer_port=1025), Session(peer="192.0.2.2")
    one, two = log.observe(first), log.observe(second)
    one("S", b"220 hello", False)
    two("S", b"220 hi", False)
    one("C", b"QUIT", False)
    log.remark(second, "it failed")
    assert str(log).splitlines() == [
        "--- session 1, 192.0.2.1:1025",
        "S: 220 hello",
        "C: QUIT",
        "--- session 2, 192.0.2.2",
        "S: 220 hi",
        "(it failed)",
    ]


def test_a_session_that_fails_before_the_greeting_is_there() -> None:
    log = ConversationLog()
    log.remark(Session(peer="192.0.2.1", tls=TLSFacts("TLSv1.3")), "it failed")
    assert str(log) == "--- session 1, 192.0.2.1, TLSv1.3\n(it failed)"
    log.clear()
    assert str(log) == ""


def test_long_content_is_cut() -> None:
    server = MemorySink()
    link = server.link()
    link.feed(b"HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<bob@mx.example>\r\nDATA\r\n")
    link.feed(b"line\r\n" * 100 + b".\r\n")
    shown = server.conversation.splitlines()
    assert shown.count("C: line") == 30
    assert "C: ... 70 more lines ..." in shown
