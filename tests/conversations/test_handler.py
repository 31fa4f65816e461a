"""Which methods of a handler are asked."""

from __future__ import annotations

from dataclasses import fields

import pytest

from smtpproto.conversations import Handler, Hooks


class Message:
    def message(self, *_: object) -> None:
        """Take it."""


class Inherits(Handler):
    def body(self, *_: object) -> None:
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
    assert Hooks.of(handler) == Hooks(body=handler.body, rcpt=handler.rcpt)


def test_methods_of_the_object_itself() -> None:
    handler = Message()
    handler.closed = print  # type: ignore[attr-defined]
    assert Hooks.of(handler).closed is print


class Both(Message):
    def body(self, *_: object) -> None:
        """Take it as well."""


@pytest.mark.parametrize("handler", [object(), Handler(), Both()])
def test_one_way_to_take_a_message(handler: object) -> None:
    with pytest.raises(TypeError, match="either a method 'message' or a method 'body'"):
        Hooks.of(handler)


class Misspelt(Message):
    rcp = "no method"

    def conect(self) -> None:
        """A typing error."""


def test_typing_errors_are_told() -> None:
    with pytest.warns(RuntimeWarning, match="'conect': is 'connect' meant"):
        Hooks.of(Misspelt())


class FromElsewhere(Message):
    def handle_RCPT(self) -> None:  # noqa: N802
        """What aiosmtpd calls it."""

    def on_data(self) -> None:
        """What it might be called."""


def test_what_hooks_are_called_elsewhere_is_told() -> None:
    with pytest.warns(RuntimeWarning) as told:
        Hooks.of(FromElsewhere())
    assert sorted(str(warning.message) for warning in told) == [
        "the handler has a method 'handle_RCPT': is 'rcpt' meant?",
        "the handler has a method 'on_data': is 'message' meant?",
    ]


def test_the_documented_methods_do_nothing() -> None:
    handler = Handler()
    for name in [each.name for each in fields(Hooks) if each.init]:
        method = getattr(handler, name)
        arguments = [None] * (method.__code__.co_argcount - 1)
        assert method(*arguments) is None
