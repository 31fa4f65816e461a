"""One connection of `proxy`: it passes octets on in both directions, and notes what they say."""

from __future__ import annotations

import contextlib
import select
import socket
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..adapters.nonblocking_channel import READS, Channel, HandshakeSettings
from ..conversations.transcript import printable
from ..timeouts import HANDSHAKE_TIMEOUT
from .common import reason
from .dialogue import Dialogue, Kind, Piece
from .escapes import to_text
from .terminal import reply_style, say, say_json

if TYPE_CHECKING:
    from ..vocabulary.session_facts import TLSFacts
    from .signals import ServerOutput

# Octets that one side may be behind before the other is not read any more.
BEHIND = 1 << 20
# Octets of a chunk to show.
SHOWN = 70


def script_line(piece: Piece) -> str:
    """Return the line of a script that says the same, see `script`; secrets are left out."""
    sender, octets = piece.sender, piece.shown
    text = octets.decode("utf-8", "replace")
    if sender == "S" or (piece.ended and text.isprintable() and text.encode() == octets):
        return f"{sender}: {printable(octets)}"
    return "C= " + to_text(octets + b"\r\n" if piece.ended else octets)


class Recorder:
    """Shows and saves the pieces of one conversation.

    Arguments:
        number: of the connection.
        output: where to show them.
        content: how many lines of each message to show.
        save: the folder of the files; None to save nothing.
        as_json: whether to show JSON.
    """

    def __init__(
        self,
        number: int,
        output: ServerOutput,
        *,
        content: int,
        save: str | None,
        as_json: bool,
    ) -> None:
        self._number = number
        self._output = output
        self._most = content
        self._as_json = as_json
        self._shown = self._hidden = 0
        self._file: TextIO | None = None
        if save is not None:
            self._file = Path(save, f"{number}.txt").open("w", encoding="utf-8")  # noqa: SIM115  # see close

    def piece(self, piece: Piece) -> None:
        """Note a piece."""
        if self._file is not None:
            self._file.write(f"{script_line(piece)}\n")
        if piece.kind is Kind.CONTENT:
            self._shown += 1
            if self._shown > self._most:
                self._hidden += 1
                return
        else:
            if self._hidden and not self._as_json:
                self._say("C", "content", "", f"C: ... {self._hidden} more lines ...", "")
            self._shown = self._hidden = 0
        sender, text = piece.sender, printable(piece.shown)
        line, style = f"{sender}: {text}", ""
        if not piece.ended:
            more = f" ... {len(piece.octets)} octets" if len(piece.octets) > SHOWN else ""
            line = f"C= {to_text(piece.octets[:SHOWN])}{more}"
        elif sender == "S":
            style = reply_style(text)
        elif piece.kind is Kind.CONTENT:
            style = "dim"
        self._say(sender, piece.kind.name.lower(), text, line, style)

    def remark(self, text: str) -> None:
        """Note a text that neither side said."""
        if self._file is not None:
            self._file.write(f"# {text}\n")
        self._say(None, "remark", text, f"# {text}", "dim")

    def _say(self, sender: str | None, kind: str, text: str, line: str, style: str) -> None:
        def write() -> None:
            if self._as_json:
                value = {"connection": self._number, "sender": sender, "kind": kind, "text": text}
                say_json(value)
            else:
                say(f"{self._number} {line}", style)

        self._output.written(write)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class ProxySession:
    """One client and its connection to the server.

    Arguments:
        client: the socket of the client, and how TLS begins there.
        server: the same of the server; without a context TLS passes unread.
        recorder: notes what is said.
        lmtp: whether LMTP is spoken.
    """

    def __init__(
        self,
        client: tuple[socket.socket, HandshakeSettings],
        server: tuple[socket.socket, HandshakeSettings],
        recorder: Recorder,
        *,
        lmtp: bool,
    ) -> None:
        self._client = Channel(*client)
        self._server = Channel(*server)
        self._recorder = recorder
        self._dialogue = Dialogue(lmtp=lmtp)
        self._reads_tls = client[1].context is not None
        # How many octets passed unread within TLS.
        self._opaque = 0
        self._passes_unread = False
        # The client has said STARTTLS: its next octets have to wait for the reply.
        self._awaits_tls = False
        self._over = False

    def run(self, *, implicit: bool) -> None:
        """Pass on until one side closes.

        Arguments:
            implicit: whether both sides begin with TLS.
        """
        recorder = self._recorder
        try:
            if implicit:
                self._begin_tls()
            while not self._over:
                self._turn()
            self._flush()
        except OSError as error:
            recorder.remark(f"the connection broke: {reason(error)}")
        finally:
            if self._opaque:
                recorder.remark(f"{self._opaque} octets passed within TLS")
            recorder.remark("the connection is closed")
            for channel in (self._client, self._server):
                channel.say_goodbye()
                channel.sock.close()
            recorder.close()

    def cut(self) -> None:
        """End the connection from another thread."""
        self._client.cut()
        self._server.cut()

    def _turn(self) -> None:
        """Wait until one side can be read or written, and do so."""
        poll = select.poll()
        sides = {channel.sock.fileno(): channel for channel in (self._client, self._server)}
        for number, channel in sides.items():
            reads = len(self._other(channel).unsent) < BEHIND and not self._holds(channel)
            poll.register(
                number,
                (select.POLLIN if reads else 0) | (select.POLLOUT if channel.unsent else 0),
            )
        for number, events in poll.poll():
            channel = sides[number]
            channel.push()
            closed = events & select.POLLHUP
            if events & ~select.POLLOUT and (closed or not self._holds(channel)):
                self._read(channel)

    def _other(self, channel: Channel) -> Channel:
        return self._server if channel is self._client else self._client

    def _holds(self, channel: Channel) -> bool:
        """Whether the octets of a side have to wait."""
        return channel is self._client and self._awaits_tls

    def _read(self, channel: Channel) -> None:
        """Pass on all that one side has said."""
        other = self._other(channel)
        while (data := channel.read(READS)) is not None:
            if not data:
                self._over = True
                return
            other.put(data)
            other.push()
            if self._passes_unread:
                self._opaque += len(data)
            elif channel is self._client:
                for piece in self._dialogue.client(data):
                    self._recorder.piece(piece)
                    if piece.kind is Kind.COMMAND and piece.octets.strip().upper() == b"STARTTLS":
                        self._awaits_tls = True
                        return
            else:
                self._from_server(data)

    def _from_server(self, data: bytes) -> None:
        for piece in self._dialogue.server(data):
            self._recorder.piece(piece)
            if piece.verb == "STARTTLS" and piece.code:
                self._awaits_tls = False
                if piece.code == 220:
                    self._flush()
                    self._dialogue.tls_established()
                    self._begin_tls()

    def _begin_tls(self) -> None:
        """Do both handshakes, or let what follows pass unread."""
        if not self._reads_tls:
            self._passes_unread = True
            self._recorder.remark(
                "TLS begins; the proxy cannot show what is inside (see --self-signed)"
            )
            return
        facts = [self._shake_hands(channel) for channel in (self._server, self._client)]
        server, client = (f"{each.version}, {each.cipher}" for each in facts)
        self._recorder.remark(f"TLS with the server: {server}; with the client: {client}")
        # What came with the end of a handshake does not make its socket readable.
        for channel in (self._server, self._client):
            self._read(channel)

    def _shake_hands(self, channel: Channel) -> TLSFacts:
        while (facts := channel.shake_hands()) is None:
            self._wait(channel)
        return facts

    def _flush(self) -> None:
        """Write the unsent octets, also after one side has closed."""
        for channel in (self._client, self._server):
            with contextlib.suppress(ConnectionError):
                while channel.unsent:
                    self._wait(channel, reads=False)

    def _wait(self, channel: Channel, *, reads: bool = True) -> None:
        poll = select.poll()
        events = (select.POLLIN if reads else 0) | (select.POLLOUT if channel.unsent else 0)
        poll.register(channel.sock, events)
        if not poll.poll(HANDSHAKE_TIMEOUT * 1000):
            raise TimeoutError(f"nothing moved for {HANDSHAKE_TIMEOUT:g} seconds")
        channel.push()
