"""What a client calls itself: RFC 5321 sections 4.1.1.1 and 4.1.4."""

from __future__ import annotations

from ..addresses import AddressLiteral, Domain
from ..errors import LocalProtocolError

__all__ = ["client_name"]


def client_name(given: str | None, host: str, address: str | None) -> Domain | AddressLiteral:
    """The argument for EHLO.

    Arguments:
        given: what the user wants, a domain or an address literal in brackets; None: choose.
        host: the host's own name; used if it has a domain.
        address: the IP address of this end of the connection; None on a Unix socket.

    Raises:
        LocalProtocolError: `given` is neither a domain nor an address literal.
    """
    if given is not None:
        return AddressLiteral.parse(given) if given.startswith("[") else Domain.parse(given)
    if "." in host:
        try:
            return Domain.parse(host)
        except LocalProtocolError:
            pass
    if address is None:
        return Domain.parse("localhost")
    address = address.partition("%")[0]
    return AddressLiteral.parse(f"[IPv6:{address}]" if ":" in address else f"[{address}]")
