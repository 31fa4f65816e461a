"""Strategies for the parameters of MAIL, RCPT, VRFY and EXPN."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from ... import extensions as ext
from ...extensions import Extension
from ...vocabulary.command_base import Command
from ...vocabulary.parameters import Parameter
from .addresses import mailboxes
from .made_once import made_once

__all__ = ["Parameters", "parameters", "parameters_of"]

# By class; that of a mapping's keys is invariant, so `type[Parameter]` would refuse most of them.
Parameters = Mapping[Any, st.SearchStrategy[Any]]

_PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
_ATOMS = st.from_regex(r"[A-Za-z0-9!#$%&'*+_{|}~^-]{1,10}", fullmatch=True)
_WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9._:-]{0,12}", fullmatch=True)
# The bounds that hypothesis takes have no time zone.
_EPOCH, _LATE = (datetime.fromisoformat(day) for day in ("1970-01-02", "2100-01-01"))
_MINUTES = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_MOMENTS = st.datetimes(_EPOCH, _LATE, timezones=_MINUTES).map(
    lambda moment: moment.replace(microsecond=0)
)


def _tracking() -> st.SearchStrategy[ext.MtrkParameter]:
    certifiers = st.binary(min_size=1, max_size=20).map(
        lambda octets: base64.b64encode(octets).decode().rstrip("=")
    )
    return st.builds(ext.MtrkParameter, certifiers, st.none() | st.integers(0, 999_999_999))


def _original_recipient(smtputf8: bool) -> st.SearchStrategy[ext.Orcpt]:  # noqa: FBT001
    plain = st.builds(ext.Orcpt.of, _PRINTABLE, st.just("") | _ATOMS)
    text = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20)
    unicode = st.builds(lambda address: ext.Orcpt.of(address, "utf-8", smtputf8=smtputf8), text)
    return plain.filter(lambda parameter: parameter.kind.lower() != "utf-8") | unicode


def parameters(kind: type[Parameter], *, smtputf8: bool = False) -> st.SearchStrategy[Parameter]:
    """Values of a parameter that this package knows.

    Arguments:
        kind: its class, such as `smtpproto.extensions.SizeParameter`.
        smtputf8: whether the transaction has SMTPUTF8, so that UTF-8 may be unencoded.

    Raises:
        LookupError: there is no strategy for this class.
    """
    try:
        strategy = _parameters(smtputf8=smtputf8)[kind]
    except KeyError:
        raise LookupError(f"no strategy for {kind.__qualname__}: give one of your own") from None
    return strategy


@made_once
def _parameters(*, smtputf8: bool) -> Parameters:
    conditions = (
        st.just(["SUCCESS"])
        | st.lists(
            st.sampled_from(["SUCCESS", "FAILURE", "DELAY", "delay"]),
            min_size=1,
            max_size=3,
            unique_by=str.upper,
        )
        | st.just(["NEVER"])
    )
    return {
        ext.SizeParameter: st.builds(ext.SizeParameter, st.integers(0, 50_000_000)),
        ext.Body: st.builds(ext.Body, st.sampled_from(["7BIT", "8BITMIME", "BINARYMIME"])),
        ext.AuthParameter: st.builds(ext.AuthParameter, mailboxes(smtputf8=smtputf8) | st.none()),
        ext.SmtpUtf8Parameter: st.just(ext.SmtpUtf8Parameter()),
        ext.Ret: st.builds(ext.Ret, st.sampled_from(["FULL", "HDRS", "full"])),
        ext.Envid: st.builds(ext.Envid.of, st.just("id@client.example") | _PRINTABLE),
        ext.Notify: st.builds(ext.Notify, conditions.map(tuple)),
        ext.Orcpt: _original_recipient(smtputf8),
        ext.RequireTlsParameter: st.just(ext.RequireTlsParameter()),
        ext.By: st.builds(ext.By, st.integers(1, 999_999_999), st.booleans(), st.booleans())
        | st.builds(ext.By, st.integers(-999_999_999, 0), st.just(False), st.booleans()),
        ext.HoldFor: st.builds(ext.HoldFor, st.integers(1, 999_999_999)),
        ext.HoldUntil: st.builds(ext.HoldUntil, _MOMENTS),
        ext.MtPriorityParameter: st.builds(ext.MtPriorityParameter, st.integers(-9, 9)),
        ext.RrvsParameter: st.builds(ext.RrvsParameter, _MOMENTS, st.none() | st.booleans()),
        ext.MtrkParameter: _tracking(),
        ext.Solicit: st.builds(ext.Solicit, st.lists(_WORDS, min_size=1, max_size=4).map(tuple)),
        ext.ConpermParameter: st.just(ext.ConpermParameter()),
        ext.ConnegParameter: st.just(ext.ConnegParameter()),
    }


def parameters_of(
    command: type[Command],
    extensions: Iterable[Extension],
    *,
    smtputf8: bool = False,
    own: Parameters | None = None,
) -> st.SearchStrategy[tuple[Parameter, ...]]:
    """Parameters that a command can have with these extensions, each at most once; often none.

    It does not check whether they fit together; `mails` and `rcpts` do.

    Arguments:
        command: `Mail`, `Rcpt`, `Vrfy` or `Expn`.
        extensions: those on offer.
        smtputf8: as for `parameters`.
        own: strategies for parameters of extensions of your own, by their class.
    """
    known = {**_parameters(smtputf8=smtputf8), **(own or {})}
    kinds = [kind for e in extensions for kind in e.parameters.get(command, ())]
    needed = smtputf8 and ext.SmtpUtf8Parameter in kinds
    optional = [kind for kind in dict.fromkeys(kinds) if kind is not ext.SmtpUtf8Parameter]
    return _some([known[kind] for kind in optional if kind in known], smtputf8=needed)


def _some(
    values: list[st.SearchStrategy[Any]], *, smtputf8: bool
) -> st.SearchStrategy[tuple[Any, ...]]:
    if not values:
        return st.just((ext.SmtpUtf8Parameter(),) if smtputf8 else ())
    chosen = st.lists(st.sampled_from(range(len(values))), unique=True, max_size=len(values))
    return _drawn(values, chosen, smtputf8)


@st.composite
def _drawn(
    draw: st.DrawFn,
    values: list[st.SearchStrategy[Any]],
    chosen: st.SearchStrategy[list[int]],
    smtputf8: bool,  # noqa: FBT001
) -> tuple[Any, ...]:
    found = [draw(values[index]) for index in draw(chosen)]
    if smtputf8:
        found.insert(draw(st.integers(0, len(found))), ext.SmtpUtf8Parameter())
    return tuple(found)
