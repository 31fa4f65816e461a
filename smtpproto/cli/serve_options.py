"""The options of `serve` on the command line, and the settings that they make."""

from __future__ import annotations

import argparse
import itertools
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..adapters.host import own_domain
from ..adapters.listening import ListeningSettings
from ..conversations import ServerTLS, Transcript
from ..errors import LocalProtocolError
from ..extensions import Auth, Chunking, SmtpUtf8, StartTls
from ..extensions.known import KNOWN, standard
from ..sasl import SASLError, Users
from ..vocabulary.addresses import Domain
from ..vocabulary.command_base import Syntax
from ..vocabulary.session_facts import Protocol
from ..wire import LineEndings
from ..wire.proxy_header_parser import TrustedNetworks
from .certificate import add_certificate, certificate, check_certificate
from .common import IO, CannotRun, file_of, host_and_port, listen_address, need, number_of, seconds
from .serve_faults import add_faults, faults
from .signals import ServerOutput
from .terminal import complain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..vocabulary.session_facts import Session

SIZE = 50 * 1024 * 1024
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
# Other options add the first two; the others need values or trust.
NOT_OFFERED = frozenset({"STARTTLS", "AUTH", "FUTURERELEASE", "BURL", "XCLIENT", "XFORWARD"})


def size_of(text: str) -> int:
    """Parse a number of octets, such as 10M; the type of an option."""
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if unit not in UNITS:
        raise argparse.ArgumentTypeError(f"expected octets such as 10M or 500k, found {text!r}")
    return number_of(number) * UNITS[unit]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    where = parser.add_argument_group("where to listen").add_mutually_exclusive_group()
    where.add_argument(
        "--listen",
        type=listen_address,
        metavar="[HOST:]PORT",
        help="default: 127.0.0.1:8025, or the sockets that a service manager passes (LISTEN_FDS)",
    )
    where.add_argument("--unix", metavar="PATH", help="a Unix socket instead")
    _add_storing(parser)
    _add_protocol(parser)
    _add_security(parser)
    add_faults(parser)
    running = parser.add_argument_group("how to run")
    running.add_argument(
        "--io", choices=IO, default="sync", help="threads (the default), asyncio or trio"
    )
    running.add_argument(
        "--workers",
        type=number_of,
        metavar="N",
        help="processes that share the load (SO_REUSEPORT); SIGHUP replaces them one by one, and "
        "the new ones read all files again; without this option SIGHUP ends a server whose "
        "standard input is a terminal, as a closed terminal does (not after nohup)",
    )
    running.add_argument(
        "--grace",
        type=seconds,
        default=ListeningSettings.grace,
        metavar="SECONDS",
        help="the time for running transactions after SIGINT or SIGTERM; a second signal ends them "
        "at once",
    )
    running.add_argument("--count", type=number_of, metavar="N", help="end after N messages")
    running.add_argument(
        "--transcript", action="store_true", help="write the conversations to standard error"
    )
    running.add_argument(
        "--quiet", "-q", action="store_true", help="print no line for each message"
    )
    running.add_argument(
        "--json", action="store_true", help="one JSON object for each message on standard output"
    )


def _add_storing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "what becomes of messages", "By default serve prints a line for each one and forgets it."
    ).add_mutually_exclusive_group()
    group.add_argument("--maildir", metavar="DIR", help="store them in a Maildir")
    group.add_argument("--mbox", metavar="FILE", help="store them in an mbox")
    group.add_argument(
        "--forward",
        type=host_and_port,
        metavar="HOST:PORT",
        help="deliver them to another server, and answer as it does",
    )
    group.add_argument("--print", action="store_true", help="print them whole")
    group.add_argument("--discard", action="store_true", help="forget them, and print nothing")


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the protocol")
    group.add_argument(
        "--hostname", metavar="NAME", default=own_domain(), help="the server's own name"
    )
    group.add_argument(
        "--size", type=size_of, default=SIZE, metavar="N", help="the largest message: 10M, 500k"
    )
    group.add_argument(
        "--offer",
        metavar="KEYWORDS",
        help="the service extensions to offer, with commas between: names such as DSN, or all; "
        "options such as --user add theirs",
    )
    group.add_argument("--lmtp", action="store_true", help="LMTP (RFC 2033) instead of SMTP")
    group.add_argument(
        "--lenient",
        action="store_true",
        help="read command lines that real clients get wrong, and make a CRLF of a bare CR or LF "
        "in content",
    )
    group.add_argument(
        "--proxy-protocol",
        action="append",
        metavar="NETWORK",
        help="an address or a network: expect a PROXY header from there, and trust it",
    )


