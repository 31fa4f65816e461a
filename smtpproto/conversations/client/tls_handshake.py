"""The TLS handshake of a client, and the check of its policy (RFC 3207 section 4.1, RFC 8314)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...timeouts import HANDSHAKE_TIMEOUT
from ..errors import ConnectionLost, TLSError
from ..io_requests import BeginTLS, Call, Flow
from .certificate_errors import tls_error

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.session_facts import TLSFacts
    from .settings import ClientSettings

__all__ = ["handshake"]


def handshake(client: Client, settings: ClientSettings) -> Flow[None]:
    """Do the handshake, and check the policy.

    Raises:
        TLSError: the handshake failed, or the connection does not satisfy the policy.
        ConnectionLost: the link broke, or the time ran out.
        RemoteProtocolError: octets in plain text came before the handshake.
    """
    try:
        facts: TLSFacts = yield BeginTLS(HANDSHAKE_TIMEOUT)
    except TimeoutError as error:
        raise ConnectionLost(f"no TLS handshake within {HANDSHAKE_TIMEOUT:g} seconds") from error
    except ConnectionError as error:
        raise ConnectionLost(f"the link broke within the TLS handshake: {error}") from error
    except OSError as error:
        raise tls_error(error, settings.host) from error
    client.tls_established(facts)
    policy = settings.policy
    if policy is not None:
        problem = policy.names(facts)
        if problem is None and policy.check is not None:
            problem = yield Call(policy.check, (facts,))
        if problem:
            who = settings.host or "the server"
            raise TLSError(f"TLS with {who} does not satisfy the policy: {problem}")
