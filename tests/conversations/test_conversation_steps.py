from __future__ import annotations

import pytest

from smtpproto.conversations.conversation_steps import Steps
from smtpproto.conversations.io_requests import Call, Flow


def conversation() -> Flow[str]:
    first = yield Call(str)
    try:
        second = yield Call(str)
    except OSError as error:
        second = type(error).__name__
    third = yield Call(str)
    return f"{first} {second} {third}"


def test_results_and_errors_go_in_and_the_end_comes_out() -> None:
    steps = Steps(conversation())
    for number, request in enumerate(steps):
        assert isinstance(request, Call)
        assert steps.result is steps.error is None
        if number == 1:
            steps.error = TimeoutError()
        elif number == 0:
            steps.result = "one"
    assert steps.returned == "one TimeoutError None"


def test_what_the_conversation_raises_comes_out() -> None:
    steps = Steps(conversation())
    next(steps)
    steps.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        next(steps)
