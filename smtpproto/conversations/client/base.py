"""The base class of all adapters' clients: the engine, its conversations, when it is usable."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import LocalProtocolError
from ...extensions import ServerLimits
from ...vocabulary.command_base import Command
from ...vocabulary.commands import Expn, Help, Noop, Rset, Vrfy
from ...vocabulary.states import State
from ..envelope import Envelope
from ..io_requests import Call
from .command_and_reply import ask, end, is_ready
from .delivery import deliver

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message

    from ...engine.client import Client
    from ...vocabulary.replies import Reply
    from ...vocabulary.session_facts import Offered, Session
    from ..io_requests import Flow
    from .content_source import Content
    from .outcome import Delivery
    from .settings import ClientSettings

__all__ = ["ClientBase"]

# Also within content: only the end of the connection keeps the server from delivering it.
_NO_WAY_BACK = (State.CONTENT, State.CHUNKS, State.CLOSED, State.ERROR)


class _Conversation(AbstractContextManager[None]):
    """A running conversation; at its end it decides whether the client is closed."""

    __slots__ = ("_client", "_engine")

    def __init__(self, client: ClientBase, engine: Client) -> None:
        self._client = client
        self._engine = engine

    def __enter__(self) -> None:
        if self._client.closed:
            raise LocalProtocolError("this client is closed: connect again")
        if self._client.busy:
            raise LocalProtocolError("this client is in use: it does one thing at a time")
        self._client.busy = True

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        client, engine = self._client, self._engine
        client.busy = False
        if error is None:
            client.closed |= engine.pending > 0 or engine.state in _NO_WAY_BACK
        else:
            # After an interruption the state of the session is unknown.
            client.closed |= not isinstance(error, Exception) or not is_ready(engine)


class ClientBase:
    """A session with a server, one conversation at a time.

    If an error leaves the state of the session unknown, the client closes it.  Then every method
    raises `LocalProtocolError`.

    Attributes:
        closed: whether the client is closed.
        busy: whether a conversation is running.
        deliveries: how many messages the client was asked to deliver so far.
        chunking, to_ascii: see `ClientSettings`.
    """

    def __init__(self, engine: Client, link: Any, settings: ClientSettings) -> None:
        self.closed = self.busy = False
        self.deliveries = 0
        self.chunking = settings.chunking
        self.to_ascii = settings.to_ascii
        self._engine = engine
        self._link = link

    @property
    def session(self) -> Session:
        """The facts of the session."""
        return self._engine.session

    @property
    def offered(self) -> Offered:
        """The service extensions that the server offers."""
        return self._engine.offered

    @property
    def ready(self) -> bool:
        """Whether a mail transaction can begin at once."""
        return not self.closed and not self.busy and is_ready(self._engine)

    @property
    def most_deliveries(self) -> int | None:
        """How many mail transactions the server accepts in one session, if known (RFC 9422)."""
        limits = self.offered.get(ServerLimits)
        return limits.mailmax if limits is not None else None

    def _conversation(self) -> _Conversation:
        """Guard one conversation; the adapter reads `closed` after it.

        Raises:
            LocalProtocolError: the client is closed, or another conversation is running.
        """
        return _Conversation(self, self._engine)

    def _delivery(self, envelope: Envelope, content: Content) -> Flow[Delivery]:
        """Deliver content to the recipients of an envelope; see `delivery.deliver`.

        It closes an asynchronous generator, which does not close itself.
        """
        if not isinstance(envelope, Envelope):
            raise TypeError(
                f"expected an Envelope, found {envelope!r}: Envelope.of takes addresses"
            )
        if hasattr(content, "get_payload"):
            # A message of the email package, which most programs that get here have not loaded.
            raise TypeError(
                f"content: expected bytes, a binary file or an iterable of bytes, found an "
                f"{type(content).__name__}: `send_message` takes it"
            )
        self.deliveries += 1
        flow = deliver(
            self._engine, envelope, content, chunking=self.chunking, to_ascii=self.to_ascii
        )
        return _and_close(flow, content) if isinstance(content, AsyncGenerator) else flow

    def _message(
        self, message: Message, sender: str | None, recipients: Iterable[str] | None
    ) -> Flow[Delivery]:
        """Deliver a message, as `send_message` of the adapters says."""
        # Loaded here: a client that sends octets does not need the email package.
        from .message import content_of, envelope_of  # noqa: PLC0415

        envelope = envelope_of(message, sender, recipients)
        content = content_of(message, self.offered, self.to_ascii)
        return (yield from self._delivery(envelope, content))

    def _answer(self, command: Command) -> Flow[Reply]:
        """Send a command and get its reply."""
        return ask(self._engine, command)

    def _goodbye(self) -> Flow[None]:
        """Say QUIT if the session allows it."""
        return end(self._engine)

    def _verify(self, string: str) -> Flow[Reply]:
        return self._answer(Vrfy(string))

    def _expand(self, string: str) -> Flow[Reply]:
        return self._answer(Expn(string))

    def _noop(self) -> Flow[Reply]:
        return self._answer(Noop())

    def _reset(self) -> Flow[Reply]:
        return self._answer(Rset())

    def _help(self, string: str) -> Flow[Reply]:
        return self._answer(Help(string))


def _and_close(flow: Flow[Delivery], content: AsyncGenerator[bytes, None]) -> Flow[Delivery]:
    """Deliver content, and close the generator that it comes from."""
    try:
        delivery = yield from flow
    except BaseException:
        yield Call(content.aclose)
        raise
    try:
        yield Call(content.aclose)
    except Exception as error:  # noqa: BLE001  # an error here does not change the outcomes
        return replace(delivery, error=delivery.error or error)
    return delivery
