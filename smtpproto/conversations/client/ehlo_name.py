"""The name that a client gives in EHLO: RFC 5321 sections 4.1.1.1 and 4.1.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import LocalProtocolError
from ...vocabulary.addresses import AddressLiteral, Domain

if TYPE_CHECKING:
    from .plan import ToASCII

__all__ = ["client_name"]


def client_name(
    given: str | None, host: str, address: str | None, to_ascii: ToASCII | None = None
) -> Domain | AddressLiteral:
    """Return the argument for EHLO.

    Arguments:
        given: the user's choice, a domain or an address literal in brackets; None: choose one.
        host: the host's own name; used if it has a domain.
        address: the IP address of this end of the connection; None on a Unix socket.
        to_ascii: converts U-labels to A-labels; None: `given` must be ASCII.

    Raises:
        TypeError: `given` is no text.
        LocalProtocolError: `given` is neither a domain nor an address literal with a tag that is
            registered, or has no form in ASCII.
    """
    if given is not None:
        return _given(given, to_ascii)
    if "." in host:
        try:
            return Domain.parse(host)
        except LocalProtocolError:
            pass
    return AddressLiteral.of(address) if address is not None else Domain("localhost")


def _given(name: str, to_ascii: ToASCII | None) -> Domain | AddressLiteral:
    if not name.isascii():
        # Before EHLO a client does not know yet whether the server offers SMTPUTF8.
        if to_ascii is None or name.startswith("["):
            raise LocalProtocolError(
                f"name: expected ASCII, found {name[:64]!a}: a domain has A-labels here (xn--...), "
                "which `to_ascii` makes (RFC 6531 section 3.7.1)"
            )
        return to_ascii(Domain(name))
    try:
        literal = AddressLiteral.parse(name) if name.startswith("[") else Domain.parse(name)
    except LocalProtocolError as error:
        raise LocalProtocolError(f"name: {error}") from None
    if isinstance(literal, Domain):
        return literal
    if literal.address is None:
        raise LocalProtocolError(
            f"name: expected [192.0.2.1] or [IPv6:2001:db8::1], found {name[:64]!a}: no other tag "
            "is registered (RFC 5321 section 4.1.3)"
        )
    return literal
