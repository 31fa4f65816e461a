"""Strategies for commands and the parameters of service extensions.

A command is drawn for a set of extensions: one that a server which offers them must accept.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from ... import extensions as ext
from ...engine.compiled_extensions import Catalogue, catalogue
from ...extensions import Extension
from ...extensions.burl import BurlCommand
from ...extensions.etrn import EtrnCommand
from ...limits import Limits
from ...vocabulary.command_base import Command
from ...vocabulary.commands import (
    Data,
    Ehlo,
    Expn,
    Helo,
    Help,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Vrfy,
)
from ...vocabulary.parameters import Parameter
from ...vocabulary.session_facts import Offered, Protocol, Session, Transaction
from ...vocabulary.xclient_attributes import Unavailable
from .addresses import domains, forward_paths, mailboxes, names, reverse_paths

__all__ = [
    "commands",
    "mails",
    "noops",
    "offers",
    "parameters",
    "parameters_of",
    "questions",
    "rcpts",
]

# By class; that of a mapping's keys is invariant, so `type[Parameter]` would refuse most of them.
Parameters = Mapping[Any, st.SearchStrategy[Any]]

_FAR = datetime(2999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
_VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
_PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
_ATOMS = st.from_regex(r"[A-Za-z0-9!#$%&'*+_{|}~^-]{1,10}", fullmatch=True)
_WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9._:-]{0,12}", fullmatch=True)
# The bounds that hypothesis takes have no time zone.
_EPOCH, _LATE = (datetime.fromisoformat(day) for day in ("1970-01-02", "2100-01-01"))
_MINUTES = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_MOMENTS = st.datetimes(_EPOCH, _LATE, timezones=_MINUTES).map(
    lambda moment: moment.replace(microsecond=0)
)


def offers() -> tuple[Extension, ...]:
    """Return one of each extension that a server can offer to a client without TLS and AUTH.

    The tuple is new each time; its order is that of `extensions.KNOWN`.
    """
    return (
        ext.Size(50_000_000),
        ext.EightBitMime(),
        ext.Pipelining(),
        ext.EnhancedStatusCodes(),
        ext.HelpExtension(),
        ext.ExpnExtension(),
        ext.Chunking(),
        ext.BinaryMime(),
        ext.SmtpUtf8(),
        ext.Dsn(),
        ext.DeliverBy(),
        ext.FutureRelease(999_999_999, _FAR),
        ext.MtPriority(),
        ext.Rrvs(),
        ext.Mtrk(),
        ext.NoSoliciting(),
        ext.Conperm(),
        ext.Conneg(),
        ext.Etrn(),
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


@functools.cache
def _parameters(*, smtputf8: bool) -> Parameters:
    conditions = st.lists(
        st.sampled_from(["SUCCESS", "FAILURE", "DELAY", "delay"]),
        min_size=1,
        max_size=3,
        unique_by=str.upper,
    ) | st.just(["NEVER"])
    return {
        ext.SizeParameter: st.builds(ext.SizeParameter, st.integers(0, 50_000_000)),
        ext.Body: st.builds(ext.Body, st.sampled_from(["7BIT", "8BITMIME", "BINARYMIME"])),
        ext.AuthParameter: st.builds(ext.AuthParameter, st.none() | mailboxes(smtputf8=smtputf8)),
        ext.SmtpUtf8Parameter: st.just(ext.SmtpUtf8Parameter()),
        ext.Ret: st.builds(ext.Ret, st.sampled_from(["FULL", "HDRS", "full"])),
        ext.Envid: st.builds(ext.Envid.of, _PRINTABLE | st.just("id@client.example")),
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
    kinds = dict.fromkeys(kind for e in extensions for kind in e.parameters.get(command, ()))
    always = [known[kind] for kind in kinds if smtputf8 and kind is ext.SmtpUtf8Parameter]
    sometimes = [
        known[kind] for kind in kinds if kind in known and kind is not ext.SmtpUtf8Parameter
    ]
    return _some(always, sometimes)


@st.composite
def _some(
    draw: st.DrawFn,
    always: list[st.SearchStrategy[Any]],
    sometimes: list[st.SearchStrategy[Any]],
) -> tuple[Any, ...]:
    chosen = [*always, *(each for each in sometimes if draw(st.integers(0, 3)) == 3)]
    return tuple(draw(st.permutations([draw(each) for each in chosen])))


def mails(
    extensions: Iterable[Extension] = (),
    *,
    session: Session | None = None,
    own: Parameters | None = None,
) -> st.SearchStrategy[Mail]:
    """MAIL commands that a server with these extensions accepts.

    Arguments:
        extensions: those on offer.
        session: the facts that matter, such as `secure`.
        own: strategies for parameters of extensions of your own, by their class.
    """
    offered = tuple(extensions)
    utf8 = st.booleans() if any(e.utf8 for e in offered) else st.just(False)
    built = utf8.flatmap(
        lambda smtputf8: st.builds(
            Mail,
            reverse_paths(smtputf8=smtputf8),
            parameters_of(Mail, offered, smtputf8=smtputf8, own=own),
        )
    )
    return built.filter(_Judge(offered, session).allows)


def rcpts(
    mail: Mail,
    extensions: Iterable[Extension] = (),
    *,
    session: Session | None = None,
    own: Parameters | None = None,
) -> st.SearchStrategy[Rcpt]:
    """RCPT commands that the same server accepts.

    Arguments:
        mail: the MAIL of the transaction, which says whether UTF-8 is allowed.
        extensions: those on offer.
        session: as for `mails`.
        own: as for `mails`.
    """
    offered = tuple(extensions)
    smtputf8 = mail.get(ext.SmtpUtf8Parameter) is not None
    built = st.builds(
        Rcpt,
        forward_paths(smtputf8=smtputf8),
        parameters_of(Rcpt, offered, smtputf8=smtputf8, own=own),
    )
    return built.filter(_Judge(offered, session, Transaction(mail)).allows)


class _Judge:
    """Checks whether extensions allow a command, and whether its line is short enough."""

    def __init__(
        self,
        offered: tuple[Extension, ...],
        session: Session | None,
        transaction: Transaction | None = None,
    ) -> None:
        self.catalogue: Catalogue = catalogue(map(type, offered), Protocol.SMTP, Limits())
        facts = session or Session()
        self.session = Session(
            protocol=facts.protocol,
            secure=facts.secure,
            tls=facts.tls,
            identity=facts.identity,
            facts=facts.facts,
            offered=Offered(offered),
        )
        self.transaction = transaction

    def allows(self, command: Command) -> bool:
        rules = self.catalogue.in_force(self.session.offered).rules[type(command)]
        return (
            len(command.line().encode()) + 2 <= rules.longest
            and rules.refusal(command, self.session, self.transaction) is None
        )


def noops() -> st.SearchStrategy[Noop]:
    """NOOP, with or without a string."""
    return st.builds(Noop, st.just("") | _strings(smtputf8=False))


def _strings(*, smtputf8: bool) -> st.SearchStrategy[str]:
    """Texts that may follow NOOP, VRFY, EXPN and HELP."""
    text = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
    if smtputf8:
        text |= st.text(min_size=1, max_size=20)
    # A parameter as the last word would be read as one.
    return (
        (text | mailboxes(smtputf8=smtputf8).map(str))
        .map(str.strip)
        .filter(lambda s: s.isprintable() and bool(s) and not s.upper().endswith(" SMTPUTF8"))
    )


def questions(*, smtputf8: bool = False) -> st.SearchStrategy[Vrfy | Expn]:
    """VRFY and EXPN.

    Arguments:
        smtputf8: whether SMTPUTF8 is offered, so that the string may have UTF-8.
    """
    wanted = st.sampled_from([(), (ext.SmtpUtf8Parameter(),)]) if smtputf8 else st.just(())
    strings = _strings(smtputf8=smtputf8)
    return st.builds(Vrfy, strings, wanted) | st.builds(Expn, strings, wanted)


def _attributes(
    values: Mapping[str, st.SearchStrategy[str]],
) -> st.SearchStrategy[tuple[tuple[str, str | Unavailable], ...]]:
    missing = st.just(Unavailable.PERMANENT)
    return (
        st.fixed_dictionaries(
            {}, optional={name: value | missing for name, value in values.items()}
        )
        .filter(bool)
        .map(lambda found: tuple(found.items()))
    )


@functools.cache
def _of_extensions() -> Mapping[type[Command], st.SearchStrategy[Any]]:
    """Commands of extensions, for any session."""
    ports = st.integers(0, 65535).map(str)
    v4, v6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda a: f"IPV6:{a}")
    values = {"NAME": _VISIBLE, "ADDR": v4 | v6, "PORT": ports, "HELO": _VISIBLE}
    visible = {name: value.filter(lambda v: v[0] != "[") for name, value in values.items()}
    nodes = domains().filter(lambda d: "." in d.name)
    responses = st.none() | st.binary(max_size=100)
    mechanisms = st.from_regex(r"[A-Z0-9_-]{1,20}", fullmatch=True)
    urls = st.from_regex(r"imap://[a-z.]{1,20}/[A-Za-z0-9;=/]{0,40}", fullmatch=True)
    return {
        ext.Bdat: st.builds(ext.Bdat, st.integers(0, 2**63 - 1), st.booleans()),
        ext.StartTlsCommand: st.just(ext.StartTlsCommand()),
        ext.AuthCommand: st.builds(ext.AuthCommand, mechanisms, responses),
        BurlCommand: st.builds(BurlCommand, urls, st.booleans()),
        EtrnCommand: st.builds(
            EtrnCommand, st.builds(lambda a, d: f"{a}{d}", st.sampled_from(["", "@"]), nodes)
        ),
        ext.XClientCommand: st.builds(ext.XClientCommand, _attributes(visible)),
        ext.XForwardCommand: st.builds(ext.XForwardCommand, _attributes(visible)),
    }


def commands(
    extensions: Iterable[Extension] = (),
    *,
    protocol: Protocol = Protocol.SMTP,
    own: Mapping[Any, st.SearchStrategy[Any]] | None = None,
) -> st.SearchStrategy[Command]:
    """Every command that can be written with these extensions, in any state.

    A `Bdat` comes without its octets.

    Arguments:
        extensions: those on offer.
        protocol: LMTP has LHLO in place of EHLO and HELO.
        own: strategies for commands of extensions of your own, by their class.
    """
    offered = tuple(extensions)
    smtputf8 = any(e.utf8 for e in offered)
    hellos = (Lhlo,) if protocol is Protocol.LMTP else (Ehlo, Helo)
    known = {**_of_extensions(), **(own or {})}
    added = [known[c] for e in offered for c in e.commands if c in known]
    mail = mails(offered)
    asked = questions(smtputf8=smtputf8)
    if not any(Expn in e.commands for e in offered):
        asked = asked.filter(lambda question: isinstance(question, Vrfy))
    if any(Help in e.commands for e in offered):
        added.append(st.builds(Help, st.just("") | _strings(smtputf8=False)))
    return st.one_of(
        *(st.builds(kind, names()) for kind in hellos),
        mail,
        mail.flatmap(lambda begun: rcpts(begun, offered)),
        st.sampled_from([Data(), Rset(), Quit()]),
        noops(),
        asked,
        *added,
    )
