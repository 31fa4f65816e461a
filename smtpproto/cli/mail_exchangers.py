"""The hosts that take mail for a domain: RFC 5321 section 5.1 and RFC 7505; needs dnspython."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError

if TYPE_CHECKING:
    from dns.resolver import Resolver

__all__ = ["NoMailExchanger", "mail_exchangers", "resolver"]


class NoMailExchanger(Exception):
    """A domain has no host that takes its mail, or the DNS does not tell."""


def resolver(server: tuple[str, int | None] | None) -> Resolver:
    """Return a resolver.

    Arguments:
        server: the name server to ask; None for that of the system.
    """
    import dns.resolver

    if server is None:
        return dns.resolver.Resolver()
    asked = dns.resolver.Resolver(configure=False)
    host, port = server
    asked.nameservers = [host]
    asked.port = port or 53
    return asked


def mail_exchangers(domain: str, asked: Resolver) -> list[str]:
    """Return the hosts to try, in their order.

    Arguments:
        domain: the domain of a mailbox.
        asked: see `resolver`.

    Raises:
        NoMailExchanger: see there.
    """
    import dns.exception
    import dns.resolver

    try:
        name = _in_ascii(domain)
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


def _in_ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    from .. import idn

    return str(idn.to_ascii(domain))
