"""Checks of a handler and a credential store before a server listens.

Each error names the method and says what to change.  Without the checks the server would refuse
mail with 451, or accept it without calling the method.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...field_types import check_callable, is_async
from ...grammar.lazy_pattern import lazy_pattern
from ..transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ...sasl import Mechanism

__all__ = [
    "check_names",
    "check_object",
    "check_observer",
    "check_signatures",
    "check_store",
    "check_waiting",
]

# The names of the hooks in other libraries, such as `handle_RCPT` and `rcpt_to`.
_PREFIX = lazy_pattern("^(?:handle|on|do|smtp|hook)_(?=.)", re.IGNORECASE)
_SUFFIX = lazy_pattern("(?<=.)_(?:to|from|hook|command|received)$", re.IGNORECASE)
_OTHER_NAMES = {"helo": "ehlo", "lhlo": "ehlo"}
# Other words are close to these (rest, reset, quiet), so only the full names count.
_WORDS = ("rset", "noop", "quit")
_CONTENT = ("message", "content")


def check_object(handler: object, what: str = "handler", hint: str = "{}") -> None:
    """Refuse a class; an object is needed.

    Raises:
        TypeError: it is a class.
    """
    if isinstance(handler, type):
        name = handler.__name__
        made = hint.format(f"{name}()")
        raise TypeError(f"expected a {what}, found the class {name}: write {made}")


def check_names(handler: object, names: Collection[str], found: Collection[str]) -> None:
    """Refuse methods whose name is a misspelt hook, or the hook's name in another library.

    Arguments:
        handler: the object.
        names: the names of all hooks.
        found: the hooks that it has.  Other methods may have names that are close to these.

    Raises:
        TypeError: there is such a method; or there is neither `message` nor `content`, or both.
    """
    kind = type(handler).__name__
    has = {*found, *(_CONTENT if any(name in found for name in _CONTENT) else ())}
    for name in dir(handler):
        meant = "" if name.startswith("_") or name in names else _meant(name, names)
        if meant and meant not in has and callable(getattr(handler, name, None)):
            raise TypeError(
                f"{kind}.{name} is no hook, so the server never calls it: did you mean {meant!r}?  "
                f"If not, rename it to '_{name}'"
            )
    if all(name in found for name in _CONTENT):
        raise TypeError(
            f"{kind} has both 'message' and 'content': remove one of the two; 'message' gets the "
            "whole content, 'content' gets it in chunks"
        )
    if not any(name in found for name in _CONTENT):
        raise TypeError(
            f"{kind} does not take mail: a handler needs a method 'message(session, envelope, "
            "content)' or a method 'content(session, envelope, chunks)'"
        )


def _meant(name: str, names: Collection[str]) -> str:
    """Return the hook that a name probably means; "" if it is a name of its own."""
    bare = _SUFFIX.sub("", _PREFIX.sub("", name)).lower()
    if bare == "data" and bare != name:
        # Other libraries pass the content to this method.
        return "message"
    bare = _OTHER_NAMES.get(bare, bare)
    if bare in names:
        return bare
    return next((hook for hook in names if hook not in _WORDS and _is_slip(bare, hook)), "")


def _is_slip(written: str, hook: str) -> bool:
    """Whether a name is a hook's with two letters swapped, or one letter missing or added inside.

    Words with another meaning differ by a letter at an end, such as `close` and `messages`.
    """
    places = range(len(hook) - 1)
    if written in (hook[:i] + hook[i + 1] + hook[i] + hook[i + 2 :] for i in places):
        return True
    same_ends = written[:1] + written[-1:] == hook[:1] + hook[-1:]
    return same_ends and (_has_one_more(hook, written) or _has_one_more(written, hook))


def _has_one_more(text: str, other: str) -> bool:
    """Return whether a text is the other one with one letter more."""
    return len(text) == len(other) + 1 and any(
        text[:i] + text[i + 1 :] == other for i in range(len(text))
    )


def check_signatures(
    handler: object, found: Mapping[str, Callable[..., Any]], model: type[object]
) -> None:
    """Refuse methods that do not accept the arguments of their hook.

    Arguments:
        handler: the object.
        found: its methods by the hook's name.
        model: the class that defines the hooks.

    Raises:
        TypeError: there is such a method.
    """
    # `inspect` loads slowly, and only servers need it.
    import inspect  # noqa: PLC0415

    kind = type(handler).__name__
    for name, method in found.items():
        arguments = list(inspect.signature(getattr(model, name)).parameters)[1:]
        check_callable(f"{kind}.{name}", method, arguments, "the server")
        if name == "content" and (
            inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method)
        ):
            raise TypeError(
                f"{kind}.content is a generator, but the chunks end when it returns: read them "
                "first, then return an iterator of replies"
            )


def check_observer(observer: Callable[..., Any] | None, *, waits: bool | None) -> None:
    """Refuse the observer of one session; a server needs a function that returns one for each.

    Arguments:
        observer: the function; None passes.
        waits: see `check_waiting`; None if that is unknown.

    Raises:
        TypeError: it does not accept a session as its only argument, it is `Transcript`, or it is
            async but cannot be awaited.
    """
    if observer is not None:
        if waits is False and is_async(observer):
            raise _cannot_wait("observer", getattr(observer, "__name__", "__call__"))
        try:
            check_callable("observer", observer, ["session"], "the server")
            if observer is Transcript:
                raise TypeError("observer: Transcript itself does not take a session")
        except TypeError as error:
            raise TypeError(
                f"{error}; it returns an observer, as 'lambda session: Transcript(print)' does"
            ) from None


def check_waiting(handler: object, found: Mapping[str, Callable[..., Any]], *, waits: bool) -> None:
    """Refuse async methods that cannot be awaited, and plain ones that must be async.

    Arguments:
        handler: the object.
        found: its methods by name.
        waits: whether the caller can await.

    Raises:
        TypeError: there is such a method.
    """
    kind = type(handler).__name__
    for name, method in found.items():
        awaited = is_async(method)
        if awaited and not waits:
            raise _cannot_wait(f"{kind}.{name}", name)
        if name == "content" and waits and not awaited:
            raise TypeError(
                f"{kind}.content is not async, but it must await its chunks here: write 'async def "
                "content' and 'async for chunk in chunks', or use 'message' for whole messages"
            )


def check_store(store: object, *, mechanisms: Iterable[Mechanism], waits: bool | None) -> None:
    """Refuse a credential store that is a class, or is async but cannot be awaited.

    Arguments:
        store: the store.
        mechanisms: the mechanisms that ask it questions.
        waits: see `check_waiting`; None if that is unknown.

    Raises:
        TypeError: it is a class, or is async.
    """
    check_object(store, "credential store as users", "users={}")
    if waits is not False:
        return
    for question in {each for mechanism in mechanisms for each in mechanism.asks}:
        method = question.asked_of(store)
        if method is not None and is_async(method):
            raise _cannot_wait(f"{type(store).__name__}.{question.method}", question.method)


def _cannot_wait(what: str, name: str) -> TypeError:
    return TypeError(
        f"{what} is async, and the blocking server cannot await it: write 'def {name}', or serve "
        "with smtpproto.asyncio or smtpproto.trio"
    )
