"""Passing messages on to another server: `serve --forward HOST:PORT`."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from .. import sync
from ..conversations import Envelope, SMTPError, Status
from ..errors import LocalProtocolError, RemoteProtocolError
from ..vocabulary.replies import Reply, sendable
from .common import outcome_line, reason
from .sinks import NotTaken
from .terminal import complain

if TYPE_CHECKING:
    from ..vocabulary.session_facts import Session

CANNOT_BE_REACHED = Reply(451, "4.4.1", "the next server cannot be reached")
CANNOT_TAKE = Reply(554, "5.6.3", "the next server cannot take this")
NO_ANSWER = Reply(451, "4.4.2", "the next server did not answer")
# Octets of a message that are kept in memory.
IN_MEMORY = 1024 * 1024


class Forwarding(AbstractContextManager["Forwarding"]):
    """A sink that delivers to another server, without parameters, and answers as that one does."""

    def __init__(self, server: tuple[str, int], session: Session, envelope: Envelope) -> None:
        self._server = server
        self._envelope = Envelope.of(envelope.reverse_path, envelope.forward_paths)
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed in __exit__

    def write(self, chunk: bytes) -> None:
        """Keep octets until the message is complete."""
        self._file.write(chunk)

    def commit(self) -> None:
        """Deliver the message.

        Raises:
            NotTaken: no recipient was accepted.
        """
        self._file.seek(0)
        host, port = self._server
        try:
            with sync.connect(host, port) as client:
                delivery = client.send(self._envelope, self._file)
        except (OSError, SMTPError, RemoteProtocolError, LocalProtocolError) as error:
            complain(f"not forwarded: {reason(error, f'{host} port {port}')}", "bad")
            here = isinstance(error, LocalProtocolError)
            raise NotTaken(CANNOT_TAKE if here else CANNOT_BE_REACHED) from None
        others = [each for each in delivery.outcomes if each.status is not Status.ACCEPTED]
        for outcome in others:
            complain(f"not forwarded: {outcome_line(outcome)}", "bad")
        if others and len(others) == len(delivery.outcomes):
            reply = next((each.reply for each in others if each.reply is not None), None)
            raise NotTaken(NO_ANSWER if reply is None else sendable(reply))

    def __exit__(self, *_: object) -> None:
        self._file.close()
