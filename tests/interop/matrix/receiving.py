"""Servers that are not ours, as the table has them: each tells what arrived, octet for octet."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from smtpproto.conversations import ServerTLS
from smtpproto.extensions import BinaryMime, Chunking, Dsn, SmtpUtf8, XClient
from smtpproto.extensions.known import standard
from smtpproto.sasl import Users
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from tests.adapters.worlds import World
from tests.interop import dovecot as dovecots
from tests.interop import exim as exims
from tests.interop import maildir, opensmtpd
from tests.interop import nginx as nginxes
from tests.interop import postfix as postfixes
from tests.interop.certificates import Files, server_context
from tests.interop.conftest import Peers
from tests.interop.haproxy import haproxy as haproxies
from tests.interop.inbox import Inbox
from tests.interop.matrix.features import PASSWORD, USER
from tests.interop.peers import NODE_MODULES, folder, free_ports, greets, program, read_log, running
from tests.programs import HOST, until

TRUSTED = TrustedNetworks([HOST])
USERS = Users({USER: PASSWORD}, secret=b"0123456789abcdef", iterations=4096)


@dataclass(frozen=True)
class Target:
    """A server to send to.

    Arguments:
        port: for sessions that begin in plain text.
        tls_port: where TLS comes first.
        recipient: an address there.
        stored: what has arrived so far.
    """

    port: int
    tls_port: int
    recipient: str
    stored: Callable[[], list[bytes]]


@dataclass(frozen=True)
class Place:
    """Where a server is started.

    Arguments:
        files: certificates.
        peers: starts mail servers, and keeps their logs.
        world: our adapter, for those that stand before a server of ours.
    """

    files: Files
    peers: Peers
    world: World


Start = Callable[[Place], AbstractContextManager[Target]]


def in_maildir(account: Path) -> Callable[[], list[bytes]]:
    return lambda: [maildir.sent(message) for message in maildir.messages(account)]


@contextlib.contextmanager
def postfix(place: Place) -> Iterator[Target]:
    """Its users are known to a Dovecot."""
    main = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_auth_only": "yes",
        "smtpd_tls_chain_files": str(place.files.server),
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": str(place.peers.start(dovecots.dovecot()).auth),
    }
    server = place.peers.start(postfixes.postfix(main=main))
    stored = in_maildir(server.maildir(USER))
    yield Target(server.port, server.tls_port, f"{USER}@{postfixes.DOMAIN}", stored)


@contextlib.contextmanager
def exim(place: Place) -> Iterator[Target]:
    files = place.files
    server = place.peers.start(exims.exim(certificate=files.server, authority=files.authority))
    stored = in_maildir(server.maildir(USER))
    yield Target(server.port, server.tls_port, f"{USER}@{exims.DOMAIN}", stored)


@contextlib.contextmanager
def open_smtpd(place: Place) -> Iterator[Target]:
    server = place.peers.start(opensmtpd.opensmtpd(certificate=place.files.server))
    stored = in_maildir(server.maildir(USER))
    yield Target(server.port, server.tls_port, f"{USER}@{opensmtpd.DOMAIN}", stored)


@contextlib.contextmanager
def dovecot(place: Place) -> Iterator[Target]:
    server = place.peers.start(dovecots.dovecot(certificate=place.files.server))
    stored = in_maildir(server.maildir(USER))
    yield Target(server.port, server.tls_port, f"{USER}@local.test", stored)


# --- libraries --------------------------------------------------------------------------------


@dataclass
class Kept:
    """A handler of aiosmtpd's."""

    contents: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.contents.append(envelope.original_content)
        return "250 OK"


class LmtpController(Controller):
    def factory(self) -> SMTP:
        return LMTP(self.handler, **self.SMTP_kwargs)


@contextlib.contextmanager
def aiosmtpd(place: Place, kind: type[Controller] = Controller) -> Iterator[Target]:
    handler = Kept()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(place.files.server)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        right = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=data == right, handled=False, auth_data=data)

    plain_port, tls_port = free_ports(2)
    options: list[dict[str, Any]] = [
        {"port": plain_port, "tls_context": context},
        {"port": tls_port, "ssl_context": context},
    ]
    with contextlib.ExitStack() as stack:
        for each in options:
            controller = kind(
                handler, hostname=HOST, enable_SMTPUTF8=True, authenticator=authenticate, **each
            )
            controller.start()
            stack.callback(controller.stop)
        yield Target(plain_port, tls_port, "dora@else.test", lambda: list(handler.contents))


