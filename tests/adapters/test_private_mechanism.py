"""A SASL mechanism of one's own, between a client and a server over each adapter."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import Session
from smtpproto.conversations import AuthenticationError, ServerTLS, TLSMode
from smtpproto.extensions import Auth
from smtpproto.sasl import (
    Challenge,
    CheckToken,
    Context,
    Credentials,
    Identity,
    Mechanism,
    SASLRefused,
    decode,
    expect_success,
)
from smtpproto.sasl.mechanism_choice import MECHANISMS
from tests.adapters.worlds import ENVELOPE, Inbox, World


class Ticket(Mechanism):
    """Sends a token, and is not among those that the package has."""

    name = "X-TICKET"
    strength = 50
    asks = (CheckToken,)

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        return None if credentials.token else "a ticket is needed as token"

    def client(self, credentials: Credentials, context: Context) -> Any:
        assert credentials.token is not None
        expect_success(self, (yield credentials.token.encode()))

    def server(self, context: Context) -> Any:
        ticket = yield Challenge(b"")
        identity = yield CheckToken("", decode(ticket, "ticket"))
        if not isinstance(identity, str):
            raise SASLRefused
        return Identity(identity, identity)


class Store:
    def check_token(self, username: str, token: str) -> str | None:
        return {"seven": "ann"}.get(token)


class Known(Inbox):
    def __init__(self) -> None:
        super().__init__()
        self.identities: list[str | None] = []

    def message(self, session: Session, envelope: Any, content: bytes) -> None:
        super().message(session, envelope, content)
        self.identities.append(session.identity)


TICKET = {"X-TICKET": Ticket()}
ALL = {**MECHANISMS, **TICKET}
SEVEN = {"tls": TLSMode.NONE, "credentials": Credentials(token="seven")}


@pytest.mark.parametrize("here", [TICKET, ALL])
@pytest.mark.parametrize(
    "there",
    [
        {"mechanisms": TICKET},
        {"mechanisms": ALL},
        {"mechanisms": ALL, "extensions": [Auth(("X-TICKET",))]},
    ],
)
def test_a_login(world: World, here: dict[str, Mechanism], there: dict[str, Any]) -> None:
    inbox = Known()
    with world.serve(inbox, users=Store(), **there) as server:
        with world.connect(server, mechanisms=here, **SEVEN) as client:
            assert "X-TICKET" in client.offered.get(Auth).mechanisms
            assert client.session.identity is not None
            assert client.send(ENVELOPE, b"hello\r\n").complete
        wrong = {**SEVEN, "credentials": Credentials(token="eight")}
        with (
            pytest.raises(AuthenticationError, match="X-TICKET: 535"),
            world.connect(server, mechanisms=here, **wrong),
        ):
            raise AssertionError("there is no session")
    assert inbox.identities == ["ann"]


def test_a_client_that_does_not_know_it(world: World) -> None:
    with (
        world.serve(Known(), users=Store(), mechanisms=TICKET) as server,
        pytest.raises(AuthenticationError, match="X-TICKET: it is not known here"),
        world.connect(server, **SEVEN),
    ):
        raise AssertionError("there is no session")


def test_names_choose_what_a_server_offers(world: World) -> None:
    from smtpproto.sasl import Users

    users = Users({"ann": "hunter2"}, secret=b"0" * 16, iterations=4096)
    given = {"users": users, "mechanisms": ["CRAM-MD5", "SCRAM-SHA-256"]}
    with world.serve(Inbox(), **given) as server, world.connect(server, tls=TLSMode.NONE) as client:
        assert client.offered.get(Auth).mechanisms == ("SCRAM-SHA-256", "CRAM-MD5")


class Misnamed(Ticket):
    name = "X-OTHER"


@pytest.mark.parametrize(
    "options, error, said",
    [
        ({"mechanisms": ["PLIAN"]}, ValueError, "PLIAN is not known here, which are EXTERNAL"),
        ({"mechanisms": {"X-TICKET": Misnamed()}}, ValueError, "the mechanism calls itself X-OTH"),
        ({"mechanisms": {"X-TICKET": Ticket}}, TypeError, "expected a Mechanism object, found"),
        ({"mechanisms": "X-TICKET"}, TypeError, "expected a collection of names, found 'X-TICK"),
        ({"extensions": [Auth(("X-TICKET",))]}, ValueError, "X-TICKET is not among the mechanism"),
        ({"extensions": [Auth(allow_plaintext=("PLIAN",))]}, ValueError, "PLIAN is not among"),
    ],
)
def test_a_server_that_is_told_of_what_there_is_not(
    world: World, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with (
        pytest.raises(error, match=said),
        world.serve(Inbox(), users=Store(), tls=ServerTLS.NONE, **options),
    ):
        raise AssertionError("there is no server")
