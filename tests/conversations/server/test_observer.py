"""An observer is told before each request, in order, and its defects do not end the session."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto.conversations.conversation_steps import Steps
from smtpproto.conversations.io_requests import Call, CallWithContent, Flow, Receive, Report, Send
from smtpproto.conversations.server.observer import Notes


def drive(flow: Flow[Any], trace: list[Any]) -> Any:
    """Run a conversation whose calls are made and whose other requests are written down."""
    steps = Steps(flow)
    for request in steps:
        try:
            if isinstance(request, Call):
                steps.result = request.function(*request.arguments)
            elif isinstance(request, CallWithContent):
                steps.result = drive(request.read(), trace)
            else:
                trace.append(type(request))
        except Exception as error:  # noqa: BLE001  thrown into the conversation
            steps.error = error
    return steps.returned


def test_it_is_told_before_each_request_and_at_the_end() -> None:
    trace: list[Any] = []
    notes = Notes(lambda *note: trace.append(note))

    def flow() -> Flow[str]:
        notes("S", b"220", False)
        yield Send(b"220\r\n", 1.0)
        yield Receive(1.0, True)
        notes("C", b"MAIL", False)
        notes("S", b"250", False)
        yield Send(b"250\r\n", 1.0)
        notes("C", b"QUIT", False)
        return "over"

    assert drive(notes.run(flow()), trace) == "over"
    assert trace == [
        ("S", b"220", False),
        Send,
        Receive,
        ("C", b"MAIL", False),
        ("S", b"250", False),
        Send,
        ("C", b"QUIT", False),
    ]


def test_content_that_a_handler_reads() -> None:
    """What is read for a handler is told as it comes, and not kept until it returns."""
    trace: list[Any] = []
    notes = Notes(lambda *note: trace.append(note))

    def read() -> Flow[bytes]:
        yield Receive(1.0, True)
        notes("C", b"content", True)
        return b"content"

    def flow() -> Flow[Any]:
        return (yield CallWithContent(print, (), read))

    assert drive(notes.run(flow()), trace) == b"content"
    assert trace == [Receive, ("C", b"content", True)]


def test_what_is_thrown_reaches_the_conversation() -> None:
    notes = Notes(print)

    def flow() -> Flow[str]:
        with pytest.raises(TimeoutError):
            yield Receive(1.0, True)
        return "told"

    running = notes.run(flow())
    assert isinstance(next(running), Receive)
    with pytest.raises(StopIteration, match="told"):
        running.throw(TimeoutError())


def test_an_observer_that_fails() -> None:
    def observer(*note: object) -> None:
        raise ValueError("a defect of the observer")

    trace: list[Any] = []
    notes = Notes(observer)

    def flow() -> Flow[None]:
        notes("S", b"220", False)
        yield Send(b"220\r\n", 1.0)

    drive(notes.run(flow()), trace)
    assert trace == [Report, Send]