SMTP_SERVER = """\
const { SMTPServer } = require("smtp-server");
const fs = require("fs");
const job = JSON.parse(process.argv[1]);
let count = 0;
for (const [port, secure] of job.ports) {
  new SMTPServer({
    secure, lmtp: job.lmtp, key: fs.readFileSync(job.key), cert: fs.readFileSync(job.key),
    authOptional: true, hideDSN: false,
    onAuth: (auth, session, done) => auth.username === job.user && auth.password === job.password
      ? done(null, { user: auth.username }) : done(new Error("wrong")),
    onData: (stream, session, done) => {
      const name = `${job.home}/${count++}`;
      const file = fs.createWriteStream(name + ".part");
      file.on("finish", () => { fs.renameSync(name + ".part", name + ".letter"); done(); });
      stream.pipe(file);
    },
  }).listen(port, job.host);
}
"""


@contextlib.contextmanager
def smtp_server(place: Place, *, lmtp: bool = False) -> Iterator[Target]:
    with folder() as home:
        port, tls_port = free_ports(2)
        job = {
            "host": HOST,
            "ports": [(port, False), (tls_port, True)],
            "key": str(place.files.server),
            "home": str(home),
            "user": USER,
            "password": PASSWORD,
            "lmtp": lmtp,
        }
        command = ["env", f"NODE_PATH={NODE_MODULES}", program("node"), "-e", SMTP_SERVER]
        with running([*command, json.dumps(job)], home / "log"):
            until(lambda: greets(port), 20, f"a greeting: {read_log(home / 'log')}")
            yield Target(
                port,
                tls_port,
                "dora@else.test",
                lambda: [file.read_bytes() for file in home.glob("*.letter")],
            )


# --- proxies before a server of ours ----------------------------------------------------------


@contextlib.contextmanager
def ours(world: World, inbox: Inbox, files: Files, mode: ServerTLS, **more: Any) -> Iterator[Any]:
    """Our server with all that the matrix is about."""
    with world.serve(
        inbox,
        tls=mode,
        tls_context=None if mode is ServerTLS.NONE else server_context(files),
        **{
            "users": USERS,
            "extensions": [*standard(), Chunking(), BinaryMime(), SmtpUtf8(), Dsn()],
            **more,
        },
    ) as server:
        yield server.addresses[0][1]


def in_inbox(inbox: Inbox) -> Callable[[], list[bytes]]:
    return lambda: [mail.content for mail in inbox.mails]


@contextlib.contextmanager
def haproxy(place: Place) -> Iterator[Target]:
    """It hands on all octets, TLS included, after a PROXY header."""
    inbox = Inbox()
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        for mode in (ServerTLS.STARTTLS, ServerTLS.IMPLICIT):
            server = ours(place.world, inbox, place.files, mode, proxy=TRUSTED)
            behind = stack.enter_context(server)
            ports.append(place.peers.start(haproxies([behind])).port)
        plain_port, tls_port = ports
        yield Target(plain_port, tls_port, "dora@else.test", in_inbox(inbox))


@contextlib.contextmanager
def nginx(place: Place) -> Iterator[Target]:
    """TLS and AUTH end there; it tells our server by XCLIENT who the client is."""
    inbox = Inbox()
    offered = (*standard(), Chunking(), BinaryMime(), SmtpUtf8(), Dsn(), XClient(TRUSTED))
    capabilities = "PIPELINING 8BITMIME SMTPUTF8 CHUNKING DSN ENHANCEDSTATUSCODES"
    with ours(
        place.world, inbox, place.files, ServerTLS.NONE, users=None, extensions=offered
    ) as behind:
        server = place.peers.start(
            nginxes.nginx(behind, capabilities=capabilities, certificate=place.files.server)
        )
        yield Target(server.port, server.tls_port, "dora@else.test", in_inbox(inbox))
