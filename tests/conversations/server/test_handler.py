"""Which methods of a handler are asked."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from typing import Any

import pytest

from smtpproto.conversations import AsyncHandler, Handler, Hooks, ServerSettings, SessionFactory


class Message:
    def message(self, *_: object) -> None:
        """Take it."""


class Inherits(Handler):
    def content(self, *_: object) -> None:
        """Take it."""

    def rcpt(self, *_: object) -> None:
        """Anybody."""

    def _own(self) -> None:
        """No hook."""


def test_only_what_is_there() -> None:
    handler = Message()
    hooks = Hooks.of(handler)
    assert hooks == Hooks(message=handler.message)


def test_what_is_merely_inherited_does_not_count() -> None:
    handler = Inherits()
    assert Hooks.of(handler) == Hooks(content=handler.content, rcpt=handler.rcpt)


def test_methods_of_the_object_itself() -> None:
    handler = Message()
    handler.closed = print  # type: ignore[attr-defined]
    assert Hooks.of(handler).closed is print


class Both(Message):
    def content(self, *_: object) -> None:
        """Take it as well."""


@pytest.mark.parametrize("handler", [object(), Handler(), AsyncHandler(), Both()])
def test_one_way_to_take_a_message(handler: object) -> None:
    with pytest.raises(TypeError, match=r"(both|needs a method) .message"):
        Hooks.of(handler)


def with_method(name: str, base: type[object] = Message) -> object:
    return type("Greylist", (base,), {name: lambda self, *arguments: None})()


@pytest.mark.parametrize(
    "name, meant",
    [
        ("rctp", "rcpt"),
        ("rcpt_to", "rcpt"),
        ("recpt", "rcpt"),
        ("handle_RCPT", "rcpt"),
        ("mail_from", "mail"),
        ("mial", "mail"),
        ("conect", "connect"),
        ("connnect", "connect"),
        ("on_connect", "connect"),
        ("comand", "command"),
        ("helo", "ehlo"),
        ("handle_HELO", "ehlo"),
        ("ehlo_hook", "ehlo"),
        ("hook_rset", "rset"),
        ("dta", "data"),
        ("cloesd", "closed"),
    ],
)
def test_a_misspelt_hook(name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is no hook, .*: did you mean '{meant}'"):
        Hooks.of(with_method(name))


@pytest.mark.parametrize("name", ["mesage", "messsage", "handle_DATA", "on_message", "contnet"])
def test_a_misspelt_hook_for_content(name: str) -> None:
    with pytest.raises(TypeError, match=f"Greylist.{name} is no hook, .*(message|content)'\\?"):
        Hooks.of(with_method(name, object))


ORDINARY = """
    close messages relay reset rest quiet connected commands mails recipient sender expand verify
    helper database handle_DATA on_message _rctp deliver store reject received embody
