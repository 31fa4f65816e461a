"""What test servers over sockets and in memory share: settings, messages, faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..conversations import ServerTLS
from ..extensions import Auth, Dsn, Extension, SmtpUtf8, StartTls
from ..extensions.known import standard
from ..field_types import check_fields
from ..vocabulary.session_facts import Protocol
from .conversation_log import ConversationLog
from .faults import FaultRules, Faults, TLSFault
from .faulty_replies import FaultyReplies
from .inbox import Inbox, ReceivedMessage
from .sink_handler import Accounts, SinkHandler

if TYPE_CHECKING:
    from ..engine.connection import Observer
    from ..vocabulary.session_facts import Session
    from .faults import Fault

__all__ = ["NO_TLS", "MailSink", "SinkSettings"]

NO_TLS = "this server has no TLS: say tls='starttls' or tls='implicit'"


@dataclass(frozen=True, kw_only=True)
class SinkSettings:
    """The settings of a test server.

    Arguments:
        tls: "starttls": the server refuses mail before STARTTLS; "implicit": TLS comes first.  Both
            need trustme.  None: no TLS.
        users: passwords by user name; with users, the server refuses mail before AUTH.  Without
            `tls` it takes passwords in plain text.
        size: the largest message in octets; None for no limit.
        extensions: the service extensions it offers, without STARTTLS and AUTH.  None: those of
            `smtpproto.extensions.standard`, SMTPUTF8 and DSN.
        lmtp: whether it speaks LMTP (RFC 2033).
        hostname: what the server calls itself.
        host: the address to listen on.
        port: the port; 0 for any free one.
    """

    tls: Literal["starttls", "implicit"] | None = None
    users: Mapping[str, str] | None = field(default=None, repr=False)
    size: int | None = 50 * 1024 * 1024
    extensions: Iterable[Extension] | None = None
    lmtp: bool = False
    hostname: str = "localhost"
    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.tls not in (None, "starttls", "implicit"):
            raise ValueError(f"tls: expected 'starttls', 'implicit' or None, found {self.tls!r}")

    def offered(self) -> list[Extension]:
        """Return the extensions that the server offers."""
        if self.extensions is None:
            offered = [*standard(self.size), SmtpUtf8(), Dsn()]
        else:
            offered = list(self.extensions)
        if self.tls == "starttls":
            offered.append(StartTls(required=True))
        if self.users is not None:
            in_plain_text = () if self.tls else ("PLAIN", "LOGIN")
            offered.append(Auth(required=True, allow_plaintext=in_plain_text))
        return offered


class MailSink(Faults):
    """What test servers over sockets and in memory share: messages, faults, the conversation.

    Arguments:
        settings: of the server.
    """

    def __init__(self, settings: SinkSettings) -> None:
        rules = FaultRules()
        super().__init__(rules)
        self.settings = settings
        self._inbox = Inbox()
        self._log = ConversationLog()
        self._replies = FaultyReplies(self._breaks_handshake_off)
        self._handler = SinkHandler(rules, self._replies, self._inbox, self._log, self._wait)

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The messages so far, in a new list."""
        return self._inbox.messages

    def fail_tls(self, how: TLSFault = "handshake", *, times: int | None = None) -> Fault:
        """Let TLS fail, see `Faults.fail_tls`.

        Raises:
            ValueError: there is no such fault, or the server has no TLS.
        """
        if self.settings.tls is None:
            raise ValueError(NO_TLS)
        return super().fail_tls(how, times=times)

    def clear(self) -> None:
        """Forget the messages and the conversation; faults stay, see `forget_faults`."""
        self._inbox.clear()
        self._log.clear()

    @property
    def conversation(self) -> str:
        """What clients and server have said, as C: and S: lines; secrets are left out."""
        return str(self._log)

    def _wait(self, seconds: float) -> None:
        """Let the time of a delay pass."""

    def _tls_fault(self) -> TLSFault | None:
        """Return how the next handshake fails; None: it does not fail."""
        return self._rules.tls_fault()

    def _breaks_handshake_off(self) -> bool:
        return self._tls_fault() is not None

    def _observe(self, session: Session) -> Observer:
        return self._replies.observed(session, self._log.observe(session))

    def _service_settings(self) -> dict[str, Any]:
        """Return the fields of `ServerSettings`."""
        settings = self.settings
        users = settings.users
        return {
            "hostname": settings.hostname,
            "tls": ServerTLS[(settings.tls or "none").upper()],
            "extensions": settings.offered(),
            "users": None if users is None else Accounts(users, self._handler.auth),
            "protocol": Protocol.LMTP if settings.lmtp else Protocol.SMTP,
            "observer": self._observe,
            # No Received field, so `content` stays what the client sent.
            "received": False,
        }
