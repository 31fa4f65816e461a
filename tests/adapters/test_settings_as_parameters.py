"""The functions of the adapters take the fields of their settings, and say so."""

from __future__ import annotations

import inspect
import pydoc
from dataclasses import dataclass, fields
from typing import Any

import pytest

import smtpproto.asyncio
import smtpproto.sync
import smtpproto.trio
from smtpproto.adapters.connecting import ConnectionSettings
from smtpproto.adapters.listening import ListeningSettings
from smtpproto.adapters.pooling import PoolSettings
from smtpproto.adapters.settings_as_parameters import fields_as_parameters

FUNCTIONS = [
    (smtpproto.sync.connect, ConnectionSettings, set()),
    (smtpproto.trio.connect, ConnectionSettings, set()),
    (smtpproto.asyncio.connect, ConnectionSettings, set()),
    (smtpproto.sync.Pool, PoolSettings, set()),
    (smtpproto.trio.Pool, PoolSettings, set()),
    (smtpproto.asyncio.Pool, PoolSettings, set()),
    (smtpproto.sync.serve, ListeningSettings, {"handler", "threads", "content_threads"}),
    (smtpproto.trio.serve, ListeningSettings, {"handler", "task_status"}),
    (smtpproto.asyncio.serve, ListeningSettings, {"handler"}),
]


@pytest.mark.parametrize("function, settings, others", FUNCTIONS)
def test_the_signature_has_the_fields(function: Any, settings: Any, others: set[str]) -> None:
    found = inspect.signature(function).parameters
    assert set(found) == others | {each.name for each in fields(settings)}
    for name, parameter in inspect.signature(settings).parameters.items():
        assert found[name].default == parameter.default


@pytest.mark.parametrize("function, settings, _", FUNCTIONS)
def test_help_shows_what_each_parameter_is(function: Any, settings: Any, _: set[str]) -> None:
    documented: set[str] = set()
    for line in pydoc.plain(pydoc.render_doc(function)).splitlines():
        names, colon, _text = line.strip(" |").partition(": ")
        documented.update(names.split(", ") if colon else ())
    assert {each.name for each in fields(settings)} <= documented


@pytest.mark.parametrize(
    "function, name",
    [
        (smtpproto.sync.connect, "connect"),
        (smtpproto.trio.connect, "connect"),
        (smtpproto.asyncio.connect, "connect"),
        (smtpproto.sync.Pool, "Pool"),
        (smtpproto.trio.Pool, "Pool"),
        (smtpproto.asyncio.Pool, "Pool"),
    ],
)
def test_an_option_that_there_is_not(function: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name}\(\) has no option nmae, tsl$"):
        function("mx.example.org", 25, nmae="client.example.org", tsl=None)


@pytest.mark.parametrize(
    "function, text",
    [
        (smtpproto.sync.connect, r"connect\(\) takes 2 arguments by position, found 3"),
        (smtpproto.sync.serve, r"serve\(\) takes 1 arguments by position, found 3"),
    ],
)
def test_too_many_arguments_by_position(function: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        function("127.0.0.1", 8025, 3)


@dataclass(frozen=True)
class Base:
    """The base.

    Arguments:
        size: in octets.
    """

    size: int = 1


@dataclass(frozen=True)
class Derived(Base):
    """The rest.

    Arguments:
        color: of it.
    """

    color: str = "red"


@fields_as_parameters(Derived)
def paint(what: str, settings: Derived) -> tuple[str, Derived]:
    """Paint a thing."""
    return what, settings


def test_arguments_reach_the_function() -> None:
    untyped: Any = paint
    assert paint("door") == ("door", Derived())
    assert paint("door", 2, color="blue") == ("door", Derived(2, "blue"))
    assert untyped("door", size=2) == ("door", Derived(2))
    with pytest.raises(TypeError, match=r"paint\(\) needs what as its first argument"):
        untyped()


def test_the_documentation_is_that_of_all() -> None:
    assert (paint.__doc__ or "").split("\n\n")[::2] == [
        "Paint a thing.",
        "Arguments:\n    color: of it.",
        "Arguments:\n    size: in octets.",
    ]