"""


@pytest.mark.parametrize("name", ORDINARY.split())
def test_ordinary_methods_are_left_alone(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Hooks.of(with_method(name)).message is not None


def test_a_helper_beside_its_hook_is_left_alone() -> None:
    class Both(Message):
        def rcpt(self, session: object, rcpt: object) -> None:
            """The hook."""

        def rcpt_to(self) -> None:
            """A helper of it."""

        rctp = "no method"

    assert Hooks.of(Both()).rcpt is not None


def test_a_class_is_no_handler() -> None:
    with pytest.raises(TypeError, match=r"found the class Message: write Message\(\)"):
        Hooks.of(Message)


class Wrong(Message):
    def rcpt(self, rcpt: object) -> None:
        """Takes too few."""


class TooMany(Message):
    def mail(self, session: object, mail: object, options: object) -> None:
        """Takes too many."""


class ByName(Message):
    def ehlo(self, session: object, *, hello: object) -> None:
        """Takes them otherwise."""


@pytest.mark.parametrize(
    "handler, said",
    [
        (Wrong(), r"Wrong.rcpt takes \(rcpt.*\).*: the server calls it with \(session, rcpt\)"),
        (TooMany(), r"TooMany.mail takes .*: the server calls it with \(session, mail\)"),
        (ByName(), r"ByName.ehlo takes .*: the server calls it with \(session, hello\)"),
    ],
)
def test_arguments_that_do_not_fit(handler: object, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Hooks.of(handler)


class More(Message):
    def rcpt(self, session: object, rcpt: object, more: int = 0, **others: object) -> None:
        """What it takes besides is its own."""


def test_arguments_of_ones_own_may_be_left_out() -> None:
    assert Hooks.of(More()).rcpt is not None


def test_a_method_that_does_not_tell_its_arguments() -> None:
    """Such as one that is written in another language."""

    handler = Message()
    handler.mail = Untold()  # type: ignore[attr-defined]
    assert Hooks.of(handler).mail is not None


class Untold:
    __signature__ = "no signature"

    def __call__(self, *arguments: object) -> None:
        """Take it."""


class Async:
    async def message(self, session: object, envelope: object, content: bytes) -> None:
        """Take it."""


class AsyncRcpt(Message):
    async def rcpt(self, session: object, rcpt: object) -> None:
        """Take it."""


class AsyncAnswers:
    async def message(
        self, session: object, envelope: object, content: bytes
    ) -> AsyncIterator[None]:
        yield None


class Body:
    def content(self, session: object, envelope: object, chunks: object) -> None:
        """Take it."""


class AsyncBody:
    async def content(self, session: object, envelope: object, chunks: object) -> None:
        """Take it."""


class Called:
    """A method that is an object itself."""

    async def __call__(self, session: object, rcpt: object) -> None:
        """Take it."""


class WithCalled(Message):
    rcpt = Called()


@pytest.mark.parametrize(
    "handler, method",
    [
        (Async(), "message"),
        (AsyncRcpt(), "rcpt"),
        (AsyncAnswers(), "message"),
        (AsyncBody(), "content"),
        (WithCalled(), "rcpt"),
    ],
)
def test_what_is_async_needs_an_adapter_that_waits(handler: object, method: str) -> None:
    said = f"{type(handler).__name__}.{method} is async, and the blocking .*: write 'def {method}'"
    with pytest.raises(TypeError, match=said):
        Hooks.of(handler, waits=False)
    for waits in (True, None):
        assert getattr(Hooks.of(handler, waits=waits), method) is not None


def test_a_plain_body_cannot_wait_for_its_chunks() -> None:
    with pytest.raises(TypeError, match=r"Body.content is not async.*'async for chunk in chunks'"):
        Hooks.of(Body(), waits=True)
    for waits in (False, None):
        assert Hooks.of(Body(), waits=waits).content is not None


class Yielding:
    def content(self, session: object, envelope: object, chunks: object) -> Iterator[None]:
        yield None


class AsyncYielding:
    async def content(
        self, session: object, envelope: object, chunks: object
    ) -> AsyncIterator[None]:
        yield None


@pytest.mark.parametrize("handler", [Yielding(), AsyncYielding()])
def test_a_body_is_no_generator(handler: object) -> None:
    with pytest.raises(TypeError, match="content is a generator"):
        Hooks.of(handler)


class Store:
    async def check_password(self, username: str, password: str) -> bool:
        return True


def test_a_store_that_is_async_or_a_class() -> None:
    options: dict[str, Any] = {"users": Store(), "nonce": lambda: "n" * 24}
    with pytest.raises(TypeError, match="check_password is async"):
        SessionFactory(Message(), ServerSettings(**options), waits=False)
    for waits in (True, None):
        assert (
            SessionFactory(Message(), ServerSettings(**options), waits=waits).settings.users
            is not None
        )
    with pytest.raises(TypeError, match=r"found the class Store: write users=Store\(\)"):
        SessionFactory(Message(), ServerSettings(**{**options, "users": Store}))


@pytest.mark.parametrize("handler", [Handler(), AsyncHandler()])
def test_the_documented_methods_do_nothing(handler: Any) -> None:
    for name in [each.name for each in fields(Hooks) if each.init]:
        method = getattr(handler, name)
        arguments = [None] * (method.__code__.co_argcount - 1)
        result = method(*arguments)
        if isinstance(handler, AsyncHandler) and name == "content":
            with pytest.raises(StopIteration):
                result.send(None)
        else:
            assert result is None
