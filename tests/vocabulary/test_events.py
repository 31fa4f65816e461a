from __future__ import annotations

from typing import get_args

import pytest

from smtpproto.vocabulary.command_base import Command
from smtpproto.vocabulary.commands import Noop
from smtpproto.vocabulary.events import (
    AuthResponse,
    ClientEvent,
    ConnectionClosed,
    ContentChunk,
    Deviation,
    EndOfContent,
    Event,
    Need,
    Rejected,
    ServerEvent,
)
from smtpproto.vocabulary.replies import Reply


@pytest.mark.parametrize(
    "one, same, other",
    [
        (ContentChunk(b"a"), ContentChunk(b"a"), ContentChunk(b"b")),
        (EndOfContent(), EndOfContent(), ContentChunk(b"")),
        (Deviation("x", Noop()), Deviation("x", Noop()), Deviation("y", Noop())),
        (ConnectionClosed(), ConnectionClosed(clean=True), ConnectionClosed(clean=False)),
        (AuthResponse(b""), AuthResponse(b""), AuthResponse(None)),
        (
            Rejected(Reply(500), "x"),
            Rejected(Reply(500), "x", content=False),
            Rejected(Reply(500), "y"),
        ),
    ],
)
def test_events_are_values(one: object, same: object, other: object) -> None:
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert not hasattr(one, "__dict__")


def test_a_response_is_never_shown() -> None:
    assert repr(AuthResponse(b"secret")) == "AuthResponse()"


@pytest.mark.parametrize(
    "event, expected",
    [
        (ContentChunk(b"abc"), "content: 3"),
        (EndOfContent(), "end"),
        (Rejected(Reply(503, "5.5.1", "no"), "no"), "503"),
        (ConnectionClosed(clean=False), "gone: False"),
        (Noop(), "NOOP"),
        (Need.DATA, "feed me"),
    ],
)
def test_events_read_well_in_match(event: ServerEvent | Need, expected: str) -> None:
    match event:
        case ContentChunk(octets):
            found = f"content: {len(octets)}"
        case EndOfContent():
            found = "end"
        case Rejected(reply, _, False):
            found = str(reply.code)
        case ConnectionClosed(clean):
            found = f"gone: {clean}"
        case Command():
            found = event.verb
        case Need.DATA:
            found = "feed me"
        case _:
            found = "something else"
    assert found == expected


def test_what_each_side_gets() -> None:
    assert set(get_args(ClientEvent)) == {Reply, ConnectionClosed}
    assert set(get_args(Event)) == {*get_args(ServerEvent), *get_args(ClientEvent)}
    assert {ContentChunk, EndOfContent, Rejected, Command} <= set(get_args(ServerEvent))
