"""Checks of settings and other arguments: their types, and times in seconds."""

from __future__ import annotations

import builtins
import collections.abc
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

__all__ = [
    "check_callable",
    "check_fields",
    "check_seconds",
    "check_type",
    "is_async",
    "refuse_async",
    "refuse_text",
]

# About 30 years: the system refuses to wait for much longer.
MOST_SECONDS = 1_000_000_000


def check_fields(settings: object) -> None:
    """Compare the values of a dataclass with the annotations of its fields.

    It looks at classes only, not at what a collection contains or a function takes.

    Raises:
        TypeError: a value has another type.
    """
    class_: Any = type(settings)
    for name, kinds in _kinds(class_).items():
        value = getattr(settings, name)
        if not isinstance(value, kinds):
            check_type(name, value, *kinds)


def check_type(name: str, value: object, *kinds: type) -> None:
    """Refuse a value of the wrong type; where a float is expected, an int is one too.

    Raises:
        TypeError: the value has none of these classes.  The text does not show it: it may be
            secret.
    """
    if not isinstance(value, kinds) and not (float in kinds and isinstance(value, int)):
        names = " or ".join("None" if kind is NoneType else kind.__name__ for kind in kinds)
        raise TypeError(f"{name}: expected {names}, found {type(value).__name__}")


def check_seconds(*, zero: bool = True, **times: float | None) -> None:
    """Refuse times that are negative, infinite or not a number; None passes.

    Arguments:
        zero: whether 0 passes too.
        times: the times in seconds, by the name of their argument.

    Raises:
        ValueError: there is such a time.
    """
    for name, seconds in times.items():
        if seconds is not None and not (0 <= seconds <= MOST_SECONDS and (zero or seconds)):
            least = "from" if zero else "above"
            raise ValueError(
                f"{name}: expected seconds {least} 0 up to {MOST_SECONDS}, found {seconds:g}"
            )


def is_async(function: Callable[..., object]) -> bool:
    """Whether the result of a function has to be awaited, or is an asynchronous generator."""
    # An object with `__call__` has its code there.
    codes = (function, getattr(function, "__call__", function))  # noqa: B004
    return any(
        inspect.iscoroutinefunction(code) or inspect.isasyncgenfunction(code) for code in codes
    )


def refuse_async(**functions: Callable[..., object] | None) -> None:
    """Refuse async functions where nothing awaits them; None passes.

    Arguments:
        functions: the functions, by the name of their argument.

    Raises:
        TypeError: one of them is async.
    """
    for name, function in functions.items():
        if function is not None and is_async(function):
            raise TypeError(f"{name} is async, but nothing awaits it: write a plain function")


def refuse_text(expected: str, **values: object) -> None:
    """Refuse text where several texts are expected: its characters or parts would stand for them.

    Arguments:
        expected: what is expected, for the error.
        values: the values, by the name of their argument.

    Raises:
        TypeError: one of them is text.
    """
    for name, value in values.items():
        if isinstance(value, str):
            raise TypeError(f"{name}: expected {expected}, found the text {value!r}")


def check_callable(
    name: str, function: Callable[..., object], arguments: Sequence[str], caller: str
) -> None:
    """Refuse a function that cannot be called with these arguments.

    Arguments:
        name: what it is, for the error.
        function: the function.
        arguments: the names of the arguments that it gets, by position.
        caller: what calls it, for the error.

    Raises:
        TypeError: it takes other arguments, or is no function.
    """
    if not callable(function):
        raise TypeError(f"{name}: expected a function, found {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # A function written in C may have no signature.
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(
            f"{name} takes {signature}: {caller} calls it with ({', '.join(arguments)})"
        ) from None


class _Names(dict[str, object]):
    """The names in annotations; one that only type checkers know stands for any class."""

    def __missing__(self, name: str) -> object:
        return object


@functools.cache
def _kinds(settings: Any) -> dict[str, tuple[type, ...]]:
    """Return the classes that each argument may have."""
    found: dict[str, tuple[type, ...]] = {}
    for base in reversed(settings.__mro__):
        own = getattr(inspect.getmodule(base), "__dict__", {})
        names = _Names({**vars(builtins), **vars(collections.abc), **own})
        for name, annotation in inspect.get_annotations(base).items():
            found[name] = tuple(_classes(_evaluated(annotation, names)))
    return {each.name: found[each.name] for each in fields(settings) if each.init}


def _evaluated(annotation: Any, names: _Names) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, {}, names)  # noqa: S307  # it is code of the class
    except (AttributeError, TypeError):
        # A part of a name that only type checkers know.
        return object


def _classes(annotation: Any) -> Iterator[type]:
    kind = get_origin(annotation) or annotation
    if kind in (Union, UnionType):
        for each in get_args(annotation):
            yield from _classes(each)
    elif isinstance(kind, type) and not getattr(kind, "_is_protocol", False):
        yield kind
    else:
        yield object
