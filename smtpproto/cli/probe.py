"""Show what a server offers, outside and inside TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import sync
from ..adapters.tls_contexts import client_context
from ..conversations import SMTPError, TLSError, TLSMode
from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions import Extension, StartTls
from ..extensions.extension import UnknownExtension
from ..timeouts import PROBE_TIMEOUT
from ..vocabulary.session_facts import Protocol
from .common import reason, seconds, server_address, usual_port
from .session_options import add_trust, trusting
from .terminal import complain, say

if TYPE_CHECKING:
    import argparse
    import ssl
    from collections.abc import Iterable

    from ..vocabulary.session_facts import TLSFacts

__all__ = ["STATUS", "add_arguments", "run"]

STATUS = "0, or 2 if there was no session"


class Seen(NamedTuple):
    """What one session found."""

    greeting: str
    offered: tuple[Extension, ...]
    tls: TLSFacts | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "server",
        nargs="?",
        type=server_address,
        default=("localhost", None),
        metavar="HOST[:PORT]",
        help="default: localhost; port 25, or 465 with --implicit; on port 465 TLS begins at once",
    )
    parser.add_argument("--name", help="what to call oneself in EHLO")
    parser.add_argument("--lmtp", action="store_true", help="LMTP (RFC 2033) instead of SMTP")
    parser.add_argument("--implicit", action="store_true", help="begin with TLS on any port")
    add_trust(parser)
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=PROBE_TIMEOUT,
        metavar="SECONDS",
        help="for each wait; 30",
    )


def run(options: argparse.Namespace) -> int:
    """Probe a server; see `STATUS`."""
    host, port = options.server
    if port is None:
        port = usual_port(implicit=options.implicit)
        options.server = host, port
    # Before anything is sent to the server.
    context = trusting(options.ca) if options.ca else None
    implicit = options.implicit or TLSMode.default(port, None) is TLSMode.IMPLICIT
    try:
        if implicit:
            inside = _within_tls(options, TLSMode.IMPLICIT, context)
            say(f"greeting: {inside.greeting}")
            _show("offered within TLS:", inside.offered)
            return 0
        outside = _look(options, TLSMode.NONE)
        say(f"greeting: {outside.greeting}")
        _show("offered:", outside.offered)
        if any(isinstance(each, StartTls) for each in outside.offered):
            inside = _within_tls(options, TLSMode.STARTTLS, context)
            new = [each for each in inside.offered if each not in outside.offered]
            gone = {type(each) for each in outside.offered} - {
                type(each) for each in inside.offered
            }
            _show("offered within TLS only, or with other values:", new)
            _show("and no more:", [each for each in outside.offered if type(each) in gone])
    except (OSError, SMTPError, LocalProtocolError, RemoteProtocolError) as error:
        complain(f"no session: {_reason(options, error)}")
        return 2
    return 0


def _reason(options: argparse.Namespace, error: BaseException) -> str:
    return reason(error, "{} port {}".format(*options.server), implicit="--implicit")


def _look(options: argparse.Namespace, tls: TLSMode, context: ssl.SSLContext | None = None) -> Seen:
    """Begin a session and end it."""
    said: list[tuple[str, str]] = []

    def observe(sender: str, octets: bytes, content: bool) -> None:  # noqa: ARG001, FBT001  # as it is called
        said.append((sender, octets.decode("utf-8", "backslashreplace")))

    with sync.connect(
        *options.server,
        name=options.name,
        timeout=options.timeout,
        connect_timeout=options.timeout,
        protocol=Protocol.LMTP if options.lmtp else Protocol.SMTP,
        tls=tls,
        tls_context=context,
        server_hostname=options.tls_name,
        observer=observe,
    ) as client:
        first = [sender for sender, _ in said].index("C")
        greeting = " / ".join(line for _, line in said[:first])
        offered = tuple(each for each in client.offered if isinstance(each, Extension))
        return Seen(ascii(greeting)[1:-1], offered, client.session.tls)


def _within_tls(options: argparse.Namespace, tls: TLSMode, context: ssl.SSLContext | None) -> Seen:
    """Open a session inside TLS; if the certificate is not trusted, without verifying it."""
    try:
        seen = _look(options, tls, context)
        say("the certificate can be trusted")
    except TLSError as error:
        what = _reason(options, error)
        say(f"the certificate cannot be trusted, or there is no TLS: {what}")
        seen = _look(options, tls, client_context(verify=False))
    assert seen.tls is not None
    say(f"TLS: {seen.tls.version}, {seen.tls.cipher}")
    if seen.tls.peer_names:
        say(f"the certificate is for: {', '.join(map(str, seen.tls.peer_names))}")
    return seen


def _show(title: str, offered: Iterable[Extension]) -> None:
    """Print one line for each service extension, with its meaning."""
    lines = [(each.line(), _what(each)) for each in offered]
    if lines:
        width = min(40, max(len(line) for line, _ in lines))
        say(title)
        for line, what in lines:
            say(f"  {ascii(line)[1:-1]:{width}}  {what}")


def _what(extension: Extension) -> str:
    if isinstance(extension, UnknownExtension):
        return "(not known here)"
    return (type(extension).__doc__ or "").partition("\n")[0].rstrip(".")
