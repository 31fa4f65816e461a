"""Functions whose parameters are the fields of a settings class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

__all__ = ["fields_as_parameters"]

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


class fields_as_parameters(Generic[P, S]):  # noqa: N801  # a decorator
    """A decorator that makes the fields of a settings class the parameters of a function.

    The function gets the settings object as its last argument.  So only the class defines names,
    types, defaults and documentation, and `help` of the function shows them.

    Arguments:
        settings: a dataclass.
    """

    def __init__(self, settings: Callable[P, S]) -> None:
        self._settings = settings

    @overload
    def __call__(self, function: Callable[[S], R]) -> Callable[P, R]: ...
    @overload
    def __call__(self, function: Callable[[A, S], R]) -> Callable[Concatenate[A, P], R]: ...
    def __call__(self, function: Callable[..., R]) -> Callable[..., R]:
        settings: Any = self._settings
        own = inspect.signature(function)
        *leading, _ = own.parameters.values()
        names, count = frozenset(each.name for each in fields(settings)), len(leading)

        def called(args: tuple[Any, ...]) -> str:
            # The name of a derived class, if it inherits the constructor.
            constructs = function.__name__ == "__init__" and args
            return type(args[0]).__name__ if constructs else function.__qualname__

        taken = inspect.signature(settings).parameters.values()
        most = count + sum(each.kind is not each.KEYWORD_ONLY for each in taken)

        @functools.wraps(function)
        def with_fields(*args: Any, **given: Any) -> R:
            unknown = given.keys() - names
            if unknown:
                raise TypeError(f"{called(args)}() has no option {', '.join(sorted(unknown))}")
            if len(args) < count:
                raise TypeError(f"{called(args)}() needs {leading[-1].name} as its first argument")
            if len(args) > most:
                raise TypeError(
                    f"{called(args)}() takes {most} arguments by position, found {len(args)}: "
                    "give the others by name"
                )
            return function(*args[:count], settings(*args[count:], **given))

        signature = own.replace(parameters=[*leading, *taken])
        with_fields.__signature__ = signature  # type: ignore[attr-defined]  # `inspect` looks for it
        with_fields.__doc__ = _documentation(function, settings)
        return with_fields


def _documentation(function: Callable[..., object], settings: type) -> str:
    """Return the function's documentation, then that of the settings, base classes last."""
    classes = [each for each in settings.__mro__ if is_dataclass(each)]
    parts = [inspect.cleandoc(each.__doc__ or "") for each in (function, *classes)]
    return "\n\n".join(parts)
