"""Mail clients that are not ours, each sending one message to a port on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import smtplib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiosmtplib

from tests.interop.peers import NODE_MODULES, program, run
from tests.programs import HOST, until

# Dots, empty lines, and every octet that a line can have.
MESSAGE = (
    b"From: <carol@far.test>\r\nTo: <alice@local.test>\r\nSubject: every octet\r\n\r\n"
    b".\r\n..\r\n.a dot\r\n\r\n%b\r\nno more\r\n"
    % bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
)


def submit(port: int, *recipients: str, sender: str = "carol@far.test") -> None:
    """Send `MESSAGE` with smtplib."""
    with smtplib.SMTP(HOST, port, "smtplib.test", timeout=20) as link:
        link.sendmail(sender, recipients, MESSAGE, ["BODY=8BITMIME"])


def swaks(port: int, sender: str, recipients: Sequence[str], *options: str) -> str:
    """The conversation that swaks had; `options` such as "--data", "@file" or "--auth", "PLAIN".

    swaks puts a line end after the content of a file, also where there is one already.
    """
    command = [program("swaks"), "--server", HOST, "--port", str(port), "--from", sender]
    return run([*command, "--to", ",".join(recipients), "--helo", "swaks.test", *options])


def curl(
    port: int,
    sender: str,
    recipients: Sequence[str],
    message: Path,
    *options: str,
    scheme: str = "smtp",
) -> str:
    """The conversation that curl had; a message without CRLF line ends needs "--crlf".

    The scheme for TLS from the start is "smtps".
    """
    url = f"{scheme}://{HOST}:{port}/curl.test"
    command = [program("curl"), "--silent", "--show-error", "--verbose", "--stderr", "-"]
    for recipient in recipients:
        command += ["--mail-rcpt", recipient]
    return run([*command, "--mail-from", sender, "--upload-file", str(message), *options, url])


def msmtp(port: int, sender: str, recipients: Sequence[str], message: Path, *options: str) -> str:
    """The conversation that msmtp had; it reads lines that end in LF."""
    command = [program("msmtp"), "--debug", "--file=/dev/null", f"--host={HOST}", f"--port={port}"]
    command += [f"--from={sender}", "--domain=msmtp.test", "--tls=off", *options]
    return run(["sh", "-c", '"$@" < "$0"', str(message), *command, "--", *recipients])


NODEMAILER = """\
const [options, mail] = process.argv.slice(1).map(JSON.parse);
const transport = require("nodemailer").createTransport(options);
transport.sendMail(mail).then(
  // Without exit, a timer keeps the program for five seconds more.
  (info) => { console.log(JSON.stringify(info)); process.exit(0); },
  (error) => { console.error(error); process.exit(1); },
);
"""


def nodemailer(
    port: int,
    sender: str,
    recipients: Sequence[str],
    message: Path,
    *,
    envelope: Mapping[str, object] | None = None,
    **options: object,
) -> str:
    """What nodemailer reports, as JSON.

    Arguments:
        port, sender, recipients, message: as for all clients.
        envelope: more of what stands in MAIL and RCPT, such as {"use8BitMime": True}.
        options: those of its SMTP transport.
    """
    transport = {"host": HOST, "port": port, "name": "nodemailer.test", "ignoreTLS": True}
    addresses = {"from": sender, "to": list(recipients), **(envelope or {})}
    mail = {"envelope": addresses, "raw": {"path": str(message)}}
    command = [program("node"), "-e", NODEMAILER, json.dumps({**transport, **options})]
    return run([*command, json.dumps(mail)], NODE_PATH=str(NODE_MODULES))


def gsasl(port: int, mechanism: str, *options: str) -> str:
    """The conversation that the program of GNU SASL had: it logs in and goes."""
    command = [program("gsasl"), "--client", "--smtp", f"--connect={HOST}:{port}"]
    return run([*command, f"--mechanism={mechanism}", *options])


@contextlib.asynccontextmanager
async def aio(port: int, **options: Any) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connected aiosmtplib, which is gone for good at the end.

    Its own end only begins to close: what TLS has left to say, the loop says later, and a loop that
    ends before that leaves the socket to the garbage collector, with a warning.
    """
    link = aiosmtplib.SMTP(hostname=HOST, port=port, **options)
    await link.connect()
    protocol = link.protocol
    assert protocol is not None
    try:
        async with link:
            yield link
    finally:
        await asyncio.to_thread(until, lambda: protocol.transport is None, 20, "its end")
