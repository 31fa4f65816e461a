"""Ways to deliver messages: to one server, or to the mail exchangers of each domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import sync
from ..conversations import Delivery, Envelope, Outcome, SMTPError, Status
from ..conversations.client.base import ClientBase
from ..errors import LocalProtocolError, RemoteProtocolError
from ..vocabulary.addresses import AddressLiteral
from .common import CannotRun, both, reason

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from ..adapters.async_client import AsyncClient
    from ..adapters.connecting import ConnectionSettings
    from ..engine.connection import Observer
    from ..vocabulary.commands import Rcpt

    # `connect_with` of an adapter that can await.
    Connect = Callable[[ConnectionSettings], Coroutine[Any, Any, AsyncClient]]

__all__ = ["Content", "Deliver", "Direct", "ToOne"]


class Content(NamedTuple):
    """The content of a message.

    Arguments:
        header: returns it for the server of a client.
        body: the same for all servers.
    """

    header: Callable[[ClientBase], Iterable[bytes]]
    body: Iterable[bytes]

    def made_for(self, client: ClientBase) -> Iterator[bytes]:
        """Return the content for the server of a client."""
        yield from self.header(client)
        yield from self.body


Deliver = Callable[[Envelope, Content], Delivery]
"""Delivers a message.

Raises:
    OSError, SMTPError, RemoteProtocolError: there is no session.
    LocalProtocolError: the message cannot be sent to this server.
"""


class ToOne:
    """Delivers to one server, as far as possible in one session.

    Arguments:
        options: those of `send`.
        settings: of the sessions.
        observer: told what is said, in addition to that of the settings.
    """

    def __init__(
        self, options: argparse.Namespace, settings: ConnectionSettings, observer: Observer
    ) -> None:
        self._io = options.io
        self._settings = replace(settings, observer=both(settings.observer, observer))
        self._client: sync.Client | None = None

    def __call__(self, envelope: Envelope, content: Content) -> Delivery:
        async def awaiting(connect: Connect) -> Delivery:
            async with await connect(self._settings) as client:
                return await client.send(envelope, content.made_for(client))

        if self._io == "trio":
            from .send_trio import send_over_trio

            return send_over_trio(awaiting)
        if self._io == "asyncio":
            import asyncio

            from ..asyncio import connect_with

            return asyncio.run(awaiting(connect_with))
        if self._client is None or not self._client.ready:
            self._client = sync.connect_with(self._settings)
        return self._client.send(envelope, content.made_for(self._client))

    def __enter__(self) -> Deliver:
        return self

    def __exit__(self, *error: object) -> None:
        if self._client is not None:
            self._client.__exit__(*error)


class Direct:
    """Delivers to the mail exchangers of each recipient's domain (RFC 5321 section 5.1).

    Arguments: see `ToOne`.

    Raises:
        CannotRun: the system has no name server.
    """

    def __init__(
        self, options: argparse.Namespace, settings: ConnectionSettings, observer: Observer
    ) -> None:
        import dns.exception

        from .mail_exchangers import resolver

        self._options = options
        self._settings = settings
        self._observer = observer
        try:
            self._resolver = resolver(options.name_server)
        except dns.exception.DNSException as error:
            raise CannotRun(f"--mx: {error}") from None

    def __call__(self, envelope: Envelope, content: Content) -> Delivery:
        domains = _by_domain(envelope.recipients)
        # What was read from standard input cannot be read again.
        again = content._replace(body=list(content.body))
        outcomes: dict[int, Outcome] = {}
        for domain, indexes in domains.items():
            part = replace(envelope, recipients=tuple(envelope.recipients[i] for i in indexes))
            outcomes.update(zip(indexes, self._deliver(domain, part, again), strict=True))
        return Delivery(tuple(outcomes[index] for index in sorted(outcomes)))

    def _deliver(self, domain: str, envelope: Envelope, content: Content) -> tuple[Outcome, ...]:
        """Deliver to the recipients of one domain, at the first host that can be reached."""
        from .mail_exchangers import NoMailExchanger, mail_exchangers

        try:
            hosts = (
                [domain[1:-1].removeprefix("IPv6:")]
                if domain.startswith("[")
                else mail_exchangers(domain, self._resolver)
            )
        except NoMailExchanger as error:
            return _failed(envelope, str(error))
        why = ""
        for host in hosts:
            settings = replace(self._settings, host=host)
            try:
                with ToOne(self._options, settings, self._observer) as deliver:
                    return deliver(envelope, content).outcomes
            except (OSError, SMTPError, RemoteProtocolError) as error:
                why = reason(error, host)
            except LocalProtocolError as error:
                # Other servers may have accepted the message already, or still accept it.
                return _failed(envelope, reason(error))
        return _failed(envelope, why)

    def __enter__(self) -> Deliver:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _by_domain(recipients: tuple[Rcpt, ...]) -> dict[str, list[int]]:
    """Return the indexes of the recipients in each domain.

    Raises:
        CannotRun: a recipient has no domain.
    """
    found: dict[str, list[int]] = {}
    for index, rcpt in enumerate(recipients):
        mailbox = rcpt.forward_path.mailbox
        if mailbox is None:
            raise CannotRun("--mx: the recipient postmaster has no domain")
        domain = mailbox.domain
        name = str(domain) if isinstance(domain, AddressLiteral) else str(domain).lower()
        found.setdefault(name, []).append(index)
    return found


def _failed(envelope: Envelope, why: str) -> tuple[Outcome, ...]:
    return tuple(Outcome(path, Status.FAILED, None, why) for path in envelope.forward_paths)
