"""AUTH on the server: the store is asked, the client is told no more than it may know."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from smtpproto import Reply, Session
from smtpproto.conversations.io_requests import Draining
from smtpproto.extensions import Auth, EnhancedStatusCodes
from smtpproto.sasl import Users
from smtpproto.testing import Link
from tests.conversations.driver import Inbox, serve

USERS = Users({"alice": "wonderland"}, secret=b"sixteen octets..", iterations=4096)
HELLO = b"EHLO client.example\r\n"


def encode(text: str) -> bytes:
    return base64.b64encode(text.encode())


GOOD = b"AUTH PLAIN " + encode("\0alice\0wonderland") + b"\r\n"
BAD = b"AUTH PLAIN " + encode("\0alice\0looking glass") + b"\r\n"


def allow(*names: str) -> tuple[Auth, ...]:
    return (Auth(allow_plaintext=names or ("PLAIN", "LOGIN")),)


def start(users: object = USERS, inbox: Inbox | None = None, **settings: Any) -> Link:
    """A server in plain text that takes passwords all the same, past EHLO."""
    extensions = settings.pop("extensions", allow())
    link = serve(inbox, users=users, nonce=lambda: "n" * 24, extensions=extensions, **settings)
    assert b"250 AUTH " in link.feed(HELLO)
    return link


def code(answer: bytes) -> bytes:
    return answer[:3]


def test_success_and_once() -> None:
    inbox = Inbox()
    link = start(inbox=inbox)
    assert link.feed(GOOD) == b"235 Authentication successful\r\n"
    assert code(link.feed(GOOD)) == b"503"
    link.end()
    assert inbox.ended[0].identity == "alice"


def test_a_dialogue() -> None:
    link = start()
    assert link.feed(b"AUTH LOGIN\r\n") == b"334 VXNlcm5hbWU6\r\n"
    assert link.feed(encode("alice") + b"\r\n") == b"334 UGFzc3dvcmQ6\r\n"
    assert code(link.feed(encode("wonderland") + b"\r\n")) == b"235"


@pytest.mark.parametrize(
    "lines, codes",
    [
        ([BAD], [b"535"]),
        ([b"AUTH PLAIN\r\n", encode("\0alice\0no") + b"\r\n"], [b"334", b"535"]),
        ([b"AUTH PLAIN " + encode("alice") + b"\r\n"], [b"501"]),
        ([b"AUTH PLAIN =\r\n"], [b"501"]),
        ([b"AUTH LOGIN\r\n", b"*\r\n"], [b"334", b"501"]),
        ([b"AUTH LOGIN\r\n", b"!\r\n"], [b"334", b"501"]),
        ([b"AUTH LOGIN\r\n", b"A\nA\r\n"], [b"334", b"500"]),
        ([b"AUTH SCRAM-SHA-256 " + encode("n,,n=alice,r=x") + b"\r\n", b"*\r\n"], [b"334", b"501"]),
        ([b"AUTH SCRAM-SHA-256 " + encode("nonsense") + b"\r\n"], [b"501"]),
        ([b"AUTH SCRAM-SHA-256-PLUS " + encode("x") + b"\r\n"], [b"538"]),
        ([b"AUTH GSSAPI\r\n"], [b"504"]),
    ],
)
def test_failures_leave_the_session_usable(lines: list[bytes], codes: list[bytes]) -> None:
    inbox = Inbox()
    link = start(inbox=inbox)
    assert [code(link.feed(line)) for line in lines] == codes
    assert len(inbox.refusals) == 1
    assert code(link.feed(b"MAIL FROM:<a@client.example>\r\n")) == b"250"
    assert code(link.feed(b"RSET\r\n" + GOOD)) == b"250"


def test_the_client_learns_no_more_than_the_code() -> None:
    inbox = Inbox()
    link = start(inbox=inbox)
    assert link.feed(BAD) == b"535 Authentication credentials invalid\r\n"
    assert link.feed(b"AUTH PLAIN =\r\n") == b"501 Authentication exchange failed\r\n"
    assert "PLAIN: expected [authzid] NUL" in inbox.refusals[1].reason


def test_attempts_are_limited() -> None:
    link = start()
    assert [code(link.feed(BAD)) for _ in range(4)] == [b"535"] * 4
    assert link.feed(BAD) == b"421 too many attempts to authenticate failed\r\n"
    assert link.server.done


def test_an_attempt_that_was_right_ends_the_counting() -> None:
    link = start()
    for _ in range(4):
        link.feed(BAD)
    assert code(link.feed(GOOD)) == b"235"


class Broken:
    """A store that raises, or gives nonsense."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def check_password(self, username: str, password: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer", [OSError("database is down"), LookupError("bug"), "yes", 1, TimeoutError("slow")]
)
def test_a_store_that_fails(answer: Any) -> None:
    inbox = Inbox()
    link = start(Broken(answer), inbox, extensions=allow("PLAIN"))
    assert link.feed(GOOD) == b"454 Temporary authentication failure\r\n"
    (report,) = link.server.reports
    assert report is answer or isinstance(report, TypeError)
    assert "wonderland" not in repr(report)
    assert not inbox.refusals
    # That was not the client's fault: it may try as often as it likes.
    assert [code(link.feed(GOOD)) for _ in range(6)] == [b"454"] * 6
    assert link.feed(b"NOOP\r\n").startswith(b"250")


