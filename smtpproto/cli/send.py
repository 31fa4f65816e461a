"""Send messages: from files, from a Maildir or an mbox, or made on the spot."""

from __future__ import annotations

import argparse
import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..conversations.client.message import header_of
from ..errors import LocalProtocolError
from .common import IO, CannotRun, both, need, number_of, port_number, reason, server_address
from .compose import add_message, compose, recipients_of, sender_of, wants_message
from .messages import StoredMessage, parts_of, read_messages
from .patience import Patience
from .send_report import ERRORS, SendReport
from .sending import Content, do_jobs, to_one
from .session_options import add_session, connection_settings, place
from .terminal import amount, progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from ..conversations.client.base import ClientBase
    from .sending import Deliver, Job
    from .terminal import Progress

STATUS = "0 all recipients accepted, 1 some, 2 none, or there was no session"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="a message, an mbox or a Maildir; - for standard input",
    )
    parser.add_argument(
        "--from",
        dest="sender",
        metavar="ADDR",
        help="default: Sender or From of the message; '<>' for the null reverse-path",
    )
    parser.add_argument(
        "--to",
        dest="recipients",
        action="append",
        metavar="ADDR",
        help="one address, or several with commas between; default: To, Cc and Bcc of the message",
    )
    add_message(parser)
    _add_place(parser.add_argument_group("where to"))
    add_session(parser.add_argument_group("the session"))
    output = parser.add_argument_group("output")
    output.add_argument(
        "--transcript", action="store_true", help="write the conversation to standard error"
    )
    output.add_argument(
        "--quiet", "-q", action="store_true", help="print no line about accepted recipients"
    )
    output.add_argument(
        "--json", action="store_true", help="one JSON object for each message on standard output"
    )
    load = parser.add_argument_group("a modest load, for a server on this host")
    load.add_argument("--repeat", type=number_of, metavar="N", help="send each message N times")
    load.add_argument(
        "--parallel", type=number_of, metavar="M", help="over M connections at once; default: 1"
    )
    parser.add_argument(
        "--io", choices=IO, default="sync", help="blocking (the default), asyncio or trio"
    )


def _add_place(group: argparse._ArgumentGroup) -> None:
    where = group.add_mutually_exclusive_group()
    where.add_argument(
        "--server",
        type=server_address,
        default=("localhost", None),
        metavar="HOST[:PORT]",
        help="default: localhost; port 465 with --tls implicit, 587 with --user, otherwise 25",
    )
    where.add_argument("--unix", metavar="PATH", help="a Unix socket instead")
    where.add_argument(
        "--mx",
        action="store_true",
        help="the mail exchangers of each recipient's domain, from the DNS (package dnspython)",
    )
    group.add_argument(
        "--port",
        type=port_number,
        metavar="PORT",
        help="the server's port, instead of the usual one",
    )
    group.add_argument(
        "--name-server",
        type=server_address,
        metavar="HOST[:PORT]",
        help="the name server for --mx, an IP address; default: that of the system",
    )


def run(options: argparse.Namespace) -> int:
    """Send the messages; see `STATUS`."""
    _check(options)
    report = SendReport(options)
    try:
        recipients = recipients_of(options.recipients)
        sender = sender_of(options.sender)
        settings = connection_settings(options)
    except (ValueError, LocalProtocolError) as error:
        report.not_sent("", reason(error, place(options)))
        return 2
    if options.repeat or options.parallel:
        from .load import send_repeatedly

        return send_repeatedly(options, settings, _messages(options), sender, recipients)
    with Patience("the server" if options.mx else place(options)) as patience:
        settings = replace(settings, observer=both(settings.observer, patience))
        if options.mx:
            from .mail_exchangers import direct

            deliver = direct(settings, options.name_server)
        else:
            deliver = to_one(settings)
        try:
            do_jobs(_send_all(options, deliver, report, sender, recipients), options.io)
        except OSError as error:
            report.not_sent("", reason(error))
    report.finish()
    return report.status


def _check(options: argparse.Namespace) -> None:
    """Check the options together.

    Raises:
        CannotRun: they contradict each other, or need a package that is not installed.
    """
    if wants_message(options) == bool(options.files):
        raise CannotRun(
            "expected a FILE (- for standard input), or a message made with --subject, --body, "
            f"--html, --header or --attach; found {'both' if options.files else 'neither'}"
        )
    if options.io == "trio":
        need("trio", "--io trio")
    if options.mx:
        need("dns", "--mx")
    elif options.name_server:
        raise CannotRun("--name-server needs --mx")
    if (options.repeat or options.parallel) and (options.io != "sync" or options.mx):
        raise CannotRun("--repeat and --parallel exclude --io and --mx")


def _messages(options: argparse.Namespace) -> Iterator[StoredMessage]:
    if not options.files:
        yield compose(options)
    for path in options.files:
        yield from read_messages(path)


def _send_all(
    options: argparse.Namespace,
    deliver: Deliver,
    report: SendReport,
    sender: str | None,
    recipients: list[str] | None,
) -> Generator[Job, None, None]:
    """Send the messages, until one of them finds no session.

    Only the header of a message is held whole.
    """
    for message in _messages(options):
        try:
            header, envelope, body = parts_of(message.source, sender, recipients)
            with progress(Path(message.name).name, message.size) as counted:
                content = Content(
                    functools.partial(_header, header, counted), _counted(body, counted)
                )
                delivery = yield from deliver(envelope, content)
        except ERRORS as error:
            if not report.failed(message.name, error):
                return
            continue
        rate = f"{amount(counted.done)} in {counted.seconds:.1f} s, "
        rate += f"{amount(counted.done / max(counted.seconds, 0.001))} a second"
        report.delivered(message.name, envelope, delivery, rate if counted.took_long else "")


def _header(header: bytes, counted: Progress, client: ClientBase) -> Iterator[bytes]:
    return _counted([header_of(header, client.offered, client.to_ascii)], counted)


def _counted(chunks: Iterable[bytes], counted: Progress) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        # The next one is asked for once this one has left.
        counted.advance(len(chunk))