def _add_security(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("TLS and authentication")
    group.add_argument(
        "--tls",
        choices=("starttls", "implicit"),
        help="when TLS begins; default: starttls if there is a certificate",
    )
    add_certificate(group)
    group.add_argument(
        "--user",
        action="append",
        metavar="NAME:PASSWORD",
        help="a user who may log in; for tests, as others on this machine can see the password",
    )
    group.add_argument("--users", metavar="FILE", help="a file with such users, one on each line")
    group.add_argument("--require-tls", action="store_true", help="refuse mail without TLS")
    group.add_argument("--require-auth", action="store_true", help="refuse mail without a login")


def check(options: argparse.Namespace) -> None:
    """Check the options together, and complete them.

    Raises:
        CannotRun: they contradict each other, or need a package that is not installed.
    """
    certified = check_certificate(options)
    if options.tls and not certified:
        raise CannotRun(f"--tls {options.tls} needs --cert FILE or --self-signed")
    if options.tls is None and certified:
        options.tls = "starttls"
    if options.require_tls and options.tls is None:
        raise CannotRun("--require-tls needs --tls, with --cert FILE or --self-signed")
    if options.require_auth and not (options.user or options.users):
        raise CannotRun("--require-auth needs --user or --users")
    try:
        Domain.parse(options.hostname)
    except LocalProtocolError as error:
        raise CannotRun(f"--hostname {options.hostname}: {error}") from None
    if options.io == "trio":
        need("trio", "--io trio")
    options.output = ServerOutput()
    options.faults = faults(options)
    if options.count is not None and options.workers is not None:
        raise CannotRun("--count and --workers exclude each other")
    # The salts of users depend on this secret, so all workers need the same one.
    options.secret = secrets.token_bytes(32)


def server_settings(options: argparse.Namespace) -> ListeningSettings:
    """How to serve, but for the sockets; the files are read here.

    Raises:
        CannotRun: a file or a network cannot be used.
    """
    return ListeningSettings(
        hostname=options.hostname,
        extensions=_extensions(options),
        grace=options.grace,
        protocol=Protocol.LMTP if options.lmtp else Protocol.SMTP,
        syntax=Syntax.LENIENT if options.lenient else Syntax.STRICT,
        line_endings=LineEndings.NORMALIZE if options.lenient else LineEndings.REFUSE,
        users=_users(options),
        received=bool(options.maildir or options.mbox or options.forward or options.print),
        refuse_early_talkers=options.refuse_early_talkers,
        tls=ServerTLS[options.tls.upper()] if options.tls else None,
        tls_context=certificate(options) if options.tls else None,
        proxy=_networks(options),
        observer=_observe(options.output) if options.transcript else None,
    )


def _networks(options: argparse.Namespace) -> TrustedNetworks | None:
    if not options.proxy_protocol:
        return None
    try:
        return TrustedNetworks(options.proxy_protocol)
    except ValueError as error:
        raise CannotRun(f"--proxy-protocol: expected an address or a network: {error}") from None


def _observe(output: ServerOutput) -> Callable[[Session], Transcript]:
    """Give each session a transcript on standard error whose lines begin with its number."""
    numbers = itertools.count(1)

    def observe(_: Session) -> Transcript:
        number = next(numbers)

        def write(line: str) -> None:
            output.written(lambda: complain(f"{number} {line}"))

        return Transcript(write)

    return observe


def _extensions(options: argparse.Namespace) -> list[Any]:
    extensions = _chosen(options)
    if options.tls == "starttls":
        extensions.append(StartTls(required=options.require_tls))
    if options.user or options.users:
        extensions.append(Auth(required=options.require_auth))
    return extensions


def _chosen(options: argparse.Namespace) -> list[Any]:
    """Return the extensions that `--offer` names."""
    usual: list[Any] = [*standard(options.size), Chunking(), SmtpUtf8()]
    if options.offer is None:
        return usual
    others = [kind() for kind in KNOWN if kind.keyword not in NOT_OFFERED]
    # The usual ones have values, such as that of SIZE.
    possible = {each.keyword: each for each in (*others, *usual)}
    if options.maildir or options.mbox:
        # A store keeps lines; it cannot keep BINARYMIME content.
        del possible["BINARYMIME"]
    names = options.offer.upper().replace(",", " ").split()
    if names in (["ALL"], ["NONE"]):
        return list(possible.values()) if names == ["ALL"] else []
    unknown = [name for name in names if name not in possible]
    if unknown:
        raise CannotRun(
            f"--offer {unknown[0]}: expected all, none, or names of {', '.join(sorted(possible))}"
        )
    return [possible[name] for name in dict.fromkeys(names)]


def _users(options: argparse.Namespace) -> Users | None:
    entries = [("--user", entry) for entry in options.user or ()]
    if options.users:
        with file_of("--users", options.users):
            lines = Path(options.users).read_text("utf-8").split("\n")
        entries += [
            (f"{options.users} line {number}", line)
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.startswith("#")
        ]
        if not entries:
            raise CannotRun(f"--users {options.users}: expected NAME:PASSWORD lines, found none")
    passwords = {}
    for place, entry in entries:
        name, colon, password = entry.partition(":")
        if not (name and colon and password):
            # The text may be a password.
            raise CannotRun(f"{place}: expected NAME:PASSWORD")
        passwords[name] = password
    try:
        return Users(passwords, secret=options.secret) if passwords else None
    except SASLError as error:
        raise CannotRun(f"a user cannot be used: {error}") from None