def test_a_store_without_an_answer() -> None:
    """What is asked of it only in some cases, it may not have."""
    link = start(Broken(True), extensions=allow("PLAIN"))
    line = b"AUTH PLAIN " + encode("bob\0alice\0wonderland") + b"\r\n"
    assert code(link.feed(line)) == b"535"
    assert code(link.feed(GOOD)) == b"235"


def test_a_mechanism_that_nobody_has() -> None:
    auth = Auth(in_session=lambda _: ("X-OWN",))
    link = start(extensions=(auth,))
    assert code(link.feed(b"AUTH X-OWN\r\n")) == b"454"
    assert isinstance(link.server.reports[0], KeyError)


def test_a_challenge_that_fits_no_line() -> None:
    """A SCRAM nonce of the client's may be as long as its line; the challenge repeats it."""
    link = start()
    first = b"AUTH SCRAM-SHA-256 " + encode("n,,n=alice,r=" + "x" * 9150) + b"\r\n"
    assert len(first) <= 12288
    assert code(link.feed(first)) in (b"501", b"334")
    assert not link.server.done


@pytest.mark.parametrize("end", ["eof", "timeout", "drain", "lost"])
def test_the_session_ends_within(end: str) -> None:
    inbox = Inbox()
    link = start(inbox=inbox)
    link.feed(b"AUTH LOGIN\r\n")
    if end == "lost":
        link.server.faults[len(link.server.requests) - 1] = ConnectionResetError("reset")
    elif end != "eof":
        link.server.on_idle = [TimeoutError() if end == "timeout" else Draining()]
    link.end(eof=end == "eof")
    assert inbox.ended
    assert link.server.sent().endswith(
        {
            "timeout": b"421 timeout exceeded\r\n",
            "drain": b"421 the server is being stopped, try again later\r\n",
        }.get(end, b"334 VXNlcm5hbWU6\r\n")
    )


def test_required() -> None:
    link = start(extensions=(Auth(allow_plaintext=("PLAIN",), required=True),))
    assert code(link.feed(b"MAIL FROM:<a@client.example>\r\n")) == b"530"
    assert code(link.feed(GOOD)) == b"235"
    assert code(link.feed(b"MAIL FROM:<a@client.example>\r\n")) == b"250"


def test_external() -> None:
    """Who shows a certificate is known by the names in it that are of the kind that was chosen."""
    from smtpproto import NameKind, PeerName, TLSFacts
    from smtpproto.conversations import ServerSettings, SessionFactory

    names = (PeerName(NameKind.DNS, "bob"), PeerName(NameKind.EMAIL, "alice"))
    facts = TLSFacts("TLSv1.3", peer_names=names)

    def served(kind: NameKind | None) -> tuple[Link, bytes]:
        factory = SessionFactory(
            Inbox(), ServerSettings(users=USERS, nonce=lambda: "n" * 24, external=kind)
        )
        link = Link(factory.open(Session(secure=True, tls=facts)))
        return link, link.feed(HELLO)

    link, greeted = served(NameKind.EMAIL)
    assert b"AUTH EXTERNAL" in greeted
    assert code(link.feed(b"AUTH EXTERNAL =\r\n")) == b"235"
    for kind in (None, NameKind.URI):
        link, greeted = served(kind)
        assert b"EXTERNAL" not in greeted
        assert code(link.feed(b"AUTH EXTERNAL =\r\n")) in {b"504", b"535"}
    link, _ = served(NameKind.DNS)
    assert code(link.feed(b"AUTH EXTERNAL YWxpY2U=\r\n")) == b"535"


# --- a store that says why ----------------------------------------------------------------------


class Explaining:
    """Refuses in words of its own."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def check_password(self, username: str, password: str) -> Any:
        return self.answer

    def fetch_secret(self, mechanism: str, username: str) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "reply",
    [
        Reply(432, "4.7.12", "log in once with PLAIN"),
        Reply(454, "4.7.0", "the directory does not answer"),
        Reply(534, "5.7.9", "use a stronger mechanism"),
        Reply(535, "5.7.8", "the account is locked until Monday"),
        Reply(535, "5.7.8", "the password has expired"),
    ],
)
@pytest.mark.parametrize("begin", [GOOD, b"AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiYw==\r\n"])
def test_a_store_that_says_why_not(reply: Reply, begin: bytes) -> None:
    inbox = Inbox()
    extensions = (EnhancedStatusCodes(), *allow("PLAIN", "SCRAM-SHA-256"))
    link = start(Explaining(reply), inbox, extensions=extensions)
    answer = link.feed(begin)
    assert answer == f"{reply.code} {reply.enhanced} {reply.text}\r\n".encode()
    (refusal,) = inbox.refusals
    assert refusal.reply == reply
    assert reply.text in refusal.reason
    assert code(link.feed(b"NOOP\r\n")) == b"250"


def test_its_refusals_count_as_attempts() -> None:
    link = start(Explaining(Reply(535, "5.7.8", "the account is locked")))
    assert [code(link.feed(GOOD)) for _ in range(5)] == [b"535"] * 4 + [b"421"]


@pytest.mark.parametrize("answer", [Reply(250), Reply(334, "", "eA==")])
def test_a_reply_that_is_no_refusal_admits_nobody(answer: Reply) -> None:
    link = start(Explaining(answer))
    assert code(link.feed(GOOD)) == b"454"
    assert len(link.server.reports) == 1
