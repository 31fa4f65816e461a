"""How clients that are not ours send a letter: what the cells of the table are made of.

Each function here takes what one cell asks of the client, and gives a `Way`.
"""

from __future__ import annotations

import asyncio
import json
import re
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop import clients, opensmtpd
from tests.interop import exim as exims
from tests.interop import postfix as postfixes
from tests.interop.certificates import Files, client_context
from tests.interop.conftest import Peers
from tests.interop.matrix.features import PASSWORD, USER, Letter
from tests.interop.peers import program, run
from tests.programs import HOST


@dataclass(frozen=True)
class Job:
    """One letter to send.

    Arguments:
        port: where our server is to be found.
        letter: the message.
        files: certificates.
        home: a folder for files.
        relays: mail servers that are already there, by what they were started with.
        peers: starts more of them.
        lmtp: whether our server speaks LMTP.
    """

    port: int
    letter: Letter
    files: Files
    home: Path
    relays: dict[str, Any]
    peers: Peers
    lmtp: bool

    def filled(self, text: str) -> str:
        """An option, with the places of files and the port put in."""
        files = {"authority": self.files.authority, "client": self.files.client}
        return text.format(port=self.port, user=USER, password=PASSWORD, **files)


Way = Callable[[Job], None]


def swaks(*options: str) -> Way:
    def send(job: Job) -> None:
        letter = job.letter
        path = letter.write(job.home)
        protocol = ("--protocol", "LMTP") if job.lmtp else ()
        # It ends the content with a line end of its own.
        path.write_bytes(letter.content.removesuffix(b"\r\n"))
        filled = map(job.filled, options)
        data = ("--data", f"@{path}")
        clients.swaks(job.port, letter.sender, [letter.recipient], *data, *protocol, *filled)

    return send


def curl(*options: str, scheme: str = "smtp") -> Way:
    def send(job: Job) -> None:
        letter, filled = job.letter, map(job.filled, options)
        path = letter.write(job.home)
        clients.curl(job.port, letter.sender, [letter.recipient], path, *filled, scheme=scheme)

    return send


def msmtp(*options: str) -> Way:
    def send(job: Job) -> None:
        letter, filled = job.letter, map(job.filled, options)
        path = letter.write(job.home, lines=b"\n")
        protocol = ("--protocol=lmtp",) if job.lmtp else ()
        clients.msmtp(job.port, letter.sender, [letter.recipient], path, *protocol, *filled)

    return send


def nodemailer(*, envelope: dict[str, object] | None = None, **options: object) -> Way:
    """`envelope` has more of what stands in MAIL and RCPT; `options` are those of the transport."""

    def send(job: Job) -> None:
        letter = job.letter
        path = letter.write(job.home)
        trust = {"tls": {"ca": job.files.authority.read_text()}}
        clients.nodemailer(
            job.port,
            letter.sender,
            [letter.recipient],
            path,
            envelope=envelope,
            **{"lmtp": job.lmtp, **trust, **options},
        )

    return send


def standard_library(
    *, start_tls: bool = False, implicit: bool = False, login: bool = False
) -> Way:
    def send(job: Job) -> None:
        context = client_context()
        link: smtplib.SMTP
        if implicit:
            link = smtplib.SMTP_SSL(HOST, job.port, "smtplib.test", timeout=20, context=context)
        else:
            kind = smtplib.LMTP if job.lmtp else smtplib.SMTP
            link = kind(HOST, job.port, "smtplib.test", timeout=20)
        with link:
            if start_tls:
                link.starttls(context=context)
            if login:
                link.login(USER, PASSWORD)
            submit(link, job.letter)

    return send


def submit(link: smtplib.SMTP, letter: Letter) -> None:
    mail, rcpt = letter.feature.mail, letter.feature.rcpt
    link.sendmail(letter.sender, [letter.recipient], letter.content, mail, rcpt)


def aio(*, login: bool = False, **options: Any) -> Way:
    def send(job: Job) -> None:
        letter = job.letter

        async def sending() -> None:
            tls = {"start_tls": False, "tls_context": client_context()}
            async with clients.aio(job.port, **{**tls, **options}) as link:
                if login:
                    await link.login(USER, PASSWORD)
                await link.sendmail(
                    letter.sender,
                    [letter.recipient],
                    letter.content,
                    mail_options=letter.feature.mail,
                    rcpt_options=letter.feature.rcpt,
                )

        asyncio.run(sending())

    return send


