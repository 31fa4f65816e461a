"""The beginning of a session, from the client: greeting, EHLO, TLS."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import Client, Noop, RemoteProtocolError, Session, State
from smtpproto.conversations import (
    AuthenticationError,
    ConnectionLost,
    PermanentError,
    ServerTLS,
    SMTPError,
    TLSError,
    TLSMode,
    TLSPolicy,
    TransientError,
)
from smtpproto.conversations import client as submit
from smtpproto.conversations.io_requests import BeginTLS, Receive, Send
from smtpproto.extensions import Pipelining, StartTls
from smtpproto.sasl import Credentials
from smtpproto.wire.proxy_header_value import Endpoint, ProxyFamily, ProxyHeader
from tests.conversations.driver import CLIENT_FACTS, begin, follow, lmtp_client, serve

PLAIN = """
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250 mx.example
"""
OFFERED = """
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 STARTTLS
"""


def test_ehlo() -> None:
    link = follow(PLAIN)
    client = begin(link)
    assert client.state is State.READY
    assert str(client.session.name) == "client.example"


@pytest.mark.parametrize("code", [500, 502, 504, 550])
def test_helo_where_ehlo_is_not_known(code: int) -> None:
    link = follow(f"""
        S: 220 mx.example
        C: EHLO client.example
        S: {code} what?
        C: HELO client.example
        S: 250 mx.example
        """)
    assert not begin(link).session.extended


def test_lhlo() -> None:
    link = follow(PLAIN.replace("EHLO", "LHLO"))
    assert begin(link, lmtp_client()).session.extended


@pytest.mark.parametrize(
    "text, kind, words",
    [
        ("S: 554 5.3.2 no mail here", PermanentError, "554 5.3.2 no mail here"),
        ("S: 421 4.3.2 later", TransientError, "421 4.3.2 later"),
        (PLAIN.replace("250 mx", "450 4.7.1 mx"), TransientError, "EHLO: 450"),
        (PLAIN.replace("250 mx", "421 mx"), TransientError, "EHLO: 421"),
        (
            PLAIN.replace("250 mx", "550 mx") + "C: HELO client.example\nS: 550 5.7.1 no",
            PermanentError,
            "HELO: 550",
        ),
    ],
)
def test_a_server_that_does_not_want_us(text: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        begin(follow(text))


BYE = "C: QUIT\nS: 221 2.0.0 bye\nEOF"
AUTH = PLAIN.replace("250 mx", "250-mx") + "S: 250 AUTH PLAIN\nC: AUTH PLAIN ...\n"
ALICE = {"credentials": Credentials(username="alice", password="x"), "nonce": lambda: "x" * 24}
IN_PLAIN_TEXT = {**ALICE, "allow_plaintext": ("PLAIN",)}


@pytest.mark.parametrize(
    "text, settings, kind",
    [
        ("S: 554 5.3.2 no mail here\n", {}, PermanentError),
        ("S: 450 4.3.2 not now\n", {}, TransientError),
        (PLAIN.replace("250 mx", "450 4.7.1 mx"), {}, TransientError),
        (PLAIN, {"tls": TLSMode.STARTTLS}, TLSError),
        (PLAIN, {"tls": TLSMode.OPPORTUNISTIC, "policy": TLSPolicy()}, TLSError),
        (OFFERED + "C: STARTTLS\nS: 454 no\n", {"tls": TLSMode.STARTTLS}, TLSError),
        (
            OFFERED + "C: STARTTLS\nS: 220 go on\nTLS\n",
            {"tls": TLSMode.STARTTLS, "policy": TLSPolicy(check=lambda _: "no TLSA record")},
            TLSError,
        ),
        (PLAIN, IN_PLAIN_TEXT, AuthenticationError),
        (AUTH + "S: 535 5.7.8 no\n", IN_PLAIN_TEXT, AuthenticationError),
        (AUTH + "S: 454 4.7.0 not now\n", IN_PLAIN_TEXT, TransientError),
    ],
)
def test_a_client_that_gives_up_takes_leave(
    text: str, settings: dict[str, Any], kind: type[Exception]
) -> None:
    """With QUIT, where the session is in step (RFC 5321 section 4.1.1.10), and without patience."""
    link = follow(text + BYE)
    with pytest.raises(kind):
        begin(link, **settings)
    link.end()
    assert link.client.sent().endswith(b"QUIT\r\n")
    *_, said, heard = link.client.requests
    assert isinstance(said, Send)
    assert isinstance(heard, Receive)
    assert said.timeout == heard.timeout == 5.0


def test_a_client_that_gives_up_does_not_wait_for_ever() -> None:
    link = follow("S: 554 5.3.2 no mail here\nC: QUIT\nEOF")
    with pytest.raises(PermanentError, match="554"):
        begin(link)


@pytest.mark.parametrize(
    "text, settings",
    [
        ("S: 421 4.3.2 later", {}),
        (PLAIN.replace("250 mx", "421 mx"), {}),
        ("S: HTTP/1.1 400 Bad Request", {}),
        (OFFERED + "C: STARTTLS\nS: 220 go on\nS: 250 mx.example\n", {"tls": TLSMode.STARTTLS}),
        (AUTH + "S: what?", IN_PLAIN_TEXT),
    ],
)
def test_nothing_is_said_where_nobody_would_understand_it(
    text: str, settings: dict[str, Any]
) -> None:
    link = follow(text)
    with pytest.raises((SMTPError, RemoteProtocolError)):
        begin(link, **settings)
    assert b"QUIT" not in link.client.sent()


def test_what_answers_is_no_mail_server() -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP"):
        begin(follow("S: HTTP/1.1 400 Bad Request"))


@pytest.mark.parametrize("mode", [TLSMode.NONE, TLSMode.OPPORTUNISTIC, TLSMode.STARTTLS])
def test_silence_may_mean_implicit_tls(mode: TLSMode) -> None:
    link = follow("EOF")
    with pytest.raises(ConnectionLost, match=r"within 300 seconds[^Z]*TLSMode.IMPLICIT"):
        begin(link, tls=mode)


# --- STARTTLS ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [TLSMode.OPPORTUNISTIC, TLSMode.STARTTLS])
def test_starttls(mode: TLSMode) -> None:
    link = follow(
        OFFERED
        + """
            C: STARTTLS
            S: 220 go ahead
            TLS
            C: EHLO client.example
            S: 250-mx.example
            S: 250 PIPELINING
            """
    )
    client = begin(link, tls=mode)
    assert client.session.secure
    assert client.session.tls == CLIENT_FACTS
    # What was said in plain text counts no more.
    assert Pipelining in client.offered
    assert StartTls not in client.offered


def test_never() -> None:
    client = begin(follow(OFFERED), tls=TLSMode.NONE)
    assert not client.session.secure


def test_not_where_the_channel_is_secure() -> None:
    client = Client(session=Session(secure=True))
    begin(follow(OFFERED), client, tls=TLSMode.STARTTLS)
    assert client.session.tls is None


def test_unless_a_policy_asks_for_it() -> None:
    client = Client(session=Session(secure=True))
    with pytest.raises(TLSError, match="does not offer STARTTLS"):
        begin(follow(PLAIN), client, tls=TLSMode.STARTTLS, policy=TLSPolicy())


def test_stripped() -> None:
    """What an attacker on the way does to the reply to EHLO."""
    link = follow(PLAIN.replace("250 mx.example", "250-mx.example\nS: 250 XXXXXXXA"))
    with pytest.raises(TLSError, match="does not offer STARTTLS; it offers XXXXXXXA") as caught:
        begin(link, tls=TLSMode.STARTTLS)
    assert "587" in str(caught.value)
    assert "attacker" in str(caught.value)
    assert link.client.sent() == b"EHLO client.example\r\nQUIT\r\n"


def test_stripped_by_a_policy_that_requires_it() -> None:
    with pytest.raises(TLSError, match="no service extension"):
        begin(follow(PLAIN), tls=TLSMode.OPPORTUNISTIC, policy=TLSPolicy(), host="")


def test_without_it_where_it_is_only_welcome() -> None:
    assert begin(follow(PLAIN), tls=TLSMode.OPPORTUNISTIC).state is State.READY


def test_refused() -> None:
    text = OFFERED + "C: STARTTLS\nS: 454 4.7.0 TLS not available"
    with pytest.raises(TLSError, match=r"offers STARTTLS and refuses it: 454 4\.7\.0") as caught:
        begin(follow(text), tls=TLSMode.STARTTLS)
    assert caught.value.reply is not None
    assert caught.value.reply.code == 454
    client = begin(follow(text), tls=TLSMode.OPPORTUNISTIC)
    assert client.state is State.READY
    assert not client.session.secure


def test_refused_for_good() -> None:
    text = OFFERED + "C: STARTTLS\nS: 421 4.3.2 closing"
    with pytest.raises(TransientError, match="421"):
        begin(follow(text), tls=TLSMode.OPPORTUNISTIC)


@pytest.mark.parametrize("injected", ["250 mx.example", "250-mx.example", "2"])
def test_replies_injected_behind_the_220(injected: str) -> None:
    """They would be read as the reply to the EHLO inside TLS."""
    link = follow(OFFERED + f"C: STARTTLS\nS: 220 go ahead\nS: {injected}\nEOF")
    with pytest.raises(RemoteProtocolError, match="plain text"):
        begin(link, tls=TLSMode.STARTTLS)
    # No handshake and no EHLO followed.
    assert link.client.sent().endswith(b"STARTTLS\r\n")
    assert not any(isinstance(request, BeginTLS) for request in link.client.requests)


def test_the_handshake_fails() -> None:
    link = follow(OFFERED + "C: STARTTLS\nS: 220 go ahead\nTLS")
    link.client.tls = OSError("bad")
    # Also where TLS is only welcome: who cannot do it has to connect again.
    with pytest.raises(TLSError, match="bad"):
        begin(link, tls=TLSMode.OPPORTUNISTIC)


# --- implicit TLS -----------------------------------------------------------------------------


def test_implicit() -> None:
    link = follow("TLS\n" + OFFERED)
    client = begin(link, tls=TLSMode.IMPLICIT)
    assert isinstance(link.client.requests[0], BeginTLS)
    assert client.session.tls == CLIENT_FACTS
    # A server that offers STARTTLS inside TLS is not taken by its word.
    assert b"STARTTLS" not in link.client.sent()


def test_implicit_and_then_silence() -> None:
    with pytest.raises(ConnectionLost) as caught:
        begin(follow("TLS"), tls=TLSMode.IMPLICIT)
    assert "465" not in str(caught.value)


@pytest.mark.parametrize("tls", [ServerTLS.STARTTLS, ServerTLS.IMPLICIT])
def test_both_sides(tls: ServerTLS) -> None:
    link = serve(tls=tls)
    client = begin(link, tls=TLSMode[tls.name])
    assert client.session.secure
    assert link.run(submit.ask(client, Noop())).code == 250


# --- behind a proxy ---------------------------------------------------------------------------


def test_a_proxy_header_comes_first() -> None:
    header = ProxyHeader(
        version=1,
        family=ProxyFamily.TCP4,
        source=Endpoint("198.51.100.1", 1),
        destination=Endpoint("192.0.2.2", 25),
    )
    link = follow("C: PROXY TCP4 198.51.100.1 192.0.2.2 1 25\n" + PLAIN)
    assert begin(link, proxy=header).state is State.READY
    first = link.client.requests[0]
    assert isinstance(first, Send)
    assert first.data == header.to_bytes()


def test_the_link_breaks_at_the_proxy_header() -> None:
    link = follow("EOF")
    link.client.faults[0] = BrokenPipeError("gone")
    with pytest.raises(ConnectionLost, match="gone"):
        begin(link, proxy=ProxyHeader())


# --- faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), TimeoutError("slow")])
def test_the_link_breaks_anywhere(error: OSError) -> None:
    whole = serve(tls=ServerTLS.STARTTLS)
    begin(whole, tls=TLSMode.STARTTLS)
    total = len(whole.client.requests)
    assert total == 8
    for index in range(total):
        link = serve(tls=ServerTLS.STARTTLS)
        link.client.faults[index] = error
        with pytest.raises(ConnectionLost):
            begin(link, tls=TLSMode.STARTTLS)
