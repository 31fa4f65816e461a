"""BURL: content that the server fetches from a URL, RFC 4468; for message submission only.

The application fetches the content between the command and its reply.  `BurlCommand` is an event
like other commands; no octets follow it.  The positive reply to a BURL with LAST takes
responsibility for the message.  In the conversation of a server the handler's `command` replies.

With CHUNKING a client may mix BURL and BDAT.  A handler never gets such a mixture: the server
refuses BURL after a chunk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import LocalProtocolError
from ..field_types import refuse_text
from ..grammar.lazy_pattern import lazy_pattern
from ..timeouts import END_OF_CONTENT_TIMEOUT
from ..vocabulary.command_base import Command, Grammar
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Protocol, Session, Transaction
from ..vocabulary.states import Effect, State, Transition
from .extension import Extension

__all__ = ["Burl", "BurlCommand"]

# burl-cmd     = "BURL" SP absolute-URI [SP "LAST"]
# absolute-URI = scheme ":" hier-part ["?" query] (RFC 3986 section 4.3), so without a fragment
ABSOLUTE_URI = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]*")
# burl-param   = "imap" / ("imap://" authority)
PARAM = lazy_pattern(r"[!-~]+")
# Only this user may use the URL (RFC 4467 section 3, RFC 4468 section 3.3).
SUBMIT_USER = lazy_pattern(r";URLAUTH=submit\+([^:;/]*)", re.IGNORECASE)
ESCAPE = lazy_pattern(rb"%([0-9A-Fa-f]{2})")

NEEDS_LOGIN = Reply(530, "5.7.0", "BURL needs authentication (RFC 4468 section 3.1)")
NO_TRUST = Reply(554, "5.7.14", "BURL: such a URL cannot be resolved here (RFC 4468 section 3.3)")
NOT_YOURS = Reply(554, "5.7.0", "BURL: the URL is for another user (RFC 4468 section 3.3)")


@dataclass(frozen=True, slots=True)
class BurlCommand(Command):
    """BURL: the URL gives the content, or a part of it (section 3).

    Arguments:
        url: an absolute URI.  It may hold a token that gives access, so it is never shown.
        last: whether this is the end of the content.
    """

    verb = "BURL"
    brings_content = True
    accepted = (250, "2.5.0", "OK")
    timeout = END_OF_CONTENT_TIMEOUT
    url: str = field(repr=False)
    last: bool = False

    def __post_init__(self) -> None:
        if ABSOLUTE_URI.fullmatch(self.url) is None:
            raise LocalProtocolError("BURL: expected an absolute URI (RFC 4468 section 3.5)")

    @property
    def row(self) -> str:
        return "BURL LAST" if self.last else "BURL"

    @property
    def scheme(self) -> str:
        """The scheme of the URL, in lower case."""
        return self.url.partition(":")[0].lower()

    @property
    def host(self) -> str:
        """The host of the URL and its port, in lower case; "" if there is none."""
        rest = self.url.partition(":")[2]
        authority = re.split(r"[/?]", rest[2:], maxsplit=1)[0] if rest.startswith("//") else ""
        return authority.rpartition("@")[2].lower()

    def arguments(self) -> str:
        return f"{self.url} LAST" if self.last else self.url

    def __str__(self) -> str:
        """The command without the secret part of the URL."""
        return f"BURL {self.scheme}://{self.host}/...{' LAST' if self.last else ''}"

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> BurlCommand:
        url, space, marker = arguments.partition(" ")
        if space and not (marker.isascii() and marker.upper() == "LAST"):
            raise LocalProtocolError("BURL: expected LAST after the URL (RFC 4468 section 3.5)")
        return cls(url, bool(space))


@dataclass(frozen=True, slots=True)
class Burl(Extension):
    """Content that the server fetches from a URL (RFC 4468).

    Arguments:
        options: the URLs that the server can fetch: "imap" for IMAP URLs with a token, and
            "imap://host" for other URLs of a host that trusts the server.
        early: whether to announce the options before authentication too; then a client can send
            AUTH, MAIL, RCPT and BURL in one group.

    Raises:
        LocalProtocolError: an option is malformed.
    """

    keyword = "BURL"
    commands = (BurlCommand,)
    transitions = {
        state: {
            "BURL": Transition(ok=State.CHUNKS, no=State.SPOILED),
            "BURL LAST": Transition(ok=State.READY, no=State.SPOILED, forget=Effect.TRANSACTION),
        }
        for state in (State.RCPT, State.CHUNKS)
    }
    requires = ("8BITMIME",)
    options: tuple[str, ...] = ("imap",)
    early: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        refuse_text("a tuple of options", options=self.options)
        for option in self.options:
            if PARAM.fullmatch(option) is None:
                raise LocalProtocolError(f"BURL: expected a word, found {option[:64]!a}")

    def arguments(self) -> str:
        return " ".join(self.options)

    @classmethod
    def parse_offer(cls, arguments: str) -> Burl:
        return cls(tuple(arguments.split()))

    def offer(self, session: Session) -> Burl | None:
        """Offer no options before authentication (section 3.1), and nothing on LMTP."""
        if session.protocol is Protocol.LMTP:
            return None
        return self if self.early or session.identity is not None else type(self)(())

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        """Refuse clients that did not authenticate, and URLs for other users."""
        if not isinstance(command, BurlCommand):
            return None
        if session.identity is None:
            return NEEDS_LOGIN
        users = SUBMIT_USER.findall(command.url)
        return NOT_YOURS if any(_decoded(user) != session.identity for user in users) else None

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse URLs that no option covers (section 3.3)."""
        assert isinstance(command, BurlCommand)
        if not self.options:
            return NEEDS_LOGIN
        options = {option.lower() for option in self.options}
        carried = ";urlauth=" in command.url.lower()
        trusted = not carried and f"{command.scheme}://{command.host}" in options
        return None if trusted or command.scheme in options else NO_TRUST


def _decoded(text: str) -> str:
    """Decode a user's name with escapes; octets that are not UTF-8 match no user."""
    octets = ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), text.encode("ascii"))
    return octets.decode("utf-8", "surrogateescape")
