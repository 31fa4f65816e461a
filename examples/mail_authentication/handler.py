"""A handler that checks each message as it arrives, and refuses what its author's domain refuses.

The blocking server calls handlers in threads, so a slow name server holds up no other session.
With trio, `await trio.to_thread.run_sync(handler.message, session, envelope, content)` does the
same.
"""

from __future__ import annotations

from collections.abc import Callable

from examples.names import Resolver
from smtpproto import Reply, Session
from smtpproto.sync import Envelope

from .checks import check, with_results

Deliver = Callable[[str, Envelope, bytes], None]
"""Gets "none" or "quarantine", the envelope, and the content with its results."""


class Authenticating:
    """Checks SPF, DKIM and DMARC.

    Arguments:
        authserv_id: our name in Authentication-Results, such as the server's domain.
        resolver: the resolver to ask.
        deliver: stores a message.
    """

    def __init__(self, authserv_id: str, resolver: Resolver, deliver: Deliver) -> None:
        self.authserv_id = authserv_id
        self.resolver = resolver
        self.deliver = deliver

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply | None:
        findings = check(self.resolver, session, envelope.reverse_path, content)
        if findings.refusal is not None:
            return findings.refusal
        content = with_results(content, self.authserv_id, findings)
        self.deliver(findings.disposition, envelope, content)
        return None
