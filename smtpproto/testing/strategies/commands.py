"""Strategies for commands.

A command is drawn for a set of extensions: one that a server which offers them must accept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from hypothesis import strategies as st

from ... import extensions as ext
from ...engine.compiled_extensions import Catalogue, catalogue
from ...extensions import Extension
from ...extensions.burl import BurlCommand
from ...extensions.etrn import EtrnCommand
from ...extensions.xclient import Unavailable
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
from ...vocabulary.session_facts import Offered, Protocol, Session, Transaction
from .addresses import domains, forward_paths, mailboxes, names, reverse_paths
from .made_once import made_once
from .parameters import Parameters, parameters_of

__all__ = [
    "Envelopes",
    "commands",
    "mails",
    "noops",
    "offers",
    "questions",
    "rcpts",
]

_FAR = datetime(2999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
_VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


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


def mails(
    extensions: Iterable[Extension] = (),
    *,
    session: Session | None = None,
    own: Parameters | None = None,
) -> st.SearchStrategy[Mail]:
    """MAIL commands that a server with these extensions accepts.

    The simplest is `MAIL FROM:<a@example.com>`.

    Arguments:
        extensions: those on offer.
        session: the facts that matter, such as `secure`.
        own: strategies for parameters of extensions of your own, by their class.
    """
    return Envelopes(extensions, session=session, own=own).mails


def rcpts(
    mail: Mail,
    extensions: Iterable[Extension] = (),
    *,
    session: Session | None = None,
    own: Parameters | None = None,
) -> st.SearchStrategy[Rcpt]:
    """RCPT commands that the same server accepts.

    The simplest is `RCPT TO:<a@example.com>`.

    Arguments:
        mail: the MAIL of the transaction, which says whether UTF-8 is allowed.
        extensions: those on offer.
        session: as for `mails`.
        own: as for `mails`.
    """
    return Envelopes(extensions, session=session, own=own).rcpts(mail)


class Envelopes:
    """The strategies for MAIL and RCPT, made once; the arguments are those of `mails`.

    Attributes:
        mails: as `mails`.
    """

    def __init__(
        self,
        extensions: Iterable[Extension],
        *,
        session: Session | None = None,
        own: Parameters | None = None,
    ) -> None:
        offered = tuple(extensions)
        facts = session or Session()
        self._session = Session(
            protocol=facts.protocol,
            secure=facts.secure,
            tls=facts.tls,
            identity=facts.identity,
            facts=facts.facts,
            offered=Offered(offered),
        )
        known: Catalogue = catalogue(map(type, offered), Protocol.SMTP, Limits())
        self._rules = known.in_force(self._session.offered).rules

        def made(kind: type[Any], paths: Any, *, smtputf8: bool) -> st.SearchStrategy[Any]:
            parameters = parameters_of(kind, offered, smtputf8=smtputf8, own=own)
            return st.builds(kind, paths(smtputf8=smtputf8), parameters)

        allowed = [False, True] if any(e.utf8 for e in offered) else [False]
        self.mails: st.SearchStrategy[Mail] = st.one_of(
            [made(Mail, reverse_paths, smtputf8=smtputf8) for smtputf8 in allowed]
        ).filter(self._allows)
        self._rcpts = {
            smtputf8: made(Rcpt, forward_paths, smtputf8=smtputf8) for smtputf8 in allowed
        }

    def rcpts(self, mail: Mail) -> st.SearchStrategy[Rcpt]:
        """As `rcpts`."""
        smtputf8 = mail.get(ext.SmtpUtf8Parameter) is not None
        transaction = Transaction(mail)
        return self._rcpts[smtputf8].filter(lambda rcpt: self._allows(rcpt, transaction))

    def _allows(self, command: Command, transaction: Transaction | None = None) -> bool:
        """Whether the extensions allow a command, and its line is short enough."""
        rules = self._rules[type(command)]
        return (
            len(command.line().encode()) + 2 <= rules.longest
            and rules.refusal(command, self._session, transaction) is None
        )


@made_once
def noops() -> st.SearchStrategy[Noop]:
    """NOOP, with or without a string."""
    return st.builds(Noop, st.just("") | _strings(smtputf8=False))


@made_once
def _strings(*, smtputf8: bool) -> st.SearchStrategy[str]:
    """Texts that may follow NOOP, VRFY, EXPN and HELP."""
    text = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
    if smtputf8:
        text |= st.text(min_size=1, max_size=20)
    # A parameter as the last word would be read as one.
    return (
        (mailboxes(smtputf8=smtputf8).map(str) | text)
        .map(str.strip)
        .filter(lambda s: s.isprintable() and bool(s) and not s.upper().endswith(" SMTPUTF8"))
    )


@made_once
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


@made_once
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
    envelopes = Envelopes(offered)
    asked = questions(smtputf8=smtputf8)
    if not any(Expn in e.commands for e in offered):
        asked = asked.filter(lambda question: isinstance(question, Vrfy))
    if any(Help in e.commands for e in offered):
        added.append(st.builds(Help, st.just("") | _strings(smtputf8=False)))
    return st.one_of(
        *(st.builds(kind, names()) for kind in hellos),
        envelopes.mails,
        envelopes.mails.flatmap(envelopes.rcpts),
        st.sampled_from([Data(), Rset(), Quit()]),
        noops(),
        asked,
        *added,
    )
