r"""The throw-away mail server in memory: no thread runs and no time passes.

>>> from smtpproto.sync import Envelope
>>> from smtpproto.testing import connect
>>> server = MemorySink()
>>> fault = server.reject("rcpt", "bob@*", 550, "5.1.1", "no such mailbox")
>>> with connect(server.link()) as client:
...     delivery = client.send(Envelope.of("a@client.example", "bob@mx.example"), b"hi\r\n")
>>> print(delivery.outcomes[0].reply)
550 5.1.1 no such mailbox
"""

from __future__ import annotations

import itertools

from ..adapters.settings_as_parameters import fields_as_parameters
from ..conversations import ServerSettings, SessionFactory
from ..vocabulary.session_facts import Session
from .link import Link
from .mail_sink import MailSink, SinkSettings
from .socket_double import LinkSocket

__all__ = ["MemorySink"]


class MemorySink(MailSink):
    """A test server in memory; it has the methods of `Faults`, too.

    Raises:
        TypeError: there is no such setting.
        ValueError: a setting has a wrong value.
    """

    @fields_as_parameters(SinkSettings)
    def __init__(self, settings: SinkSettings) -> None:
        super().__init__(settings)
        nonces = itertools.count(1)
        self._factory = SessionFactory(
            self._handler,
            ServerSettings(nonce=lambda: f"nonce{next(nonces)}", **self._service_settings()),
        )

    def link(self) -> Link:
        """Return a link to the server with a new session, for `connect`."""
        session = Session(peer="192.0.2.1")
        flow = self._factory.open(session)
        assert flow is not None, "more sessions at once than a server admits"
        return Link(self._replies.run(session, flow))

    def socket(self) -> LinkSocket:
        """Return what replaces a connected socket, for code with its own I/O; it has no TLS."""
        return LinkSocket(self.link())
