r"""A throw-away mail server for the tests of an application.

It accepts every message, keeps it, and does wrong what a test asks for:

    >>> import smtplib
    >>> recipients = ["bob@mx.example", "eve@mx.example"]
    >>> with sink() as server:
    ...     fault = server.reject("rcpt", "bob@*", 550, "5.1.1", "no such mailbox")
    ...     with smtplib.SMTP(server.host, server.port) as client:
    ...         refused = client.sendmail("a@client.example", recipients, "Subject: hi\n\nhello\n")
    >>> refused
    {'bob@mx.example': (550, b'5.1.1 no such mailbox')}
    >>> server.messages[0].recipients, server.messages[0].parsed["Subject"]
    (['eve@mx.example'], 'hi')

The pytest plugin gives the same server as the fixture `smtp_server`.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..adapters.listening import Arrival, Listening, ListeningSettings, start_listening
from ..adapters.settings_as_parameters import fields_as_parameters
from ..sync.server import THREADS, Server
from .application_settings import ApplicationSettings
from .certificates import Certificates, certificates
from .faulty_replies import BROKEN_OFF, FaultyReplies
from .inbox import ReceivedMessage
from .mail_sink import NO_TLS, MailSink, SinkSettings

__all__ = ["SinkServer", "sink"]


@fields_as_parameters(SinkSettings)
def sink(settings: SinkSettings) -> SinkServer:
    """Start a test server on a free port; stop it with `stop`, or use it as a context manager.

    Raises:
        ModuleNotFoundError: `tls` needs trustme, which is not installed.
        OSError: it cannot listen there.
        TypeError: there is no such setting.
        ValueError: a setting has a wrong value.
    """
    return SinkServer(settings)


class SinkServer(MailSink, AbstractContextManager["SinkServer"]):
    """A running test server; made by `sink`.

    It has the methods of `Faults`, too.

    Attributes:
        settings: as given.
    """

    def __init__(self, settings: SinkSettings) -> None:
        super().__init__(settings)
        self._over = threading.Event()
        self._certificates: Certificates | None = None
        self._authority: Path | None = None
        context = None
        if settings.tls is not None:
            self._certificates = certificates()
            context = self._server_context
        listening = start_listening(
            self._handler,
            ListeningSettings(
                host=settings.host,
                port=settings.port,
                tls_context=context,
                **self._service_settings(),
            ),
            waits=False,
        )
        parts = {each.name: getattr(listening, each.name) for each in fields(Listening)}
        faulty = _FaultyListening(**parts, replies=self._replies)
        if self._certificates is not None:
            self._authority = self._certificates.write_authority()
        self._server = Server(faulty, THREADS, 1)

    # --- where it is --------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """Such as "smtp://127.0.0.1:2525", see `ApplicationSettings`."""
        return self._application().url

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the environment, see `ApplicationSettings`."""
        return self._application().environment()

    @property
    def django_settings(self) -> dict[str, Any]:
        """Settings of Django, see `ApplicationSettings`."""
        return self._application().django()

    @property
    def flask_settings(self) -> dict[str, Any]:
        """Settings of Flask-Mail and flask-mailman, see `ApplicationSettings`."""
        return self._application().flask()

    def _application(self) -> ApplicationSettings:
        settings = self.settings
        username, password = next(iter((settings.users or {}).items()), ("", ""))
        authority = "" if self._certificates is None else str(self.authority)
        where = (self.host, self.port, settings.tls, settings.lmtp)
        return ApplicationSettings(*where, username, password, authority)

    # --- TLS ----------------------------------------------------------------------------------

    @property
    def client_context(self) -> ssl.SSLContext:
        """A TLS context for clients that trusts this server.

        Raises:
            ValueError: the server has no TLS.
        """
        return self._with_tls().client_context()

    @property
    def authority(self) -> Path:
        """A file with the certificate to trust, in PEM; it exists until the server stops.

        Raises:
            ValueError: the server has no TLS.
        """
        self._with_tls()
        assert self._authority is not None
        return self._authority

    def _with_tls(self) -> Certificates:
        if self._certificates is None:
            raise ValueError(NO_TLS)
        return self._certificates

    def _breaks_handshake_off(self) -> bool:
        # A context decides: there is one for each kind of bad certificate.
        return False

    def _server_context(self) -> ssl.SSLContext:
        fault = self._tls_fault()
        if fault == "handshake":
            raise ConnectionAbortedError(BROKEN_OFF)
        return self._with_tls().server_context(fault)

    # --- messages -----------------------------------------------------------------------------

    def wait_for(self, count: int = 1, timeout: float = 5.0) -> list[ReceivedMessage]:
        """Wait for messages that the application sends in the background.

        Arguments:
            count: how many messages there have to be, in all.
            timeout: seconds to wait.

        Returns:
            All messages so far.

        Raises:
            TimeoutError: there are fewer; the error has the conversation.
        """
        try:
            return self._inbox.wait_for(count, timeout)
        except TimeoutError as error:
            said = self.conversation or "(no client has connected)"
            raise TimeoutError(f"{error}\n{said}") from None

    # --- the end ------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop at once: cut connections off, and end delays.  Messages can still be read."""
        self._over.set()
        self._server.stop(0)
        if self._authority is not None:
            self._authority.unlink(missing_ok=True)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self, seconds: float) -> None:
        self._over.wait(seconds)


@dataclass(frozen=True, slots=True)
class _FaultyListening(Listening):
    """Accepts connections, and puts the faults into their conversations."""

    replies: FaultyReplies

    def accept(self, listener: socket.socket) -> Arrival | None:
        # Without arguments, `super` fails in a class that `dataclass` made anew for the slots.
        arrival = Listening.accept(self, listener)
        if arrival is None:
            return None
        return arrival._replace(flow=self.replies.run(arrival.session, arrival.flow))
