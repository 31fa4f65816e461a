"""What a client does after a refusal of its credentials, and whom a server suspects of lying."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from smtpproto import TLSFacts
from smtpproto.conversations import AuthenticationError, ServerTLS, TLSMode
from smtpproto.conversations.conversation_steps import Steps
from smtpproto.conversations.io_requests import Flow, Request, Send
from smtpproto.extensions import Auth
from smtpproto.sasl import Credentials, TokenRefused, Users
from smtpproto.testing import Link
from tests.conversations.driver import CLIENT_FACTS, SERVER_FACTS, Inbox, begin, serve

USERS = Users({"tim": "tanstaaftanstaaf"}, secret=b"0123456789abcdef", iterations=4096)
TIM = Credentials(username="tim", password="tanstaaftanstaaf")
NOT_VERIFIED = replace(CLIENT_FACTS, peer_names=())
BINDING = {"tls-unique": b"as mx.example sees it"}
ELSEWHERE = {"tls-unique": b"as somebody in between sees it"}


class Crypted:
    """A store that can verify a password, and has nothing that SCRAM could use."""

    def check_password(self, username: str, password: str) -> bool:
        return USERS.check_password(username, password)

    def fetch_secret(self, mechanism: str, username: str) -> None:
        return None


def nonces() -> Callable[[], str]:
    count = iter(range(1000))
    return lambda: f"nonce{next(count):020}"


def log_in(
    users: object,
    *,
    client_facts: TLSFacts = CLIENT_FACTS,
    server_facts: TLSFacts = SERVER_FACTS,
    credentials: Credentials = TIM,
    settings: dict[str, Any] | None = None,
    **begun: Any,
) -> Link:
    """The link of a client that logged in after STARTTLS, or tried to."""
    link = serve(
        users=users,
        nonce=nonces(),
        **{"tls": ServerTLS.STARTTLS, **(settings or {})},
    )
    link.client.tls, link.server.tls = client_facts, server_facts
    begin(
        link,
        credentials=credentials,
        nonce=nonces(),
        **{"tls": TLSMode.STARTTLS, **begun},
    )
    return link


def attempts(link: Link) -> list[str]:
    """The mechanisms that the client tried."""
    lines = link.client.sent().decode("latin-1").split("\r\n")
    return [line.split()[1] for line in lines if line.startswith("AUTH ")]


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """The links that were made, also by a login that failed."""
    made: list[Link] = []
    plain = Link.__init__

    def noted(self: Link, *arguments: Any, **options: Any) -> None:
        made.append(self)
        plain(self, *arguments, **options)

    monkeypatch.setattr(Link, "__init__", noted)
    return made


def test_a_server_that_is_known_may_have_kept_only_what_plain_needs(links: list[Link]) -> None:
    log_in(Crypted())
    assert attempts(links[0]) == ["SCRAM-SHA-256", "PLAIN"]


def test_whoever_is_not_known_gets_no_password_for_saying_no(links: list[Link]) -> None:
    with pytest.raises(AuthenticationError, match="SCRAM-SHA-256: 535"):
        log_in(Crypted(), client_facts=NOT_VERIFIED)
    assert attempts(links[0]) == ["SCRAM-SHA-256"]


def test_nor_does_anybody_without_tls(links: list[Link]) -> None:
    plain = {"tls": ServerTLS.NONE, "extensions": [Auth(allow_plaintext=("PLAIN",))]}
    with pytest.raises(AuthenticationError):
        log_in(Crypted(), settings=plain, tls=TLSMode.NONE, allow_plaintext=("PLAIN",))
    assert attempts(links[0]) == ["SCRAM-SHA-256"]


def test_plain_alone_is_what_was_allowed() -> None:
    """It does not take the place of anything."""
    plain = {"tls": ServerTLS.NONE, "extensions": [Auth(("PLAIN",), ("PLAIN",))]}
    link = log_in(Crypted(), settings=plain, tls=TLSMode.NONE, allow_plaintext=("PLAIN",))
    assert attempts(link) == ["PLAIN"]


def test_a_channel_that_ends_elsewhere_gets_no_password(links: list[Link]) -> None:
    """Though the certificate was verified: it is such a certificate that binding is there for."""
    with pytest.raises(AuthenticationError, match="SCRAM-SHA-256-PLUS: 535"):
        log_in(
            USERS,
            client_facts=replace(CLIENT_FACTS, channel_bindings=ELSEWHERE),
            server_facts=replace(SERVER_FACTS, channel_bindings=BINDING),
        )
    assert attempts(links[0]) == ["SCRAM-SHA-256-PLUS"]


def test_a_channel_that_is_the_same_at_both_ends() -> None:
    link = log_in(
        USERS,
        client_facts=replace(CLIENT_FACTS, channel_bindings=BINDING),
        server_facts=replace(SERVER_FACTS, channel_bindings=BINDING),
    )
    assert attempts(link) == ["SCRAM-SHA-256-PLUS"]


def test_a_server_that_does_not_offer_binding_believes_who_could_bind() -> None:
    """The client says that it saw no "-PLUS" ("y"), and that is true (RFC 5802 section 6)."""
    link = log_in(
        USERS,
        client_facts=replace(CLIENT_FACTS, channel_bindings=BINDING),
        server_facts=replace(SERVER_FACTS, channel_bindings=BINDING),
        settings={"extensions": [Auth(("SCRAM-SHA-256",))]},
    )
    assert attempts(link) == ["SCRAM-SHA-256"]


def test_a_server_notices_when_its_offer_was_changed(links: list[Link]) -> None:
    """Somebody takes "-PLUS" out of the offer; both ends of the TLS connection are theirs."""
    handler = Inbox()
    link = serve(handler, users=USERS, nonce=nonces(), tls=ServerTLS.STARTTLS)
    link.client.tls = replace(CLIENT_FACTS, channel_bindings=BINDING)
    link.server.tls = replace(SERVER_FACTS, channel_bindings=BINDING)

    def without_plus(flow: Flow[None]) -> Flow[None]:
        steps = Steps(flow)
        for step in steps:
            request: Request = step
            if isinstance(request, Send):
                data = re.sub(rb" SCRAM-SHA-(256|1)-PLUS", b"", request.data)
                request = replace(request, data=data)
            try:
                steps.result = yield request
            except Exception as error:  # noqa: BLE001
                steps.error = error

    assert link.server.flow is not None
    link.server.begin(without_plus(link.server.flow))
    with pytest.raises(AuthenticationError):
        begin(
            link,
            credentials=TIM,
            nonce=nonces(),
            tls=TLSMode.STARTTLS,
            mechanisms=("SCRAM-SHA-256",),
        )
    assert attempts(link) == ["SCRAM-SHA-256"]
    assert any("an attacker hid" in refusal.reason for refusal in handler.refusals)


class TestTokens:
    """What a server explains about a token within the exchange reaches the user."""

    class Tokens:
        def check_token(self, username: str, token: str) -> TokenRefused:
            return TokenRefused("expired_token", scope="mail.send")

    @pytest.mark.parametrize(
        "mechanism, status", [("XOAUTH2", "401"), ("OAUTHBEARER", "expired_token")]
    )
    def test_the_explanation_is_told(self, mechanism: str, status: str) -> None:
        credentials = Credentials(username="tim", token="secret-token")
        with pytest.raises(AuthenticationError) as caught:
            log_in(self.Tokens(), credentials=credentials, mechanisms=(mechanism,))
        text = str(caught.value)
        assert f"{mechanism}: 535 5.7.8" in text
        assert f"status '{status}', scope 'mail.send'" in text
        assert "secret-token" not in text

    def test_where_there_is_none_nothing_is_added(self) -> None:
        wrong = Credentials(username="tim", password="wrong")
        with pytest.raises(AuthenticationError) as caught:
            log_in(USERS, credentials=wrong, mechanisms=("PLAIN",))
        first, second, *_ = str(caught.value).splitlines()
        assert first == "the server refused the login"
        assert second == "- PLAIN: 535 5.7.8 Authentication credentials invalid"
