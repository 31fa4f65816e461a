r"""Talk to a server: send what you type, and explain each reply.

`talk` sends a line as it is, also if no server knows it.  Two lines differ: "= TEXT" sends octets
with \r \n \0 \xHH \\ and without a CRLF of their own, and AUTH alone asks for user and password and
logs in.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..conversations import ConnectionLost, SMTPError, Transcript
from ..conversations.transcript import printable
from ..errors import LocalProtocolError, RemoteProtocolError
from ..sasl import Credentials
from ..vocabulary.codes import explain
from .common import CannotRun, both, file_of, reason, server_address
from .dialogue import Kind
from .escapes import from_text
from .patience import Patience
from .script import MATCHES, Failed, Step, parse_script, run_script
from .session_options import add_session, ask_password, connection_settings, place
from .strict import Refusals
from .terminal import complain, reply_style, say, say_json
from .typed_lines import lines_of_people
from .wire_session import WireSession

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from .dialogue import Piece

STATUS = (
    "0 after QUIT or the end of input, 1 if the server does not say what a script expects, 2 if "
    "the session ended otherwise or did not begin"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "server", type=server_address, metavar="HOST[:PORT]", help="port: as for send"
    )
    parser.add_argument(
        "--bare",
        action="store_true",
        help="only connect; by default talk also says EHLO, begins TLS and logs in, as send does",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse to send what is wrong or not possible in this state, and say why",
    )
    parser.add_argument(
        "--script",
        metavar="FILE",
        help="run a script of C: and S: lines, as a test of the server; - for standard input",
    )
    parser.add_argument(
        "--match",
        choices=MATCHES,
        help="what a script compares: whole lines (the default), reply codes, or their first digit",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object for each line on standard output"
    )
    add_session(parser)


def run(options: argparse.Namespace) -> int:
    """Talk until QUIT or the end of standard input; see `STATUS`."""
    if options.match and not options.script:
        raise CannotRun("--match needs --script FILE")
    live = sys.stdin.isatty() and sys.stdout.isatty()
    state = "no session"
    try:
        steps = _read_script(options.script) if options.script else []
        # A script that expects the greeting says all that follows by itself.
        bare = options.bare or (bool(steps) and steps[0].sends is None)
        with Patience(place(options)) as patience:
            settings = connection_settings(options)
            observer = both(_as_json if options.json else Transcript(_say_line), patience)
            with WireSession(settings, observer, bare=bare) as session:
                state = "the session is over"
                talk = _Talk(session, patience, options, live=live)
                if options.script:
                    run_script(steps, session, talk.show, talk.answered, options.match or "line")
                    return 0
                piped = (line.rstrip("\r\n") for line in sys.stdin)
                return talk.run(lines_of_people() if live else piped)
    except Failed as error:
        complain(str(error), "bad")
        return 1
    except (OSError, SMTPError, RemoteProtocolError, LocalProtocolError) as error:
        complain(f"{state}: {reason(error, place(options))}", "bad")
        return 2


def _read_script(path: str) -> list[Step]:
    """Read the script in a file, or on standard input.

    Raises:
        CannotRun: the file cannot be read.
        Failed: it is no script.
    """
    if path == "-":
        return parse_script(sys.stdin)
    with (
        file_of("--script", path),
        Path(path).open(encoding="utf-8", errors="surrogateescape") as file,
    ):
        return parse_script(file)


def _say_line(line: str) -> None:
    say(line, reply_style(line[3:]) if line.startswith("S:") else "")


def _as_json(sender: str, octets: bytes, content: bool) -> None:  # noqa: ARG001, FBT001  an Observer
    say_json({"sender": sender, "text": printable(octets)})


class _Talk:
    """A conversation of a person with a server."""

    def __init__(
        self,
        session: WireSession,
        patience: Patience,
        options: argparse.Namespace,
        *,
        live: bool,
    ) -> None:
        self._session = session
        self._patience = patience
        self._live = live
        self._refusals = Refusals(session) if options.strict else None
        self._json: bool = options.json
        # The text of the reply that is coming.
        self._reply: list[str] = []

    def run(self, lines: Iterator[str]) -> int:
        """Send each line; return the exit status."""
        session = self._session
        if not self._hear():
            return 2
        for line in lines:
            dialogue = session.dialogue
            within = dialogue.in_content or dialogue.in_exchange or dialogue.owed
            if not within and not line.strip():
                continue
            try:
                if not within and line.strip().upper() == "AUTH":
                    self._log_in()
                    continue
                octets = self._octets(line, raw=not within and line.startswith("="))
            except (ValueError, LocalProtocolError) as error:
                complain(f"not sent: {reason(error)}", "warn")
                continue
            for piece in session.send(octets):
                self.show(piece)
            if not self._hear():
                return 0 if line.strip().upper() == "QUIT" else 2
        if session.dialogue.in_content or session.dialogue.owed:
            # Only the end of the connection keeps the server from waiting for the rest.
            return 0
        for piece in session.send(self._octets("QUIT", raw=False)):
            self.show(piece)
        self._hear()
        return 0

    def _octets(self, line: str, *, raw: bool) -> bytes:
        """Return what to send for a line.

        Raises:
            ValueError: its escapes are wrong.
            LocalProtocolError: `--strict` refuses it.
        """
        if raw:
            return from_text(line[1:].removeprefix(" "))
        octets = line.encode("utf-8", "surrogateescape") + b"\r\n"
        if self._refusals is not None:
            self._refusals.check(octets)
        owed = self._session.dialogue.owed
        return octets[:owed] if owed else octets

    def _hear(self) -> bool:
        """Show what the server says as long as it is its turn; return whether it may go on."""
        try:
            for piece in self._session.heard():
                self.show(piece)
                if piece.code:
                    self.answered(piece)
                if piece.code == 421 or (piece.verb == "QUIT" and piece.code):
                    return False
        except ConnectionLost as error:
            complain(f"# {error}", "warn")
            return False
        return True

    def show(self, piece: Piece) -> None:
        """Print a piece of the conversation."""
        sender, of_server = piece.sender, piece.sender == "S"
        self._patience(sender, piece.octets, piece.kind is Kind.CONTENT)
        if self._json:
            _as_json(sender, piece.shown, False)
        elif of_server or not self._live:
            text = printable(piece.octets if self._live else piece.shown)
            say(f"{sender}: {text}", reply_style(text) if of_server else "")
        if of_server:
            self._reply.append(piece.octets.decode("utf-8", "replace"))

    def answered(self, piece: Piece) -> None:
        """Explain a reply; begin TLS if it is the one to STARTTLS."""
        reply, self._reply = self._reply, []
        if self._refusals is not None:
            self._refusals.note_reply(reply)
        if piece.verb == "STARTTLS" and piece.code == 220:
            facts = self._session.start_tls()
            self._session.dialogue.tls_established()
            if self._refusals is not None:
                self._refusals.note_tls(facts)
            if not self._json:
                say(f"# TLS has begun ({facts.version}, {facts.cipher}): say EHLO again", "dim")
                if not facts.peer_names:
                    say("# the certificate was not checked (--ca FILE checks it)", "warn")
            return
        if self._json:
            return
        enhanced = reply[-1][4:].split(" ", 1)[0]
        explanation = explain(piece.code, enhanced, piece.verb)
        if piece.code >= 400:
            say("\n".join(f"   {line}" for line in str(explanation).splitlines()), "dim")
        elif self._live:
            say(f"   {explanation.meaning}", "dim")

    def _log_in(self) -> None:
        credentials = self._session.settings.credentials
        if credentials is None:
            if not self._live:
                raise ValueError("AUTH alone asks for a password: give --user, or a mechanism")
            user = input("User: ")
            credentials = Credentials(username=user, password=ask_password(user))
        try:
            self._session.log_in(credentials)
        except SMTPError as error:
            complain(reason(error), "bad")
