"""AUTH: authentication of the client, RFC 4954.

A 334 reply leads from READY to `State.EXCHANGE`, where both sides send lines of base64 instead of
commands and replies; the final reply leads back.  `smtpproto.sasl` interprets the octets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import NoneType

from ..errors import LocalProtocolError
from ..field_types import check_type, refuse_text
from ..grammar.encodings import decode_base64, decode_xtext, encode_base64, encode_xtext
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.addresses import Mailbox
from ..vocabulary.command_base import Command, DialogueCommand, Grammar
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from ..vocabulary.states import State, Transition
from .extension import Extension

__all__ = ["Auth", "AuthCommand", "AuthParameter"]

# sasl-mech = 1*20mech-char; mech-char = %x41-5A / DIGIT / "-" / "_" (RFC 4422 section 3.1)
_MECHANISM = lazy_pattern(r"[A-Z0-9_-]{1,20}")
# Section 6: the commands allowed before AUTH.  LHLO is the EHLO of LMTP; STARTTLS has to come
# first.
_BEFORE = frozenset({"EHLO", "HELO", "LHLO", "AUTH", "STARTTLS", "NOOP", "RSET", "QUIT"})
_FIRST = Reply(530, "5.7.0", "Authentication required (RFC 4954 section 6)")
_TWICE = Reply(503, "5.5.1", "AUTH succeeded already, and is possible once (RFC 4954 section 4)")
_IN_PLAIN_TEXT = Reply(
    538, "5.7.11", "Encryption required for this authentication mechanism (RFC 4954 section 6)"
)
_UNKNOWN = Reply(504, "5.5.4", "the authentication mechanism is not offered (RFC 4954 section 4)")


@dataclass(frozen=True, slots=True)
class AuthCommand(DialogueCommand):
    """AUTH: authenticate the client (section 4).

    Arguments:
        mechanism: the name of a SASL mechanism, in upper case.
        initial: the initial response, not in base64; empty differs from None.  It is a secret and
            never shown.

    Raises:
        LocalProtocolError: the name of the mechanism is malformed.
    """

    verb = "AUTH"
    accepted = (235, "2.7.0", "Authentication successful")
    mechanism: str
    initial: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_type("mechanism", self.mechanism, str)
        check_type("initial", self.initial, bytes, NoneType)
        # The text may be a password, so no error repeats it.
        if _MECHANISM.fullmatch(self.mechanism) is None:
            raise LocalProtocolError(
                "AUTH: expected the name of a SASL mechanism, 1 to 20 of A-Z, 0-9, '-' and '_', "
                "found another text (RFC 4422 section 3.1)"
            )

    def arguments(self) -> str:
        if self.initial is None:
            return self.mechanism
        # "=" is an initial response of no octets (section 4).
        return f"{self.mechanism} {encode_base64(self.initial) or '='}"

    def __str__(self) -> str:
        """The command without the initial response."""
        return f"AUTH {self.mechanism}" + ("" if self.initial is None else " (response)")

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> AuthCommand:
        mechanism, space, response = arguments.partition(" ")
        # `upper` maps some other characters to ASCII, such as the dotless i.
        name = mechanism.upper() if mechanism.isascii() else mechanism
        if not space:
            return cls(name)
        return cls(name, b"" if response == "=" else _decoded(response))

    def parse_response(self, line: bytes) -> bytes:
        """Decode a response; a single "*" cancels the exchange (section 4)."""
        if line == b"*":
            raise LocalProtocolError(
                "the client cancelled the exchange (RFC 4954 section 4)", enhanced="5.7.0"
            )
        return decode_base64(line)

    def format_response(self, octets: bytes | None) -> bytes:
        """Encode a response in base64; None gives "*", which cancels (section 4)."""
        return b"*" if octets is None else encode_base64(octets).encode("ascii")


def _decoded(response: str) -> bytes:
    if not response:
        raise LocalProtocolError(
            "AUTH: expected an initial response after the space; an empty one is written '=' "
            "(RFC 4954 section 4)",
            enhanced="5.5.2",
        )
    return decode_base64(response)


@dataclass(frozen=True, slots=True)
class AuthParameter(Parameter):
    """The submitter of the message, if the sender knows and trusts it (section 5).

    Arguments:
        mailbox: the submitter; None, written `AUTH=<>`, if it is unknown or not trusted.

    Raises:
        TypeError: it is neither.
    """

    keyword = "AUTH"
    mailbox: Mailbox | None

    def __post_init__(self) -> None:
        check_type("mailbox", self.mailbox, Mailbox, NoneType)

    def value(self) -> str:
        return "<>" if self.mailbox is None else encode_xtext(str(self.mailbox))

    @classmethod
    def parse(cls, value: str | None) -> AuthParameter:
        if value is None:
            raise LocalProtocolError(
                "AUTH: expected a mailbox or <> after '=' (RFC 4954 section 5)"
            )
        return cls(None if value == "<>" else Mailbox.parse(decode_xtext(value), utf8=True))


@dataclass(frozen=True, slots=True)
class Auth(Extension):
    """Authentication of the client (RFC 4954).

    Arguments:
        mechanisms: names of SASL mechanisms, the best first; on a server all that it supports.
        allow_plaintext: on a server, the names of those that are allowed outside TLS.
        in_session: on a server, a function that returns the names for one session; it replaces the
            two above.
        required: on a server, whether the client must authenticate first (section 6).
    """

    keyword = "AUTH"
    commands = (AuthCommand,)
    transitions = {State.READY: {"AUTH": Transition(ok=State.READY, more=State.EXCHANGE)}}
    parameters = {Mail: (AuthParameter,)}
    # Section 3, and section 4: a line of an exchange may have 12,288 octets.
    extra_length = {Mail: 500, AuthCommand: 12288 - 512}
    # Before AUTH was a standard, servers sent it in this form, and old clients looked for it.
    old_form = True
    not_offered = Reply(503, "5.5.1", "AUTH is not offered in this session (RFC 4954 section 4)")
    mechanisms: tuple[str, ...] = ()
    allow_plaintext: tuple[str, ...] = ()
    in_session: Callable[[Session], tuple[str, ...]] | None = field(
        default=None, repr=False, compare=False
    )
    required: bool = False

    def __post_init__(self) -> None:
        names = "a tuple of names"
        refuse_text(names, mechanisms=self.mechanisms, allow_plaintext=self.allow_plaintext)

    def arguments(self) -> str:
        return " ".join(self.mechanisms)

    @classmethod
    def parse_offer(cls, arguments: str) -> Auth:
        """Read the mechanisms; skip malformed names."""
        names = [name for word in arguments.split() if _MECHANISM.fullmatch(name := word.upper())]
        return cls(tuple(dict.fromkeys(names)))

    def offer(self, session: Session) -> Auth | None:
        """Offer the mechanisms for this session; none after the client has authenticated."""
        if session.identity is not None:
            return None
        names = self._names(session)
        if names == self.mechanisms:
            # Sessions share a set of extensions if the extensions are the same objects.
            return self if names else None
        return replace(self, mechanisms=names) if names else None

    def _names(self, session: Session) -> tuple[str, ...]:
        if self.in_session is not None:
            return self.in_session(session)
        allowed = self.allow_plaintext
        return tuple(name for name in self.mechanisms if session.secure or name in allowed)

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        """Refuse commands before AUTH if it is required, a second AUTH, and secrets outside TLS."""
        if command.verb == AuthCommand.verb and session.identity is not None:
            return _TWICE
        if isinstance(command, AuthCommand):
            name = command.mechanism
            hidden = name in self.mechanisms and name not in self._names(session)
            return _IN_PLAIN_TEXT if hidden and not session.secure else None
        wanted = self.required and session.identity is None and command.verb not in _BEFORE
        return _FIRST if wanted else None

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse a second AUTH after a success, and mechanisms that are not offered."""
        if not isinstance(command, AuthCommand):
            return None
        if session.identity is not None:
            return _TWICE
        return None if command.mechanism in self.mechanisms else _UNKNOWN
