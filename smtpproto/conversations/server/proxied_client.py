"""A server behind a proxy: it reads the PROXY header before anything else.

It reads a header only from trusted networks, and always from these.  A server that guesses lets any
client choose its address (HAProxy's proxy-protocol.txt, section 5).  If the header is malformed or
missing, the server closes without a reply, because the protocol of the peer is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import RemoteProtocolError
from ...timeouts import PROXY_HEADER_TIMEOUT
from ...vocabulary.session_facts import TLSFacts, changed
from ...wire.proxy_header_parser import ProxyReader
from ..io_requests import Flow, Receive

if TYPE_CHECKING:
    from ...vocabulary.session_facts import Session
    from ...wire.proxy_header_value import ProxyHeader

__all__ = ["from_proxy", "read_header"]


def read_header(limit: int = 4096) -> Flow[ProxyHeader]:
    """Read one header, and no octet behind it.

    Arguments:
        limit: octets of TLVs to accept.

    Raises:
        RemoteProtocolError: the octets are no header, or the peer closed within it.
        OSError: the link broke, or the time ran out.
    """
    reader = ProxyReader(limit=limit)
    fresh = True
    while (header := reader.read()) is None:
        reader.feed((yield Receive(PROXY_HEADER_TIMEOUT, fresh, reader.wanted)))
        fresh = False
    if reader.trailing:
        raise RemoteProtocolError("PROXY header: more octets were read than were asked for")
    return header


def from_proxy(session: Session, header: ProxyHeader) -> Session:
    """Return the session of the client that a proxy names.

    The client's address replaces the proxy's.  If the client used TLS with the proxy, the channel
    counts as secure.
    """
    session = session.with_fact(header)
    if header.source is not None:
        session = changed(session, peer=header.source.address, peer_port=header.source.port)
    tls = header.ssl
    if tls is not None and tls.tls:
        facts = TLSFacts(tls.version or "", tls.cipher or "", header.authority)
        session = changed(session, secure=True, tls=facts)
    return session
