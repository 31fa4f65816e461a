"""The messages that a test server has received."""

from __future__ import annotations

import threading

import pytest

from smtpproto import Session
from smtpproto.conversations import Envelope
from smtpproto.testing.inbox import Inbox, ReceivedMessage

MESSAGE = ReceivedMessage(
    Envelope.of("", ["bob@mx.example", "postmaster"]),
    b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nhello\r\n",
    Session(),
)


def test_a_message_says_what_tests_ask() -> None:
    assert MESSAGE.sender == ""
    assert MESSAGE.recipients == ["bob@mx.example", "postmaster"]
    assert MESSAGE.parsed["Subject"] == "grüße"
    body = MESSAGE.parsed.get_body()
    assert body is not None
    assert body.get_content() == "hello\n"


def test_the_list_is_the_caller_s() -> None:
    inbox = Inbox()
    inbox.add(MESSAGE)
    inbox.messages.clear()
    assert inbox.messages == [MESSAGE]
    inbox.clear()
    assert inbox.messages == []


def test_waiting_ends_with_the_message_or_with_the_time() -> None:
    inbox = Inbox()
    thread = threading.Thread(target=inbox.add, args=(MESSAGE,))
    thread.start()
    assert inbox.wait_for(1, 30) == [MESSAGE]
    thread.join()
    with pytest.raises(TimeoutError, match=r"messages: expected 2 within 0.01 seconds, found 1"):
        inbox.wait_for(2, 0.01)
