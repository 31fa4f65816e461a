"""The two sides of ATRN once it was accepted: On-Demand Mail Relay, RFC 2645.

The customer connects, authenticates and says ATRN; then the roles change.  The provider, who was
the server, sends what waits for the customer, and the customer, who was the client, receives it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..addresses import AddressLiteral, Domain
from ..client import Client
from ..errors import LocalProtocolError
from ..extensions import Atrn
from .asking import ask, end, is_ready
from .beginning import begin
from .delivery import deliver
from .opening import Opening, TLSMode
from .outcome import Delivery, Outcome, Status
from .requests import Call, Draining, Flow, Report
from .steps import Steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..replies import Reply
    from ..server import Server
    from .handler import Hooks
    from .service import Service

__all__ = ["fetch_mail", "relay"]

T = TypeVar("T")


def relay(server: Server, hooks: Hooks) -> Flow[None]:
    """The provider's side: deliver what the handler has for the customer, and say goodbye.

    A server that is to stop finishes the message that is under way.

    Arguments:
        server: it answered ATRN and is to turn round.
        hooks: `waiting` gives the messages, `relayed` is told what became of them.
    """
    session = server.session
    client = server.turn(Client(limits=server.limits, observer=server.observer))
    # What goes on inside TLS stays there; there is no second handshake in the other direction.
    opening = Opening(name=_name(session.hostname), tls=TLSMode.NONE)
    undisturbed = _Undisturbed()
    try:
        yield from undisturbed.run(begin(client, opening))
        while is_ready(client) and not undisturbed.draining:
            message = yield Call(hooks.waiting or _nothing, (session,))
            if message is None:
                break
            envelope, content = message
            try:
                delivery = yield from undisturbed.run(deliver(client, envelope, content))
            except LocalProtocolError as error:
                failed = (
                    Outcome(path, Status.FAILED, None, str(error))
                    for path in envelope.forward_paths
                )
                delivery = Delivery(tuple(failed))
            if hooks.relayed is not None:
                yield Call(hooks.relayed, (session, delivery))
        yield from undisturbed.run(end(client))
    # The customer's, or a handler's: the session is over in any case.
    except Exception as error:  # noqa: BLE001
        yield Report(error)


def _name(hostname: str) -> Domain | AddressLiteral:
    return (AddressLiteral if hostname.startswith("[") else Domain).parse(hostname)


def _nothing(_: object) -> None:
    """A handler that has no messages."""


class _Undisturbed:
    """Runs conversations to their end though the server is to stop, and notes that it is."""

    def __init__(self) -> None:
        self.draining = False

    def run(self, flow: Flow[T]) -> Flow[T]:
        steps = Steps(flow)
        for request in steps:
            while True:
                try:
                    steps.result = yield request
                except Draining:
                    # The wait goes on.
                    self.draining = True
                    continue
                except BaseException as error:  # noqa: BLE001  it knows what was under way, not this
                    steps.error = error
                break
        return steps.returned


def fetch_mail(client: Client, service: Service, domains: Iterable[str]) -> Flow[Reply]:
    """The customer's side: ask for what waits for some domains, and receive it until the end.

    Arguments:
        client: a session that is authenticated, outside a mail transaction.
        service: takes the messages.
        domains: for which; none for all that the provider knows of.

    Returns:
        The reply to ATRN; a positive one came before everything that was received.

    Raises:
        LocalProtocolError: ATRN is not offered, or is not possible now.
        SMTPError, RemoteProtocolError: the session is over.
    """
    reply = yield from ask(client, Atrn(tuple(Domain.parse(domain) for domain in domains)))
    if reply.positive:
        yield from service.take_over(client)
    return reply
