"""STARTTLS and implicit TLS, both ways, and what must not get through."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from smtpproto import Limits, NameKind, RemoteProtocolError
from smtpproto.adapters import tls_contexts
from smtpproto.conversations import AuthenticationError, SMTPError, TLSError
from smtpproto.conversations.client.settings import TLSMode
from smtpproto.conversations.server.settings import ServerTLS
from smtpproto.extensions import Auth
from smtpproto.extensions.known import standard
from smtpproto.sasl import Credentials, Users
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from smtpproto.wire.proxy_header_value import Endpoint, ProxyFamily, ProxyHeader
from tests.adapters.worlds import ENVELOPE, TIMEOUT, Inbox, Raw, World, sessions, wait_until

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("localhost", "127.0.0.1")
BIG = b"0123456789abcde\r\n" * 100_000
MODES = [(ServerTLS.STARTTLS, TLSMode.STARTTLS), (ServerTLS.IMPLICIT, TLSMode.IMPLICIT)]


def server_context() -> tls_contexts.ServerContext:
    context = tls_contexts.ServerContext()
    CERTIFICATE.configure_cert(context)
    return context


def trusting() -> ssl.SSLContext:
    context = tls_contexts.client_context()
    CA.configure_trust(context)
    return context


SERVER, CLIENT = server_context(), trusting()


class Curious(Inbox):
    """Keeps what each session knew of its TLS connection."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[Any] = []

    def mail(self, session: Any, mail: Any) -> None:
        self.sessions.append(session)


