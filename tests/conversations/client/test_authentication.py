"""Logging in, from the client: which mechanism, and what when it is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from smtpproto import Client, RemoteProtocolError, Session
from smtpproto.conversations import (
    AuthenticationError,
    ConnectionLost,
    ServerTLS,
    TLSMode,
    Transcript,
    TransientError,
)
from smtpproto.sasl import ClientHalf, Context, Credentials, Plain, SASLError, Users
from tests.conversations.driver import Inbox, begin, follow, serve

ALICE = Credentials(username="alice", password="wonderland")
PLAIN = base64.b64encode(b"\0alice\0wonderland").decode()
USERS = Users(
    {"alice": "wonderland"}, secret=b"sixteen octets..", iterations=4096, tokens={"token": "alice"}
)


def nonce() -> str:
    return "abcdefghijklmnopqrstuvwx"


def log_in(text: str, offer: str = "PLAIN LOGIN", **settings: Any) -> Client:
    """Log in to a server that says this, on a channel that is secure."""
    link = follow(
        f"""
            S: 220 mx.example
            C: EHLO client.example
            S: 250-mx.example
            S: 250-ENHANCEDSTATUSCODES
            S: 250 AUTH {offer}
            """
        + text
    )
    client = Client(session=Session(secure=True))
    return begin(link, client, **{"credentials": ALICE, "nonce": nonce, **settings})


# --- with a server of our own -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"],
)
def test_both_sides(name: str) -> None:
    inbox = Inbox()
    link = serve(inbox, tls=ServerTLS.STARTTLS, users=USERS, nonce=nonce)
    client = begin(link, tls=TLSMode.STARTTLS, credentials=ALICE, nonce=nonce, mechanisms=(name,))
    assert client.session.identity == "alice"
    assert f"AUTH {name}".encode() in link.client.sent()
    link.end()
    assert inbox.ended[0].identity == "alice"


def test_the_strongest_comes_first() -> None:
    link = serve(tls=ServerTLS.STARTTLS, users=USERS, nonce=nonce)
    begin(link, tls=TLSMode.STARTTLS, credentials=ALICE, nonce=nonce)
    assert b"AUTH SCRAM-SHA-256" in link.client.sent()
    assert PLAIN.encode() not in link.client.sent()


def test_a_token() -> None:
    link = serve(tls=ServerTLS.STARTTLS, users=USERS, nonce=nonce)
    credentials = Credentials(username="alice", token="token")
    client = begin(link, tls=TLSMode.STARTTLS, credentials=credentials, nonce=nonce, port=587)
    assert client.session.identity == "alice"
    assert b"AUTH OAUTHBEARER" in link.client.sent()


@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"])
def test_wrong_credentials(name: str) -> None:
    inbox = Inbox()
    link = serve(inbox, tls=ServerTLS.STARTTLS, users=USERS, nonce=nonce)
    wrong = Credentials(username="alice", password="looking glass", token="forged")
    with pytest.raises(AuthenticationError, match=f"{name}: 535 5.7.8") as caught:
        begin(link, tls=TLSMode.STARTTLS, credentials=wrong, nonce=nonce, mechanisms=(name,))
    assert caught.value.reply is not None
    assert caught.value.reply.code == 535
    assert "looking glass" not in str(caught.value)
    assert [each.reply.code for each in inbox.refusals] == [535]


def test_an_unknown_user_looks_like_a_wrong_password() -> None:
    replies = []
    for name in ("alice", "nobody"):
        link = serve(tls=ServerTLS.STARTTLS, users=USERS, nonce=nonce)
        with pytest.raises(AuthenticationError) as caught:
            begin(
                link,
                tls=TLSMode.STARTTLS,
                credentials=Credentials(username=name, password="x"),
                nonce=nonce,
            )
        replies.append(str(caught.value))
    assert replies[0] == replies[1]


@pytest.mark.parametrize(
    "name, credentials",
    [
        ("PLAIN", Credentials(username="alice", password="x" * 400)),
        ("OAUTHBEARER", Credentials(username="alice", token="x" * 2000)),
        ("XOAUTH2", Credentials(username="alice", token="x" * 2000)),
    ],
)
def test_what_is_too_long_for_the_command_leaves_after_it(
    name: str, credentials: Credentials
) -> None:
    """An AUTH command has at most 512 octets (RFC 4954 section 4)."""
    users = Users({"alice": "x" * 400}, tokens={"x" * 2000: "alice"}, secret=b"sixteen octets..")
    link = serve(tls=ServerTLS.STARTTLS, users=users, nonce=nonce)
    client = begin(
        link,
        tls=TLSMode.STARTTLS,
        credentials=credentials,
        nonce=nonce,
        mechanisms=(name,),
        port=587,
    )
    assert client.session.identity == "alice"
    command, response = link.client.sent().split(b"\r\n")[-3:-1]
    assert command == f"AUTH {name}".encode()
    assert len(response) > 512


@pytest.mark.parametrize("more", [0, 1])
def test_a_command_of_512_octets_is_not_too_long(more: int) -> None:
    """The response has 498 octets in base64, or 4 more."""
    password = "x" * (498 // 4 * 3 - len("\0alice\0") + more)
    users = Users({"alice": password}, secret=b"sixteen octets..")
    link = serve(tls=ServerTLS.STARTTLS, users=users, nonce=nonce)
    credentials = Credentials(username="alice", password=password)
    begin(link, tls=TLSMode.STARTTLS, credentials=credentials, nonce=nonce, mechanisms=("PLAIN",))
    lines = link.client.sent().split(b"\r\n")
    assert (b"AUTH PLAIN" in lines) is bool(more)
    assert len(lines[-2]) + 2 <= 512 or more


# --- when something is refused ----------------------------------------------------------------


def test_the_next_one_where_a_mechanism_is_refused() -> None:
    client = log_in(
        f"""
        C: AUTH PLAIN {PLAIN}
        S: 504 5.5.4 not today
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: YWxpY2U=
        S: 334 UGFzc3dvcmQ6
        C: d29uZGVybGFuZA==
        S: 235 2.7.0 welcome
        """
    )
    assert client.session.identity == "alice"


def test_a_transition_needs_the_password_once() -> None:
    """432 (RFC 4954 section 6): the server has nothing yet that CRAM-MD5 could be checked with."""
    client = log_in(
        f"""
        C: AUTH CRAM-MD5
        S: 334 {base64.b64encode(b"<1@mx.example>").decode()}
        C: YWxpY2Ug...
        S: 432 4.7.12 a password transition is needed
        C: AUTH PLAIN {PLAIN}
        S: 235 2.7.0 welcome
        """,
        "CRAM-MD5 PLAIN",
    )
    assert client.session.identity == "alice"


def test_refused_credentials_are_tried_in_one_other_way() -> None:
    """A server may lack what one mechanism needs; LOGIN is in vain where PLAIN was."""
    with pytest.raises(AuthenticationError) as caught:
        log_in(
            f"""
            C: AUTH CRAM-MD5
            S: 334 {base64.b64encode(b"<1@mx.example>").decode()}
            C: YWxpY2Ug...
            S: 535 5.7.8 first
            C: AUTH PLAIN {PLAIN}
            S: 535 5.7.8 second
            C: QUIT
            S: 221 2.0.0 bye
            EOF
            """,
            "CRAM-MD5 PLAIN LOGIN",
        )
    text = str(caught.value)
    assert "CRAM-MD5: 535 5.7.8 first" in text
    assert "PLAIN: 535 5.7.8 second" in text
    assert caught.value.reply is not None
    assert caught.value.reply.text == "first"


def test_all_mechanisms_refused() -> None:
    with pytest.raises(AuthenticationError) as caught:
        log_in(
            f"""
            C: AUTH PLAIN {PLAIN}
            S: 534 5.7.9 too weak
            C: AUTH LOGIN
            S: 504 5.5.4 no
            """
        )
    assert caught.value.reply is not None
    assert caught.value.reply.code == 504


@pytest.mark.parametrize("code", [454, 421, 451])
def test_not_now(code: int) -> None:
    with pytest.raises(TransientError, match=str(code)):
        log_in(f"C: AUTH PLAIN {PLAIN}\nS: {code} 4.7.0 later")


# --- when nothing can be used -----------------------------------------------------------------


def test_the_password_is_not_sent_in_plain_text() -> None:
    text = """
    S: 220 mx.example
    C: EHLO client.example
    S: 250-mx.example
    S: 250 AUTH PLAIN LOGIN
    """
    link = follow(text)
    with pytest.raises(AuthenticationError) as caught:
        begin(link, credentials=ALICE, nonce=nonce)
    assert "PLAIN: it sends a reusable secret" in str(caught.value)
    assert link.client.sent() == b"EHLO client.example\r\nQUIT\r\n"
    # Unless its name is allowed.
    link = follow(text + f"C: AUTH PLAIN {PLAIN}\nS: 235 ok")
    begin(link, credentials=ALICE, nonce=nonce, allow_plaintext=("PLAIN",))


@pytest.mark.parametrize(
    "offer, secure, hint",
    [
        ("250-mx.example\nS: 250 HELP", False, "inside TLS only"),
        ("250-mx.example\nS: 250 HELP", True, "587"),
        ("502 what?\nC: HELO client.example\nS: 250 mx.example", True, "does not know EHLO"),
    ],
)
def test_a_server_without_auth(offer: str, secure: bool, hint: str) -> None:
    link = follow(f"S: 220 mx.example\nC: EHLO client.example\nS: {offer}")
    client = Client(session=Session(secure=secure))
    with pytest.raises(AuthenticationError, match="offers no authentication") as caught:
        begin(link, client, credentials=ALICE, nonce=nonce)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({"mechanisms": ("SCRAM-SHA-256",)}, "PLAIN: it is not known here"),
        ({"credentials": Credentials(username="alice")}, "a password are needed"),
    ],
)
def test_no_mechanism_fits(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(AuthenticationError, match=reason):
        log_in("C: QUIT\nS: 221 2.0.0 bye\nEOF", **settings)


class Unwilling(Plain):
    """A mechanism that finds out only when it begins that it cannot."""

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        if credentials.username:
            raise SASLError("PLAIN: the moon is not full")
        yield b""


def test_a_mechanism_that_cannot_begin() -> None:
    with pytest.raises(AuthenticationError, match="the moon is not full"):
        log_in("C: QUIT\nS: 221 2.0.0 bye\nEOF", mechanisms={"PLAIN": Unwilling()})


# --- servers that do it wrong -----------------------------------------------------------------


@pytest.mark.parametrize(
    "challenge, reason",
    [
        ("not base64!", "base64"),
        (base64.b64encode(b"r=other,s=QSXCR+Q6sek8bf92,i=4096").decode(), "SCRAM"),
        (base64.b64encode(b"e=no").decode(), "SCRAM"),
    ],
)
def test_a_challenge_that_is_none(challenge: str, reason: str) -> None:
    with pytest.raises(AuthenticationError, match=reason):
        log_in(
            f"""
            C: AUTH SCRAM-SHA-256 ...
            S: 334 {challenge}
            C: *
            S: 501 5.7.0 cancelled
            """,
            "SCRAM-SHA-256 PLAIN",
        )


def test_a_challenge_too_many() -> None:
    with pytest.raises(AuthenticationError, match="expected the outcome"):
        log_in(f"C: AUTH PLAIN {PLAIN}\nS: 334 \nC: *\nS: 501 ok", "PLAIN")


def test_success_without_proof() -> None:
    """SCRAM has the server prove that it knows the password, too."""
    with pytest.raises(AuthenticationError, match="before it was complete"):
        log_in("C: AUTH SCRAM-SHA-256 ...\nS: 235 2.7.0 welcome", "SCRAM-SHA-256")


def test_an_echo() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        log_in(f"C: AUTH PLAIN {PLAIN}\nS: AUTH PLAIN {PLAIN}")
    assert PLAIN not in str(caught.value)


# --- faults and secrets -----------------------------------------------------------------------


@pytest.mark.parametrize("index", range(8, 14))
def test_the_link_breaks_within(index: int) -> None:
    link = serve(tls=ServerTLS.STARTTLS, users=USERS, nonce=nonce)
    link.client.faults[index] = ConnectionResetError("reset")
    with pytest.raises(ConnectionLost):
        begin(link, tls=TLSMode.STARTTLS, credentials=ALICE, nonce=nonce)


@pytest.mark.parametrize("password", ["wonderland", "looking glass"])
@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "PLAIN", "LOGIN"])
def test_no_secret_is_seen_by_anybody(name: str, password: str) -> None:
    seen: list[str] = []
    inbox = Inbox()
    link = serve(
        inbox,
        tls=ServerTLS.STARTTLS,
        users=USERS,
        nonce=nonce,
        observer=lambda _: Transcript(seen.append),
    )
    credentials = Credentials(username="alice", password=password)
    client = Client(observer=Transcript(seen.append))
    try:
        begin(
            link,
            client,
            tls=TLSMode.STARTTLS,
            credentials=credentials,
            nonce=nonce,
            mechanisms=(name,),
        )
    except AuthenticationError as error:
        seen += [str(error), repr(error), repr(error.reply)]
    link.end()
    seen += [repr(inbox), repr(link.server.reports), repr(client.session), repr(credentials)]
    shown = "\n".join(seen)
    assert f"C: AUTH {name}" in shown
    encoded = base64.b64encode(password.encode()).decode().rstrip("=")
    for secret in (password, encoded, base64.b64encode(f"\0alice\0{password}".encode()).decode()):
        assert secret not in shown
