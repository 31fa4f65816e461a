"""The how-to page on mechanisms: its code is run, against a security context in memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from smtpproto import Session, sync
from smtpproto.conversations import Envelope, TLSMode
from smtpproto.sasl import (
    Challenge,
    ClientExchange,
    Context,
    Credentials,
    Identity,
    SASLError,
    SASLRefused,
    ServerExchange,
)
from smtpproto.sasl.mechanism_choice import MECHANISMS, available, choose
from tests.sasl.driver import context, users

PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "sasl.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


class Security:
    """A security context that proves nothing: these tokens in turn, and it is complete."""

    def __init__(self, *tokens: bytes) -> None:
        self.tokens = list(tokens)
        self.key = b"key"
        self.peer = "tim"

    @property
    def complete(self) -> bool:
        return not self.tokens

    def step(self, token: bytes) -> bytes:
        return self.tokens.pop(0)

    def wrap(self, octets: bytes) -> bytes:
        return self.key + octets

    def unwrap(self, octets: bytes) -> bytes:
        if not octets.startswith(self.key):
            raise SASLError("GSSAPI: expected a wrapped message, found another")
        return octets.removeprefix(self.key)


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "howto"}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)  # noqa: S102  # the page is ours
    return names


class Doors:
    def authorize(self, authentication: str, authorization: str) -> bool:
        return (authentication, authorization) in {("tim", "tim"), ("tim", "ursel")}


def gssapi(page: dict[str, Any]) -> Any:
    def initiate(name: str) -> Security:
        assert name == "smtp@mx.example"
        return Security(b"AP-REQ", b"")

    known = page["with_gssapi"](initiate, lambda: Security(b"AP-REP"))
    assert set(known) == {*MECHANISMS, "GSSAPI"}
    return known


def kerberos(page: dict[str, Any]) -> Any:
    return gssapi(page)["GSSAPI"]


@pytest.mark.parametrize("authorization, who", [("", "tim"), ("ursel", "ursel")])
def test_the_mechanism_on_the_page(page: dict[str, Any], authorization: str, who: str) -> None:
    me = Credentials(authorization=authorization)
    identity = page["try_it"](kerberos(page), me, context(), Doors())
    assert identity == Identity("tim", who)


def test_it_can_refuse(page: dict[str, Any]) -> None:
    with pytest.raises(SASLRefused):
        page["try_it"](kerberos(page), Credentials(authorization="root"), context(), Doors())


def test_the_client_wants_no_security_layer(page: dict[str, Any]) -> None:
    here = ClientExchange(kerberos(page), Credentials(), context())
    assert here.initial == b"AP-REQ"
    assert here.respond(b"AP-REP") == b""
    with pytest.raises(SASLError, match="security layer"):
        here.respond(b"key\x02\x00\x00\x00")


def test_nor_does_the_server(page: dict[str, Any]) -> None:
    there = ServerExchange(kerberos(page), context(), b"AP-REQ")
    assert there.request == Challenge(b"AP-REP")
    there.answer(b"")
    with pytest.raises(SASLRefused):
        there.answer(b"key\x02\x00\x00\x00")


def test_it_takes_part_in_the_choice(page: dict[str, Any]) -> None:
    known = gssapi(page)
    here: Context = context(offered=("PLAIN", "GSSAPI"))
    assert [each.name for each in choose(Credentials(), here, mechanisms=known)] == ["GSSAPI"]
    assert available(here, users(), mechanisms=known)[0] == "GSSAPI"


def test_the_question_on_the_page(page: dict[str, Any]) -> None:
    question = page["CheckOneTimePassword"]("tim", "123456")
    assert question.arguments() == ("tim", "123456")
    assert "123456" not in repr(question)


class Inbox:
    def __init__(self) -> None:
        self.identities: list[str | None] = []

    def message(self, session: Session, envelope: object, content: bytes) -> None:
        self.identities.append(session.identity)


def test_connect_and_serve_take_it_as_the_page_says(
    page: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = page["with_gssapi"](lambda _: Security(b"AP-REQ", b""), lambda: Security(b"AP-REP"))
    inbox = Inbox()
    with page["serve_gssapi"](inbox, Doors(), known) as server:
        connect = sync.connect

        def here(host: str, port: int, **options: Any) -> sync.Client:
            return connect("127.0.0.1", server.port, tls=TLSMode.NONE, **options)

        monkeypatch.setattr(sync, "connect", here)
        with page["send_over_gssapi"](known) as client:
            assert client.send(Envelope.of("tim@x.example", ["a@b.example"]), b"x\r\n").complete
    assert inbox.identities == ["tim"]
