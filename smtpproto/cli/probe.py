"""Show what a server offers, outside and inside TLS, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..conversations import SMTPError, TLSError, TLSMode
from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions import StartTls
from ..extensions.extension import UnknownExtension
from ..timeouts import PROBE_TIMEOUT
from .common import reason, server_address, time_limit, usual_port
from .patience import Patience
from .probe_findings import SEVERITIES, Finding, findings_of
from .probe_session import Probed, Seen, look
from .session_options import add_trust, trusting
from .terminal import complain, say, say_json, show_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..extensions import Extension

STATUS = "0, 1 if there is a finding that --fail-on asks for, or 2 if there was no session"
STYLES = {"error": "bad", "warning": "warn", "note": "dim"}
# Keywords that are no extensions, but that servers list.
OTHERS = {"VRFY": "Whether a mailbox exists (RFC 5321 section 3.5.1)"}
BOTH, BEFORE, WITHIN = "always", "before TLS", "within TLS"


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
    parser.add_argument("--name", help="the client's name in EHLO")
    parser.add_argument("--lmtp", action="store_true", help="LMTP (RFC 2033) instead of SMTP")
    parser.add_argument("--implicit", action="store_true", help="begin with TLS on any port")
    add_trust(parser)
    parser.add_argument(
        "--timeout",
        type=time_limit,
        default=PROBE_TIMEOUT,
        metavar="SECONDS",
        help="for each wait; default: 30",
    )
    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        help="exit with status 1 if there is a finding so severe, or more",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(options: argparse.Namespace) -> int:
    """Probe a server; see `STATUS`."""
    host, port = options.server
    if port is None:
        port = usual_port(implicit=options.implicit)
        options.server = host, port
    # Before anything is sent to the server.
    options.context = trusting(options.ca) if options.ca else None
    place = f"{host} port {port}"
    try:
        with Patience(place) as patience:
            probed = _probe(options, patience)
    except (OSError, SMTPError, LocalProtocolError, RemoteProtocolError) as error:
        text = reason(error, place, implicit="--implicit")
        if options.json:
            say_json({"server": host, "port": port, "error": text})
        complain(f"no session: {text}", "bad")
        return 2
    found = findings_of(probed)
    if options.json:
        say_json(_value(probed, found))
    else:
        _show(probed, found)
    severe = SEVERITIES[: SEVERITIES.index(options.fail_on) + 1] if options.fail_on else ()
    return 1 if any(each.severity in severe for each in found) else 0


def _probe(options: argparse.Namespace, patience: Patience) -> Probed:
    """Look at a server, outside and inside TLS."""
    host, port = options.server
    implicit = options.implicit or TLSMode.default(port, None) is TLSMode.IMPLICIT
    outside = None if implicit else look(options, TLSMode.NONE, patience)
    inside, problem = None, ""
    if outside is None:
        inside, problem = _within_tls(options, TLSMode.IMPLICIT, patience)
    elif any(isinstance(each, StartTls) for each in outside.offered):
        try:
            inside, problem = _within_tls(options, TLSMode.STARTTLS, patience)
        except SMTPError as error:
            problem = reason(error, implicit="--implicit")
    return Probed(host, port, outside, inside, problem, lmtp=options.lmtp)


def _within_tls(options: argparse.Namespace, tls: TLSMode, patience: Patience) -> tuple[Seen, str]:
    """Look at a server inside TLS; if its certificate is not trusted, without verifying it.

    Returns:
        What was seen, and why the certificate is not trusted.
    """
    try:
        return look(options, tls, patience), ""
    except TLSError as error:
        problem = reason(error, implicit="--implicit")
    return look(options, tls, patience, verify=False), problem


# --- for people -----------------------------------------------------------------------------------


def _show(probed: Probed, found: list[Finding]) -> None:
    first = probed.first
    say(f"{probed.host} port {probed.port}", "head")
    say(f"greeting: {first.greeting}")
    rows = list(_extensions(probed))
    say("offered:" if rows else "offered: nothing", "head")
    if rows:
        inside = probed.inside is not None and probed.outside is not None
        show_table([row if inside else row[1:] for row in rows])
    if probed.inside is not None:
        _show_tls(probed, probed.inside)
    say("times:", "head")
    show_table([(what, f"{took * 1000:.0f} ms") for what, took in probed.times])
    say("findings:" if found else "findings: none", "head")
    if found:
        show_table(
            [(each.severity, each.text) for each in found],
            [STYLES[each.severity] for each in found],
        )


def _show_tls(probed: Probed, inside: Seen) -> None:
    assert inside.tls is not None
    trusted = "not trusted" if probed.problem else "trusted"
    say(f"TLS: {inside.tls.version}, {inside.tls.cipher}; the certificate is {trusted}", "head")
    if inside.chain:
        show_table([(str(n), str(each)) for n, each in enumerate(inside.chain, 1)])
    elif inside.tls.peer_names:
        say(f"  it is for {', '.join(map(str, inside.tls.peer_names))}")


def _extensions(probed: Probed) -> Iterator[tuple[str, str, str]]:
    """Return a row for each service extension: when it is offered, its line, what it is."""
    outside = probed.outside.offered if probed.outside is not None else ()
    inside = probed.inside.offered if probed.inside is not None else ()
    for each in outside:
        yield (BOTH if each in inside else BEFORE), *_row(each)
    for each in inside:
        if each not in outside:
            yield WITHIN, *_row(each)


def _row(extension: Extension) -> tuple[str, str]:
    if isinstance(extension, UnknownExtension):
        what = OTHERS.get(extension.line().split(" ")[0].upper(), "(not known here)")
    else:
        what = (type(extension).__doc__ or "").partition("\n")[0].rstrip(".")
    return ascii(extension.line())[1:-1], what


# --- for programs ---------------------------------------------------------------------------------


def _value(probed: Probed, found: list[Finding]) -> dict[str, Any]:
    inside = probed.inside
    tls = None
    if inside is not None and inside.tls is not None:
        tls = {
            "version": inside.tls.version,
            "cipher": inside.tls.cipher,
            "trusted": not probed.problem,
            "problem": probed.problem or None,
            "chain": [each.value() for each in inside.chain],
        }
    return {
        "server": probed.host,
        "port": probed.port,
        "greeting": probed.first.greeting,
        "extensions": [
            {"when": when, "line": line, "what": what} for when, line, what in _extensions(probed)
        ],
        "tls": tls,
        "times": {what: round(took, 4) for what, took in probed.times},
        "findings": [each._asdict() for each in found],
    }
