"""The lines that `talk --strict` refuses to send: wrong ones, and those not possible now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.compiled_extensions import catalogue
from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions.known import KNOWN
from ..grammar.encodings import decode_base64
from ..limits import Limits
from ..vocabulary.command_base import CountedCommand
from ..vocabulary.command_parser import parse
from ..vocabulary.events import AuthResponse, ContentChunk, EndOfContent, Need

if TYPE_CHECKING:
    from ..vocabulary.session_facts import TLSFacts
    from .wire_session import WireSession


class Refusals:
    """Follows the session with an engine, and refuses what the engine would not send itself.

    Arguments:
        session: whose engine has begun the session.
    """

    def __init__(self, session: WireSession) -> None:
        self._session = session
        self._engine = session.engine
        protocol = self._engine.session.protocol
        self._grammar = catalogue(KNOWN, protocol, Limits()).utf8_grammar

    def check(self, octets: bytes) -> None:
        """Check a line with its CRLF, and note that it will be sent.

        Raises:
            LocalProtocolError: it must not be sent.
        """
        engine, dialogue = self._engine, self._session.dialogue
        line = octets[:-2]
        if dialogue.in_content:
            engine.send(EndOfContent() if line == b"." else ContentChunk(octets))
        elif dialogue.in_exchange:
            text = line.decode("ascii", "replace").strip()
            engine.send(AuthResponse(None if text == "*" else decode_base64(text)))
        else:
            command = parse(line, self._grammar)
            if isinstance(command, CountedCommand):
                raise LocalProtocolError(f"{command.verb} is followed by octets, not by lines")
            engine.send(command)
        # The session sends the line itself.
        engine.data_to_send()

    def note_reply(self, lines: list[str]) -> None:
        """Note the lines of a reply.

        Raises:
            RemoteProtocolError: the server broke the protocol.
        """
        for line in lines:
            self._engine.receive_data(line.encode("utf-8", "replace") + b"\r\n")
        while not isinstance(self._engine.next_event(), Need):
            pass

    def note_tls(self, facts: TLSFacts) -> None:
        """Note that TLS has begun.

        Raises:
            RemoteProtocolError: octets in plain text came before.
        """
        try:
            self._engine.tls_established(facts)
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from None
