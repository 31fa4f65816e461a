"""Finding, starting and stopping programs that are not ours.

A test says with `needs` which peers it needs.  One that is not installed skips the test with a
reason, before anything is started; with SMTPPROTO_REQUIRE_PEERS set, as in CI, it fails the test
instead.  SMTPPROTO_NO_PEERS hides all peers.  SMTPPROTO_PEERS names a folder of programs that were
unpacked, not installed (`.ci/run` fills it).  All ports are on loopback, and all files of a server
lie in one temporary folder, which goes when the server stops.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.programs import HOST, ROOT, until

UNPACKED = Path(os.environ.get("SMTPPROTO_PEERS") or ROOT / ".peers")

# Programs below UNPACKED.
PATHS = {"exim4": "exim/usr/sbin/exim4", "opensmtpd": "opensmtpd/usr/sbin/smtpd"}
NODE_MODULES = UNPACKED / "node" / "node_modules"
NODE_PACKAGES = ("nodemailer", "smtp-server")
# Without the last two it knows neither TLS nor AUTH.
NET_SMTP = ("Net::SMTP", "IO::Socket::SSL", "Authen::SASL")
NGINX_MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"))
# Where Dovecot finds the programs that it starts.
DOVECOT_PROGRAMS = (Path("/usr/lib/dovecot"), Path("/usr/libexec/dovecot"))
# Servers that give up privileges that only root has.
STARTED_BY_ROOT = {"postfix", "exim4", "dovecot", "opensmtpd"}
# The packages with a part of Dovecot, and the program that each of them brings.
DOVECOT_PARTS = {"dovecot-imapd": "imap", "dovecot-pop3d": "pop3"}


def needs(*peers: str) -> pytest.MarkDecorator:
    """Say which peers a test or module needs: names of programs or packages, or "Net::SMTP"."""
    return pytest.mark.needs(*peers)


def hidden() -> bool:
    """Whether no peer shall be seen, as on a machine that has none."""
    return bool(os.environ.get("SMTPPROTO_NO_PEERS"))


def why_not(peer: str) -> str | None:
    """Why a peer cannot be had; None if it can."""
    if hidden():
        return f"{peer} is hidden by SMTPPROTO_NO_PEERS"
    if not here(peer):
        return f"{peer} is not installed"
    if peer in STARTED_BY_ROOT and os.geteuid() != 0:
        return f"{peer} must be started by root"
    if peer == "opensmtpd" and not may_mount():
        return f"{peer} needs a mount namespace, which this machine does not allow"
    return None


def here(peer: str) -> bool:
    """Whether a peer is installed, with all its parts that tests need."""
    if peer in NODE_PACKAGES:
        return find("node") is not None and (NODE_MODULES / peer).is_dir()
    if peer == "Net::SMTP":
        return find("perl") is not None and all(map(perl_module, NET_SMTP))
    if peer == "nginx":
        return find("nginx") is not None and nginx_module() is not None
    if peer in DOVECOT_PARTS:
        return find("dovecot") is not None and dovecot_part(DOVECOT_PARTS[peer]) is not None
    return find(peer) is not None


def require(peers: Iterable[str]) -> None:
    """Skip if one of these is missing, or fail where all are promised."""
    for peer in peers:
        reason = why_not(peer)
        if reason is not None:
            if os.environ.get("SMTPPROTO_REQUIRE_PEERS"):
                pytest.fail(f"{reason}, and SMTPPROTO_REQUIRE_PEERS is set")
            pytest.skip(reason)


def find(name: str) -> str | None:
    """The path of a program: installed, or below UNPACKED."""
    if hidden():
        return None
    if name in PATHS and os.access(UNPACKED / PATHS[name], os.X_OK):
        return str(UNPACKED / PATHS[name])
    path = "/usr/local/sbin:/usr/sbin:/sbin:" + os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=path)


def program(name: str) -> str:
    """The path of a program, which a test that gets so far has."""
    found = find(name)
    assert found is not None, f"{name} is not installed, and the test does not say that it needs it"
    return found


def may_mount() -> bool:
    """Whether this machine gives a process mounts of its own."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def perl_module(name: str) -> bool:
    """Whether Perl has a module."""
    command = [program("perl"), f"-M{name}", "-e", "1"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def nginx_module() -> Path | None:
    """The mail module, which nginx loads."""
    modules = (place / "ngx_mail_module.so" for place in NGINX_MODULES)
    return next((module for module in modules if module.exists()), None)


def dovecot_part(name: str) -> Path | None:
    """A program of Dovecot that comes in a package of its own."""
    parts = (place / name for place in DOVECOT_PROGRAMS)
    return next((part for part in parts if part.exists()), None)


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """As many different ones, below those that the system gives to whom asks for any.

    So no server or client of another test gets one of them before the peer has it.
    """
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            port = random.SystemRandom().randrange(16000, 32000)
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server((HOST, port)))
                found.append(port)
        return found


def greets(port: int) -> bool:
    """Whether someone at the port says something as soon as we connect."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1) as link:
        return bool(link.recv(1))
    return False


@contextlib.contextmanager
def accepting(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Call `serve` in a thread with each connection to a port, one after the other."""
    with socket.create_server((HOST, 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    serve(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Closing alone does not wake the thread that waits in accept().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(25)
            assert not thread.is_alive()


@contextlib.contextmanager
def http_service(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port of an HTTP service that some server asks."""
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as service:
        thread = threading.Thread(target=service.serve_forever, daemon=True)
        thread.start()
        try:
            yield service.server_address[1]
        finally:
            service.shutdown()
            thread.join()


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder; servers with users of their own can enter it, and the folders in it."""
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="smtpproto-", ignore_cleanup_errors=True) as name:
            path = Path(name)
            path.chmod(0o755)
            yield path
    finally:
        os.umask(before)


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the foreground, its output in a file; ended by its process id."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class Server:
    """A running server: its private folder, its port, and that where TLS comes first, if any."""

    def __init__(self, home: Path, port: int, tls_port: int = 0) -> None:
        self.home = home
        self.port = port
        self.tls_port = tls_port

    def ready(self) -> bool:
        return greets(self.port)

    def log(self) -> str:
        return read_log(self.home / "log")

    def logs(self, text: str) -> None:
        """Wait for a text in the log, which a server writes when it likes."""
        until(lambda: text in self.log(), 20, f"{text!r} in the log")


@contextlib.contextmanager
def shown_if_failed(server: Server) -> Iterator[None]:
    """Wait until a server is ready; if that or the `with` block fails, its log is printed."""
    try:
        until(server.ready, 20, f"{type(server).__name__} at port {server.port}")
        yield
    except BaseException:
        print(server.log())
        raise


def run(command: Sequence[str], timeout: float = 30, **options: str) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=timeout,
        check=False,
        env={**os.environ, **options},
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def read_log(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