PERL = """\
use strict; use warnings; use Net::SMTP; use JSON::PP;
$SIG{__WARN__} = sub { die @_ };
my $job = decode_json($ARGV[0]);
my ($how, $mail, $rcpt) = map { $_ // {} } @$job{qw(how mail rcpt)};
my $smtp = Net::SMTP->new($job->{host}, Port => $job->{port}, Hello => "perl.test",
  Timeout => 20, SSL_ca_file => $job->{authority}, %$how) or die "no session: $@";
sub ok { $_[0] or die "$_[1]: " . $smtp->code . " " . $smtp->message . ($@ // "") }
if ($job->{starttls}) { ok($smtp->starttls(SSL_ca_file => $job->{authority}), "STARTTLS") }
if ($job->{login}) { ok($smtp->auth(@{$job->{login}}), "AUTH") }
open(my $file, "<:raw", $job->{file}) or die $!;
my $content = do { local $/; <$file> };
ok($smtp->mail($job->{sender}, %$mail), "MAIL");
ok($smtp->to($job->{recipient}, $rcpt), "RCPT");
if ($job->{chunks}) { ok($smtp->bdat($content) && $smtp->bdatlast(""), "BDAT") }
else { ok($smtp->data($content), "DATA") }
$smtp->quit;
"""


def net_smtp(
    *, start_tls: bool = False, login: bool = False, chunks: bool = False, **how: object
) -> Way:
    """`how` has `mail` and `rcpt`, the parameters, and what the constructor takes besides."""
    mail, rcpt = how.pop("mail", None), how.pop("rcpt", None)

    def send(job: Job) -> None:
        letter = job.letter
        task = {
            "host": HOST,
            "port": job.port,
            "authority": str(job.files.authority),
            "file": str(letter.write(job.home)),
            "sender": letter.sender,
            "recipient": letter.recipient,
            "starttls": start_tls,
            "login": [USER, PASSWORD] if login else None,
            "chunks": chunks,
            "how": how,
            "mail": mail,
            "rcpt": rcpt,
        }
        run([program("perl"), "-e", PERL, json.dumps(task)])

    return send


# --- mail servers that relay to ours ----------------------------------------------------------


def postfix(**main: str) -> Way:
    """`main` has settings for main.cf, as they are named for SMTP."""

    def send(job: Job) -> None:
        protocol = "lmtp" if job.lmtp else "smtp"
        settings = {
            re.sub("^smtp_", f"{protocol}_", name): job.filled(value)
            for name, value in main.items()
        }
        key = f"{job.port} {settings}"
        if key not in job.relays:
            passwords = f"[{HOST}]:{job.port} {USER}:{PASSWORD}\n"
            job.relays[key] = job.peers.start(
                postfixes.postfix(
                    f"{protocol}:[{HOST}]:{job.port}",
                    main=settings,
                    files={"etc/passwords": passwords},
                )
            )
        relay(job.relays[key].port, job.letter)

    return send


def exim(*transport: str, login: bool = False) -> Way:
    """`transport` has lines for the transport to us."""

    def send(job: Job) -> None:
        protocol = ("protocol = lmtp",) if job.lmtp else ()
        lines = "".join(f"  {job.filled(line)}\n" for line in (*protocol, *transport))
        key = f"{job.port} {lines} {login}"
        if key not in job.relays:
            who = (USER, PASSWORD) if login else None
            job.relays[key] = job.peers.start(exims.exim(job.port, transport=lines, login=who))
        relay(job.relays[key].port, job.letter)

    return send


def open_smtpd(scheme: str = "smtp", *, login: bool = False) -> Way:
    """`scheme` is that of the URL of the relay host."""

    def send(job: Job) -> None:
        key = f"{job.port} {scheme} {login}"
        if key not in job.relays:
            who = (USER, PASSWORD) if login else None
            job.relays[key] = job.peers.start(
                opensmtpd.opensmtpd(job.port, scheme, authority=job.files.authority, login=who)
            )
        relay(job.relays[key].port, job.letter)

    return send


def relay(port: int, letter: Letter) -> None:
    with smtplib.SMTP(HOST, port, "smtplib.test", timeout=20) as link:
        submit(link, letter)
