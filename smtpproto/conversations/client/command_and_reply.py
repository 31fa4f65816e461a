"""The parts of every client conversation: send a command, read a reply, end the session.

RFC 5321 sections 4.2 and 4.1.1.10; time limits are those of section 4.5.3.2.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ...errors import LocalProtocolError, RemoteProtocolError
from ...timeouts import QUIT_TIMEOUT
from ...vocabulary.command_base import Command
from ...vocabulary.commands import Quit
from ...vocabulary.events import ConnectionClosed, Need
from ...vocabulary.replies import Reply
from ...vocabulary.states import State
from ..errors import ConnectionLost
from ..io_requests import Flow, Receive, Send

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.events import ClientEvent

__all__ = ["NotWritten", "ask", "end", "flush", "is_ready", "next_reply"]


# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_NEEDS_DATA = Need.DATA


class NotWritten(ConnectionLost):
    """The server closed the connection before everything was written."""


def next_reply(
    client: Client, most: float = inf, *, event: ClientEvent | Need | None = None
) -> Flow[Reply]:
    """Return the next reply; write and read as needed.

    Arguments:
        client: a connection that has sent something.
        most: the most seconds to wait, if RFC 5321 section 4.5.3.2 allows more.
        event: what `client.next_event` has returned, if the caller expects many replies, which
            arrive together, and calls it itself.

    Raises:
        ConnectionLost: the link broke, the server closed it, or the time ran out.
        RemoteProtocolError: the server broke the protocol.
    """
    if event is None:
        event = client.next_event()
    fresh = written = True
    while not isinstance(event, Reply):
        if event is not _NEEDS_DATA:
            raise _no_reply(event, written=written)
        timeout = min(client.timeout, most)
        try:
            written = not client.queued or (yield from flush(client, timeout))
            if written:
                client.receive_data((yield Receive(timeout, fresh)))
                fresh = False
        except TimeoutError as error:
            # The adapter's own time limit may be shorter; its error says so.
            raise ConnectionLost(
                f"no reply: {str(error) or f'none within {timeout:g} seconds'}"
            ) from error
        except OSError as error:
            raise ConnectionLost(f"the link broke: {error}") from error
        event = client.next_event()
    return event


def _no_reply(event: ConnectionClosed | Need, *, written: bool) -> Exception:
    if isinstance(event, Need):
        return LocalProtocolError(f"no reply is due: {event.value}")
    if not written:
        return NotWritten("the server closed the connection before it read everything")
    return ConnectionLost("the server closed the connection without a reply")


def flush(client: Client, timeout: float) -> Flow[bool]:
    """Write the queued octets; return False if the server sent something before all were written.

    After False, read what it sent and call this again, so that neither side waits for the other to
    read (RFC 2920 section 3.1).  A server that closes early may have sent its reason.  So an error
    of the link is ignored here if there is still something to read.

    Arguments:
        client: a connection.
        timeout: seconds for which the server may accept no octets.
    """
    try:
        received = yield Send(client.data_to_send(), timeout, reads=True)
    except TimeoutError:
        raise
    except OSError:
        received = yield Receive(timeout, True)
        if not received:
            raise
    if received is None:
        return True
    client.receive_data(received)
    return False


def ask(client: Client, command: Command) -> Flow[Reply]:
    """Send one command and return its reply, positive or negative.

    Raises:
        LocalProtocolError: the command is not possible now; nothing was sent.
        ConnectionLost, RemoteProtocolError: see `next_reply`.
    """
    client.send(command)
    return (yield from next_reply(client))


def end(client: Client) -> Flow[None]:
    """Say QUIT and wait for the reply, if the connection is still usable (section 4.1.1.10).

    It waits for `QUIT_TIMEOUT` at most.
    """
    try:
        client.send(Quit())
        yield from next_reply(client, QUIT_TIMEOUT)
    except (LocalProtocolError, RemoteProtocolError, ConnectionLost):
        # The session is over in any case, and an error changes nothing.
        return


def is_ready(client: Client) -> bool:
    """Return whether a new command may be sent: no reply is due and the session is intact."""
    return client.state in (State.GREETED, State.READY) and client.pending == 0