@pytest.mark.parametrize("offered, used", MODES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_message_through_tls(
    world: World, offered: ServerTLS, used: TLSMode, version: ssl.TLSVersion
) -> None:
    inbox, context = Curious(), trusting()
    context.maximum_version = version
    with world.serve(inbox, tls=offered, tls_context=SERVER) as server:
        with world.connect(server, tls=used, tls_context=context) as client:
            assert client.session.secure
            assert client.send(ENVELOPE, BIG).complete
            ours = client.session.tls
            assert ours.version == version.name.replace("_", ".")
            assert ours.names(NameKind.IP) == ("127.0.0.1",)
            assert client.noop().positive
        wait_until(lambda: not sessions(server))
    (session,) = inbox.sessions
    assert inbox.messages == [BIG]
    assert session.secure
    assert session.tls.version == ours.version
    assert session.tls.channel_bindings == ours.channel_bindings
    assert "tls-server-end-point" in ours.channel_bindings
    assert inbox.over == 1


def test_without_a_context_there_is_no_server(world: World) -> None:
    with (
        pytest.raises(ValueError, match="tls_context"),
        world.serve(Inbox(), tls=ServerTLS.STARTTLS),
    ):
        raise AssertionError("there is no server")


@pytest.mark.parametrize("offered, used", MODES)
def test_a_certificate_that_is_not_to_be_trusted(
    world: World, offered: ServerTLS, used: TLSMode
) -> None:
    inbox = Inbox()
    with world.serve(inbox, tls=offered, tls_context=SERVER) as server:
        with pytest.raises(TLSError, match="certificate"), world.connect(server, tls=used):
            raise AssertionError("there is no session")
        with (
            pytest.raises(TLSError, match="certificate"),
            world.connect(
                server, tls=used, tls_context=CLIENT, server_hostname="other.example.org"
            ),
        ):
            raise AssertionError("there is no session")
        wait_until(lambda: not sessions(server))
    assert inbox.messages == []


def test_opportunistic_tls_does_not_ask_who_it_is(world: World) -> None:
    inbox = Curious()
    with world.serve(inbox, tls=ServerTLS.STARTTLS, tls_context=SERVER) as server:
        with world.connect(server, tls=TLSMode.OPPORTUNISTIC) as client:
            assert client.session.secure
            assert client.send(ENVELOPE, b"Hello\r\n").complete
        with world.connect(server, tls=TLSMode.NONE) as client:
            assert not client.session.secure
            assert client.send(ENVELOPE, b"Hello\r\n").complete
    assert [session.secure for session in inbox.sessions] == [True, False]


def test_tls_that_is_demanded_and_not_offered(world: World) -> None:
    with (
        world.serve(Inbox()) as server,
        pytest.raises(TLSError),
        world.connect(server, tls=TLSMode.STARTTLS, tls_context=CLIENT),
    ):
        raise AssertionError("there is no session")


def test_a_certificate_is_renewed_without_a_restart(world: World, tmp_path: Path) -> None:
    path = tmp_path / "server.pem"
    CERTIFICATE.private_key_and_cert_chain_pem.write_to_path(path)
    files = tls_contexts.CertificateFiles(path)

    def certificate(server: Any) -> bytes:
        with world.connect(server, tls=TLSMode.IMPLICIT, tls_context=CLIENT) as client:
            return client.session.tls.peer_certificate  # type: ignore[no-any-return]

    with world.serve(Inbox(), tls=ServerTLS.IMPLICIT, tls_context=files) as server:
        first = certificate(server)
        assert certificate(server) == first
        CA.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
        assert certificate(server) != first


# --- what must not get through ----------------------------------------------------------------


@pytest.mark.parametrize(
    "commands, code",
    [
        # CVE-2011-0411: what came in plain text must not be taken for something said inside TLS.
        (b"STARTTLS\r\nMAIL FROM:<sender@example.org>\r\n", b"421"),
        (b"STARTTLS\r\n", b"220"),
    ],
    ids=["behind STARTTLS", "in place of the handshake"],
)
def test_plain_text_is_not_obeyed(world: World, commands: bytes, code: bytes) -> None:
    inbox = Curious()
    with (
        world.serve(inbox, tls=ServerTLS.STARTTLS, tls_context=SERVER) as server,
        Raw(server) as raw,
    ):
        raw.reply()
        raw.ask("EHLO client.example.org")
        raw.sock.sendall(commands)
        if code == b"220":
            assert raw.reply().startswith("220")
            raw.say("MAIL FROM:<sender@example.org>")
        answer = raw.rest()
        assert b"250" not in answer
        assert code == b"220" or answer.startswith(code)
        assert code == b"220" or b"220" not in answer
        wait_until(lambda: not sessions(server))
    assert inbox.sessions == []


@contextlib.contextmanager
def scripted(*steps: tuple[str, bytes]) -> Iterator[tuple[str, int]]:
    """A server that answers what begins so with this, and any number of connections."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                with link:
                    link.settimeout(TIMEOUT)
                    link.sendall(b"220 mx.example.org\r\n")
                    for verb, answer in steps:
                        assert link.recv(1000).startswith(verb.encode())
                        link.sendall(answer)
                    with contextlib.suppress(OSError):
                        link.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(TIMEOUT)


OFFER = b"250-mx.example.org\r\n250 STARTTLS\r\n"


@pytest.mark.parametrize(
    "answer",
    [b"220 go on\r\n250 mx.example.org\r\n", b"220 go on\r\n250-", b"454 not now\r\n", b"220"],
)
def test_replies_behind_that_to_starttls_are_not_believed(world: World, answer: bytes) -> None:
    with (
        scripted(("EHLO", OFFER), ("STARTTLS", answer)) as where,
        pytest.raises((SMTPError, RemoteProtocolError)),
        world.connect(where, tls=TLSMode.STARTTLS, tls_context=CLIENT, timeout=0.2),
    ):
        raise AssertionError("there is no session")


def test_a_client_that_never_shakes_hands(world: World) -> None:
    inbox = Inbox()
    with (
        world.serve(inbox, tls=ServerTLS.IMPLICIT, tls_context=SERVER, timeout=0.1) as server,
        Raw(server) as raw,
    ):
        assert raw.rest() == b""
        wait_until(lambda: not sessions(server))


def test_a_client_that_goes_away_inside_tls(world: World) -> None:
    """With a word or without one."""
    inbox = Inbox()
    with world.serve(inbox, tls=ServerTLS.IMPLICIT, tls_context=SERVER) as server:
        for politely in (True, False):
            raw = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
            link = CLIENT.wrap_socket(raw, server_hostname="localhost")
            assert link.recv(1000).startswith(b"220")
            if politely:
                link.unwrap().close()
            link.close()
            wait_until(lambda: not sessions(server))
    assert inbox.over == 2


def test_the_idle_inside_tls_are_told_that_the_server_stops(world: World) -> None:
    with (
        world.serve(Inbox(), tls=ServerTLS.IMPLICIT, tls_context=SERVER) as server,
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as raw,
        CLIENT.wrap_socket(raw, server_hostname="localhost") as link,
    ):
        assert link.recv(1000).startswith(b"220")
        thread = threading.Thread(target=server.stop)
        thread.start()
        assert link.recv(1000).startswith(b"421 4.3.2")
        assert link.recv(1000) == b""
        thread.join(TIMEOUT)


def test_pipelined_commands_in_one_record(world: World) -> None:
    """What TLS has decrypted already makes no socket readable."""
    with (
        world.serve(
            Inbox(),
            tls=ServerTLS.IMPLICIT,
            tls_context=SERVER,
            limits=Limits(commands=3000),
        ) as server,
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as raw,
        CLIENT.wrap_socket(raw, server_hostname="localhost") as link,
    ):
        link.recv(1000)
        link.sendall(b"EHLO client.example.org\r\n" + b"NOOP\r\n" * 2000 + b"QUIT\r\n")
        answer = b""
        while more := link.recv(65536):
            answer += more
        assert answer.count(b"\r\n250 2.0.0") == 2000
        assert b"\r\n221 " in answer


# --- what rests on it -------------------------------------------------------------------------

USERS = Users({"eve": "correct horse"}, secret=b"sixteen octets, at least", iterations=4096)
EVE = Credentials(username="eve", password="correct horse")


@pytest.mark.parametrize("offered, used", MODES)
@pytest.mark.parametrize("mechanism", [None, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_to_log_in(world: World, offered: ServerTLS, used: TLSMode, mechanism: str | None) -> None:
    """With -PLUS both sides prove that it is the same TLS connection."""
    inbox = Curious()
    options: Any = {"tls": used, "tls_context": CLIENT}
    extensions = None
    if mechanism is not None:
        options["mechanisms"] = [mechanism]
        extensions = [*standard(), Auth(mechanisms=(mechanism,))]
    with world.serve(
        inbox, tls=offered, tls_context=SERVER, users=USERS, extensions=extensions
    ) as server:
        with world.connect(server, credentials=EVE, **options) as client:
            assert client.session.identity == "eve"
            assert client.send(ENVELOPE, b"Hello\r\n").complete
        wrong = Credentials(username="eve", password="battery staple")
        with (
            pytest.raises(AuthenticationError),
            world.connect(server, credentials=wrong, **options),
        ):
            raise AssertionError("there is no session")
        wait_until(lambda: not sessions(server))
    assert [session.identity for session in inbox.sessions] == ["eve"]


@pytest.mark.parametrize("offered, used", [(ServerTLS.NONE, TLSMode.NONE), *MODES])
def test_behind_a_proxy(world: World, offered: ServerTLS, used: TLSMode) -> None:
    """The header comes in plain text, before all else, and not an octet too many is read."""
    inbox = Curious()
    ends = (Endpoint("192.0.2.7", 40_000), Endpoint("192.0.2.1", 25))
    header = ProxyHeader(family=ProxyFamily.TCP4, source=ends[0], destination=ends[1])
    trusted = TrustedNetworks(["127.0.0.0/8"])
    context = None if offered is ServerTLS.NONE else SERVER
    with world.serve(inbox, tls=offered, tls_context=context, proxy=trusted) as server:
        with world.connect(server, tls=used, tls_context=CLIENT, proxy=header) as client:
            assert client.send(ENVELOPE, b"Hello\r\n").complete
        with Raw(server) as raw:
            raw.say("EHLO whoever.example.org")
            assert raw.rest() == b""
        wait_until(lambda: not sessions(server))
    (session,) = inbox.sessions
    assert session.peer == "192.0.2.7"
    assert session.get(ProxyHeader) == header
