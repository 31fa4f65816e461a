"""Delivery to the hosts that take mail for a domain: RFC 5321 section 5.1, RFC 7505.

It needs dnspython, so this module is imported only if it is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import dns.exception
import dns.resolver

from ..conversations import Delivery, Envelope, Outcome, SMTPError, Status
from ..errors import LocalProtocolError, RemoteProtocolError
from ..vocabulary.addresses import AddressLiteral
from .common import CannotRun, reason
from .sending import Job

if TYPE_CHECKING:
    from collections.abc import Generator

    from dns.resolver import Resolver

    from ..adapters.connecting import ConnectionSettings
    from ..vocabulary.commands import Rcpt
    from .sending import Content, Deliver


def direct(settings: ConnectionSettings, server: tuple[str, int | None] | None) -> Deliver:
    """Return what delivers to the mail exchangers of each recipient's domain.

    Raises:
        CannotRun: see `resolver`.
    """
    asked = resolver(server)

    def deliver(envelope: Envelope, content: Content) -> Generator[Job, None, Delivery]:
        domains = _by_domain(envelope.recipients)
        # What was read from standard input cannot be read again.
        again = content._replace(body=list(content.body))
        outcomes: dict[int, Outcome] = {}
        for domain, indexes in domains.items():
            part = replace(envelope, recipients=tuple(envelope.recipients[i] for i in indexes))
            try:
                hosts = mail_exchangers(domain, asked)
            except NoMailExchanger as error:
                found = _failed(part, str(error))
            else:
                found = yield from _to_first(hosts, settings, part, again)
            outcomes.update(zip(indexes, found, strict=True))
        return Delivery(tuple(outcomes[index] for index in sorted(outcomes)))

    return deliver


def _to_first(
    hosts: list[str], settings: ConnectionSettings, envelope: Envelope, content: Content
) -> Generator[Job, None, tuple[Outcome, ...]]:
    """Deliver to the first host that can be reached."""
    why = ""
    for host in hosts:
        job = Job(replace(settings, host=host), envelope, content)
        yield job
        try:
            return job.delivery().outcomes
        except (OSError, SMTPError, RemoteProtocolError) as error:
            why = reason(error, host)
        except LocalProtocolError as error:
            # Other servers may have accepted the message already, or still accept it.
            return _failed(envelope, reason(error))
    return _failed(envelope, why)


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


# --- the DNS --------------------------------------------------------------------------------------


class NoMailExchanger(Exception):
    """A domain has no host that takes its mail, or the DNS does not tell."""


def resolver(server: tuple[str, int | None] | None) -> Resolver:
    """Return a resolver that asks one name server; None: that of the system.

    Raises:
        CannotRun: the system has no name server, or this one is no IP address.
    """
    if server is None:
        try:
            return dns.resolver.Resolver()
        except dns.exception.DNSException as error:
            raise CannotRun(f"--mx: {error}") from None
    asked = dns.resolver.Resolver(configure=False)
    host, port = server
    try:
        asked.nameservers = [host]
    except ValueError:
        raise CannotRun(f"--name-server {host}: expected an IP address") from None
    asked.port = port or 53
    return asked


def mail_exchangers(domain: str, asked: Resolver) -> list[str]:
    """Return the hosts to try, in their order; an address literal is its own host.

    Raises:
        NoMailExchanger: see there.
    """
    if domain.startswith("["):
        return [domain[1:-1].removeprefix("IPv6:")]
    try:
        name = domain
        if not domain.isascii():
            from .. import idn

            name = str(idn.to_ascii(domain))
        found = asked.resolve(name, "MX")
    except dns.resolver.NXDOMAIN:
        raise NoMailExchanger(f"there is no domain {domain} in the DNS") from None
    except dns.resolver.NoAnswer:
        # Without MX the domain itself is the host (RFC 5321 section 5.1).
        return [domain]
    except (dns.exception.DNSException, LocalProtocolError, OSError) as error:
        raise NoMailExchanger(f"the DNS does not tell the hosts of {domain}: {error}") from None
    records = sorted((record.preference, str(record.exchange)) for record in found)
    hosts = [host.rstrip(".") for _, host in records]
    if hosts == [""]:
        raise NoMailExchanger(f"{domain} accepts no mail: its MX is null (RFC 7505)")
    return [host for host in hosts if host]
