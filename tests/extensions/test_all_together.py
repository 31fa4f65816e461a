"""All extensions of the package at once, in one server and one client."""

from __future__ import annotations

import inspect
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Need, Server, Session, State
from smtpproto.extensions import (
    Burl,
    DeliverBy,
    Extension,
    FutureRelease,
    MtPriority,
    NoSoliciting,
    Size,
    XClient,
    XForward,
)
from smtpproto.extensions.known import KNOWN
from smtpproto.testing import Pair
from smtpproto.wire.proxy_header_parser import TrustedNetworks

NEAR = TrustedNetworks(["127.0.0.0/8"])
SET: dict[type[Extension], Extension] = {
    Size: Size(10_000),
    DeliverBy: DeliverBy(60),
    FutureRelease: FutureRelease(86_400, datetime(2030, 1, 31, tzinfo=timezone.utc)),
    MtPriority: MtPriority("MIXER"),
    NoSoliciting: NoSoliciting(("net.example:ADV",)),
    Burl: Burl(("imap", "imap://imap.example"), early=True),
    XClient: XClient(NEAR),
    XForward: XForward(NEAR),
}


def needs_nothing(kind: type[Extension]) -> bool:
    parameters = inspect.signature(kind).parameters.values()
    return all(parameter.default is not parameter.empty for parameter in parameters)


EVERYTHING = tuple(SET.get(kind) or kind() for kind in KNOWN if kind in SET or needs_nothing(kind))
SECURE = Session(peer="127.0.0.1", secure=True, identity="harry")


def test_hardly_one_is_missing() -> None:
    assert {kind.__name__ for kind in KNOWN} - {type(each).__name__ for each in EVERYTHING} <= {
        "Auth"
    }


@pytest.mark.parametrize("session", [Session(), SECURE])
def test_a_client_finds_what_a_server_offers(session: Session) -> None:
    pair = Pair.offering(*EVERYTHING, session=session).hello()
    assert list(pair.client.offered) == list(pair.server.offered)
    assert len(pair.client.offered) > 15


ADDRESSES = st.sampled_from(
    ["<>", "<a@client.example>", "<b@mx.example>", "<", "a@b", "<jürgen@x>"]
)
KEYWORDS = sorted(
    {p.keyword for kind in KNOWN for kinds in kind.parameters.values() for p in kinds}
)
VALUES = st.sampled_from(
    (
        *("", "1", "-1", "60;R", "2030-01-02T03:04:05Z", "2030-01-02T03:04:05Z;C", "<1@a.b>"),
        *("8BITMIME", "BINARYMIME", "FULL", "NEVER", "rfc822;a@b", "1@host", "q83v:60", "a.b:ADV"),
        *("+", "+41", "é"),
    )
) | st.text(max_size=12)
PARAMETERS = st.lists(
    st.builds("{}={}".format, st.sampled_from(KEYWORDS), VALUES) | st.sampled_from(KEYWORDS),
    max_size=3,
).map(" ".join)
WORDS = st.sampled_from(
    (
        *("a.example", "@a.example", "#queue", "NAME=a ADDR=127.0.0.1", "ADDR=IPV6:::1 LOGIN=x"),
        *("imap://h/x;urlauth=submit+harry:x LAST", "http:x", "HELO=[UNAVAILABLE]"),
        *("5", "5 LAST", "0"),
    )
) | st.text(max_size=20)
VERBS = st.sampled_from(sorted({c.verb for kind in KNOWN for c in kind.commands}))
PLAIN = st.sampled_from(
    ["DATA", "RSET", "NOOP", "QUIT", "EHLO client.example", "HELO c.d", ".", ""]
)
LINES = (
    st.builds("MAIL FROM:{} {}".format, ADDRESSES, PARAMETERS)
    | st.builds("RCPT TO:{} {}".format, ADDRESSES, PARAMETERS)
    | st.builds("{} {}".format, VERBS, WORDS)
    | PLAIN
)


@given(
    st.lists(LINES, max_size=12),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.integers(1, 50),
)
def test_no_line_makes_a_server_raise(lines: list[str], answers: list[bool], size: int) -> None:
    """The server gives events and replies for any lines, in any pieces."""
    server = Server("mx.example", EVERYTHING, session=SECURE)
    server.accept()
    octets = "\r\n".join(["EHLO client.example", *lines, ""]).encode("utf-8", "surrogatepass")
    queue = list(answers)
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    for piece in [*pieces, b""]:
        if server.state in (State.CLOSED, State.TLS):
            break
        server.receive_data(piece)
        while not isinstance(event := server.next_event(), Need) or event is Need.REPLY:
            if event is Need.REPLY:
                if queue and queue.pop():
                    server.accept()
                else:
                    server.reject(450)
    assert all(line[:3].isdigit() for line in server.data_to_send().decode().splitlines())
