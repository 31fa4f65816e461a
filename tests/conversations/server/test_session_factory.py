"""A factory: what its settings make of a session, and how many there may be."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import LocalProtocolError, Session
from smtpproto.conversations import (
    Admission,
    ServerSettings,
    ServerTLS,
    SessionFactory,
    TLSMode,
    Transcript,
)
from smtpproto.conversations.io_requests import BeginTLS, Draining, Send
from smtpproto.conversations.server.session import BUSY
from smtpproto.extensions import Auth, Size, StartTls
from smtpproto.extensions.known import standard
from smtpproto.sasl import Users
from smtpproto.testing import Link
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from smtpproto.wire.proxy_header_value import Endpoint, ProxyFamily, ProxyHeader
from tests.conversations.driver import Inbox, begin, deliver, serve, statuses

USERS = Users({"alice": "wonderland"}, secret=b"sixteen octets..", iterations=4096)
PROXY = TrustedNetworks(["10.0.0.0/8"])
V1 = b"PROXY TCP4 198.51.100.7 10.0.0.1 1000 25\r\n"
HELLO = b"EHLO client.example\r\n"


def nonce() -> str:
    return "n" * 24


def offers(**settings: Any) -> list[str]:
    """What EHLO is answered with."""
    link = serve(**settings)
    answer = link.feed(HELLO).decode()
    return [line[4:] for line in answer.splitlines()[2:]]


# --- extensions -------------------------------------------------------------------------------


def test_the_usual_ones() -> None:
    assert offers() == [each.line() for each in standard()]
    assert offers(extensions=[Size(7)]) == ["SIZE 7"]
    assert offers(extensions=()) == []


@pytest.mark.parametrize(
    "extensions, error, complaint",
    [
        ([Size], TypeError, "a Server takes instances"),
        (["SIZE"], TypeError, "a Server takes instances"),
        ([Size(7), Size(8)], ValueError, "SIZE is defined twice"),
    ],
)
def test_what_cannot_be_offered_is_told_at_once(
    extensions: Any, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        SessionFactory(Inbox(), ServerSettings(extensions=extensions))


def test_starttls() -> None:
    assert offers(extensions=(), tls=ServerTLS.STARTTLS) == ["STARTTLS"]
    assert offers(extensions=(Size(7), StartTls()), tls=ServerTLS.STARTTLS) == [
        "SIZE 7",
        "STARTTLS",
    ]


def test_auth() -> None:
    settings = {"users": USERS, "nonce": nonce}
    assert offers(extensions=(), **settings) == ["AUTH SCRAM-SHA-256 SCRAM-SHA-1"]
    # Where it is put decides where it stands.
    first = (Auth(("PLAIN",), allow_plaintext=("PLAIN",)), Size(7))
    assert offers(extensions=first, **settings) == ["AUTH PLAIN", "SIZE 7"]
    chosen = (Auth(in_session=lambda _: ("X",)),)
    assert offers(extensions=chosen, **settings) == ["AUTH X"]


@pytest.mark.parametrize(
    "settings, problem",
    [
        ({"extensions": (StartTls(),)}, "ServerTLS.STARTTLS"),
        ({"extensions": (Auth(),)}, "set `users`"),
        ({"mechanisms": ("PLIAN",)}, "PLIAN is not known here"),
        ({"users": USERS}, "needs? `nonce`"),
        (
            {"users": {"a": "b"}, "nonce": nonce},
            "^users: a dict can serve no mechanism: expected Users",
        ),
        (
            {"users": USERS, "nonce": nonce, "extensions": (Auth(("X-OWN",)),)},
            "Auth: X-OWN is not among the mechanisms",
        ),
        (
            {"users": USERS, "nonce": nonce, "extensions": (Auth(("XOAUTH2",)),)},
            "can serve no mechanism of XOAUTH2",
        ),
        ({"received": True}, "clock"),
        ({"received": True, "nonce": nonce}, "clock"),
    ],
)
def test_settings_that_lack_something(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        SessionFactory(Inbox(), ServerSettings(**settings))


def test_a_hostname_is_a_domain() -> None:
    with pytest.raises(LocalProtocolError, match=r"hostname 'mx_1\.example': domain: "):
        SessionFactory(Inbox(), ServerSettings(hostname="mx_1.example"))


def test_starttls_is_not_offered_where_tls_comes_first() -> None:
    link = serve(tls=ServerTLS.IMPLICIT, extensions=(StartTls(), Size(7)))
    client = begin(link, tls=TLSMode.IMPLICIT)
    assert StartTls not in client.offered
    assert Size in client.offered


def test_a_transcript_for_each_session() -> None:
    lines: list[str] = []
    peers: list[str] = []

    def observe(session: Session) -> Transcript | None:
        peers.append(session.peer)
        return Transcript(lines.append) if len(peers) == 1 else None

    factory = SessionFactory(Inbox(), ServerSettings(hostname="mx.example", observer=observe))
    for peer in ("192.0.2.1", "192.0.2.2"):
        flow = factory.open(Session(peer=peer))
        assert flow is not None
        Link(flow).feed(b"QUIT\r\n")
    assert peers == ["192.0.2.1", "192.0.2.2"]
    assert lines == ["S: 220 mx.example ESMTP", "C: QUIT", "S: 221 2.0.0 Bye"]


# --- admission --------------------------------------------------------------------------------


def test_so_many_in_all() -> None:
    factory = SessionFactory(Inbox(), ServerSettings(admission=Admission(most=2)))
    sessions = [Session(peer=f"192.0.2.{number}") for number in range(3)]
    assert factory.open(sessions[0]) is not None
    assert factory.open(sessions[1]) is not None
    assert factory.open(sessions[2]) is None
    assert factory.sessions == 2
    assert factory.farewell(BUSY) == b"421 too many connections, try again later\r\n"
    factory.close(sessions[0])
    assert factory.open(sessions[2]) is not None


def test_so_many_from_one_address() -> None:
    factory = SessionFactory(Inbox(), ServerSettings(admission=Admission(each=1)))
    one, other, unix = (Session(peer=peer) for peer in ("192.0.2.1", "192.0.2.2", ""))
    assert factory.open(one) is not None
    assert factory.open(one) is None
    assert factory.open(other) is not None
    # A Unix socket gives no address.
    assert factory.open(unix) is not None
    assert factory.open(unix) is not None
    factory.close(unix)
    factory.close(one)
    assert factory.open(one) is not None
    assert factory.sessions == 3


def test_a_lock_is_held_while_they_are_counted() -> None:
    held = []

    class Lock:
        def __enter__(self) -> None:
            held.append(1)

        def __exit__(self, *_: object) -> None:
            held.append(-1)

    factory = SessionFactory(Inbox(), lock=Lock())
    session = Session(peer="192.0.2.1")
    factory.open(session)
    factory.close(session)
    assert held == [1, -1, 1, -1]


def test_a_proxy_passes_on_what_too_many_are_told() -> None:
    assert (
        SessionFactory(Inbox(), ServerSettings(proxy=PROXY))
        .farewell(BUSY)
        .startswith(b"421 too many connections")
    )


def test_where_nothing_can_be_said_to_too_many() -> None:
    assert SessionFactory(Inbox(), ServerSettings(tls=ServerTLS.IMPLICIT)).farewell(BUSY) == b""


# --- implicit TLS -----------------------------------------------------------------------------


def test_implicit_tls() -> None:
    inbox = Inbox()
    link = serve(inbox, tls=ServerTLS.IMPLICIT)
    client = begin(link, tls=TLSMode.IMPLICIT)
    assert isinstance(link.server.requests[0], BeginTLS)
    assert statuses(deliver(link, client)) == ["ACCEPTED"]
    assert inbox.messages[0][0].secure
    assert inbox.messages[0][0].tls is not None


def test_a_server_that_stops_does_not_wait_for_implicit_tls() -> None:
    inbox = Inbox()
    link = serve(inbox, tls=ServerTLS.IMPLICIT)
    link.server.faults[0] = Draining()
    link.end()
    assert link.server.sent() == b""
    assert inbox.refusals == []


@pytest.mark.parametrize("hears", [True, False])
def test_implicit_tls_fails(hears: bool) -> None:
    inbox = Inbox()
    handler: Any = inbox if hears else Deaf()
    link = serve(handler, tls=ServerTLS.IMPLICIT)
    link.server.faults[0] = OSError("no cipher")
    link.end()
    assert link.server.sent() == b""
    reasons = [each.reason for each in inbox.refusals]
    assert reasons == (["the TLS handshake failed: no cipher"] if hears else [])
    # No session, so none that ended.
    assert not inbox.ended


class Deaf:
    def message(self, *_: object) -> None:
        """Forget it."""


# --- behind a proxy ---------------------------------------------------------------------------


def behind(inbox: Inbox, **settings: Any) -> Link:
    return serve(inbox, peer="10.0.0.1", proxy=PROXY, extensions=(), **settings)


def test_the_client_that_the_proxy_names() -> None:
    inbox = Inbox()
    link = behind(inbox)
    assert link.feed(V1 + HELLO).startswith(b"220 mx.example ESMTP\r\n250 mx.example")
    link.feed(b"QUIT\r\n")
    assert inbox.ended[0].peer == "198.51.100.7"


def test_from_elsewhere_it_is_a_bad_command() -> None:
    inbox = Inbox()
    link = serve(inbox, peer="192.0.2.1", proxy=PROXY, extensions=())
    answer = link.feed(V1)
    assert answer.startswith(b"220 mx.example ESMTP\r\n500 ")
    link.feed(b"QUIT\r\n")
    assert inbox.ended[0].peer == "192.0.2.1"


def test_without_a_proxy_it_is_a_bad_command() -> None:
    assert b"500 " in serve(extensions=()).feed(V1)


def test_a_second_header_is_a_bad_command() -> None:
    assert b"500 " in behind(Inbox()).feed(V1 + V1)


@pytest.mark.parametrize(
    "data",
    [
        HELLO,
        b"PROXY TCP4 nonsense\r\n",
        b"PROXY " + b"x" * 200,
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header_ends_the_connection(data: bytes) -> None:
    inbox = Inbox()
    link = behind(inbox)
    assert link.feed(data) == b""
    assert link.server.done
    (refused,) = inbox.refusals
    assert "PROXY header" in refused.reason
    assert not inbox.ended


@pytest.mark.parametrize(
    "happens", [b"", TimeoutError("slow"), ConnectionResetError("reset"), Draining()]
)
def test_the_header_does_not_come(happens: BaseException | bytes) -> None:
    inbox = Inbox()
    link = behind(inbox)
    link.feed(b"PROXY TCP4 ")
    link.server.on_idle = [happens]
    link.end(eof=False)
    assert link.server.sent() == b""
    assert "PROXY header" in inbox.refusals[0].reason


def test_a_proxy_counts_as_its_clients() -> None:
    factory = SessionFactory(
        Inbox(), ServerSettings(proxy=PROXY, admission=Admission(most=3, each=1), extensions=())
    )
    links = []
    for _ in range(3):
        flow = factory.open(Session(peer="10.0.0.1"))
        assert flow is not None
        links.append(Link(flow))
    assert factory.open(Session(peer="10.0.0.1")) is None
    other = V1.replace(b".7", b".8")
    assert links[0].feed(V1).startswith(b"220 ")
    assert links[1].feed(V1).startswith(b"421 ")
    assert links[1].server.done
    assert links[2].feed(other).startswith(b"220 ")
    for link in links:
        link.end()
        factory.close(Session(peer="10.0.0.1"))
    assert factory.sessions == 0
    flow = factory.open(Session(peer="10.0.0.1"))
    assert flow is not None
    assert Link(flow).feed(V1).startswith(b"220 ")


def test_too_many_and_gone_already() -> None:
    def one_too_many() -> Link:
        factory = SessionFactory(Inbox(), ServerSettings(proxy=PROXY, admission=Admission(each=1)))
        assert factory.open(Session(peer="198.51.100.7")) is not None
        flow = factory.open(Session(peer="10.0.0.1"))
        assert flow is not None
        return Link(flow)

    link = one_too_many()
    assert link.feed(V1).startswith(b"421 ")
    requests = link.server.requests
    assert isinstance(requests[-1], Send)
    link = one_too_many()
    link.server.faults[len(requests) - 1] = BrokenPipeError("gone")
    assert link.feed(V1) == b""
    assert link.server.done


@pytest.mark.parametrize("tls", [ServerTLS.IMPLICIT, ServerTLS.STARTTLS])
@pytest.mark.parametrize("version", [1, 2])
def test_what_the_proxy_said_outlives_the_handshake(tls: ServerTLS, version: int) -> None:
    inbox = Inbox()
    link = behind(inbox, tls=tls)
    header = ProxyHeader(
        version=version,
        family=ProxyFamily.TCP4,
        source=Endpoint("198.51.100.7", 1000),
        destination=Endpoint("10.0.0.1", 465),
    )
    client = begin(link, tls=TLSMode[tls.name], proxy=header)
    assert statuses(deliver(link, client)) == ["ACCEPTED"]
    session = inbox.messages[0][0]
    assert (session.peer, session.secure) == ("198.51.100.7", True)
    assert session.get(ProxyHeader) == header


async def awaited(session: Session) -> None:
    """An observer that only some adapters can await."""


@pytest.mark.parametrize(
    "wrong, problem",
    [
        (Transcript(print), r"observer takes .*: the server calls it with \(session\); .*lambda"),
        (Transcript, "observer: Transcript itself does not take a session; .*lambda"),
        (awaited, "observer is async, and the blocking server cannot"),
    ],
)
def test_a_server_takes_a_function_that_returns_an_observer(wrong: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        SessionFactory(Inbox(), ServerSettings(observer=wrong), waits=False)


def test_an_observer_that_cannot_be_made_is_done_without() -> None:
    def observe(_: Session) -> Any:
        raise ValueError("a defect of the observer")

    link = serve(observer=observe)
    assert link.feed(HELLO).startswith(b"220")
    assert [str(error) for error in link.server.reports] == ["a defect of the observer"]
