"""Converting domains to and from A-labels, for servers without SMTPUTF8: RFC 6531 section 3.2.

This needs the optional package `idna` (`pip install idna`), because the core has
no Unicode tables.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

try:
    import idna
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "smtpproto.idn needs the package idna: python3 -m pip install idna", name="idna"
    ) from error

from .errors import LocalProtocolError
from .vocabulary.addresses import Domain
from .vocabulary.paths import Path

__all__ = ["ascii_alternative", "to_ascii", "to_unicode"]

P = TypeVar("P", bound=Path)


def to_ascii(domain: Domain | str) -> Domain:
    """Return the domain with A-labels in place of U-labels (RFC 5890 section 2.3.2.1).

    It first maps letter case and compatibility forms, which people type (RFC 5895).

    Arguments:
        domain: a domain, or its text without a dot at the end.

    Raises:
        LocalProtocolError: it is not a domain, or IDNA 2008 has no A-label for it.
    """
    name = str(domain)
    if name.isascii():
        return Domain(name)
    try:
        return Domain(idna.encode(name, uts46=True).decode("ascii"))
    except UnicodeError as error:
        raise _no_domain(name, error) from error


def to_unicode(domain: Domain) -> Domain:
    """Return the domain with U-labels in place of A-labels, for people.

    Raises:
        LocalProtocolError: a label begins with `xn--` but is not an A-label.
    """
    try:
        return Domain(idna.decode(domain.name))
    except UnicodeError as error:
        raise _no_domain(domain.name, error) from error


def ascii_alternative(path: P) -> P | None:
    """Return the same path in ASCII, to be sent without SMTPUTF8; None if there is none.

    A domain has an ASCII form.  A local-part has none: only its host knows its meaning.

    Raises:
        LocalProtocolError: IDNA 2008 has no A-label for the domain.
    """
    mailbox = path.mailbox
    if mailbox is None or path.ascii:
        return path
    if not mailbox.local_part.isascii():
        return None
    assert isinstance(mailbox.domain, Domain)
    return type(path)(replace(mailbox, domain=to_ascii(mailbox.domain)))


def _no_domain(name: str, error: UnicodeError) -> LocalProtocolError:
    return LocalProtocolError(
        f"{name[:64]!a} has no other form under IDNA 2008: {ascii(str(error))[1:200]} "
        "(RFC 5890 section 2.3.2.1)"
    )
