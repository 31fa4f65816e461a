"""`Lockstep`: a hypothesis state machine that runs a client and a server against each other.

    >>> from smtpproto.testing.stateful import Lockstep
    >>> TestLockstep = Lockstep.TestCase  # for pytest and unittest

For any commands, any replies and any segmentation: both sides agree about each value (see `Pair`),
no side waits without end, and QUIT can end the session.  A subclass may replace the extensions and
connections, and add commands and rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

# First, as it says what to do without hypothesis.
from . import strategies as smtp

# isort: split
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ..engine.client import Client
from ..engine.server import Server
from ..errors import LocalProtocolError
from ..extensions import Bdat, Extension
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Data, Ehlo, Lhlo, Quit
from ..vocabulary.events import AuthResponse, ContentChunk, EndOfContent
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Protocol
from ..vocabulary.states import State
from .agreement import Sendable
from .pair import Pair
from .strategies.commands import Envelopes

__all__ = ["Lockstep"]

_OVER = (State.CLOSED, State.ERROR)


class Lockstep(RuleBasedStateMachine):
    """A client and a server under any legal use.

    Attributes:
        extensions: the server's extensions; override it for others.
        protocol: SMTP or LMTP.
        pair: the two connections, which compare all values.
    """

    extensions: Iterable[Extension] = smtp.offers()
    protocol: Protocol = Protocol.SMTP

    # Made once for each class, because that takes longer than drawing from them.
    _made: ClassVar[dict[type, tuple[st.SearchStrategy[Command], Envelopes]]] = {}

    def __init__(self) -> None:
        super().__init__()
        if type(self) not in self._made:
            self._made[type(self)] = (self.commands(), Envelopes(self.extensions))
        self._cuts: Iterator[int] = iter(())
        self.pair = self.connections()

    # --- what a subclass may put in -------------------------------------------------------------

    def connections(self) -> Pair:
        """The two connections; override it for others, with `segments=self.segments`."""
        return Pair(
            Client(protocol=self.protocol),
            Server("mx.example", tuple(self.extensions), protocol=self.protocol),
            segments=self.segments,
        )

    def commands(self) -> st.SearchStrategy[Command]:
        """The commands that the client may try; override it to add some.  Called once."""
        known = smtp.commands(self.extensions, protocol=self.protocol)
        # QUIT ends the session, and is sent at the end anyway; BDAT has its own rule.
        return known.filter(lambda command: not isinstance(command, (Quit, Bdat)))

    def answers(self) -> st.SearchStrategy[Reply | None]:
        """The server's replies to any command; None is the usual positive reply."""
        return (
            st.none()
            | st.none()
            | smtp.replies(classes=(4, 5)).filter(lambda reply: reply.code != 421)
        )

    def segments(self, octets: bytes) -> Iterator[bytes]:
        """Split octets into the pieces that the rule `cut` chose."""
        while octets:
            size = next(self._cuts, len(octets))
            yield octets[:size]
            octets = octets[size:]

    # --- rules ----------------------------------------------------------------------------------

    @initialize(data=st.data())
    def greet(self, data: st.DataObject) -> None:
        """Send the greeting, usually positive, and usually EHLO."""
        if data.draw(st.integers(0, 9)) == 9:
            self.pair.answers.append(data.draw(self.answers()))
        self.pair.run()
        if data.draw(st.integers(0, 9)):
            kind = Lhlo if self.protocol is Protocol.LMTP else Ehlo
            self.try_to(kind(data.draw(smtp.names())))
            self.pair.run()

    @rule(data=st.data())
    def say(self, data: st.DataObject) -> None:
        """Send a command, if the client allows it."""
        self.try_to(data.draw(self._made[type(self)][0]))

    @rule(data=st.data(), settled=st.booleans())
    def envelope(self, data: st.DataObject, *, settled: bool) -> None:
        """Begin a mail transaction, in one group or with a round trip for each command."""
        envelopes = self._made[type(self)][1]
        mail = data.draw(envelopes.mails)
        recipients = st.lists(envelopes.rcpts(mail), min_size=1, max_size=3)
        content = st.sampled_from([(), (Data(),), (Data(),)])
        for command in (mail, *data.draw(recipients), *data.draw(content)):
            self.try_to(command)
            if settled:
                self.pair.run()

    @precondition(lambda self: self.pair.client.transaction is not None)
    @rule(octets=st.binary(max_size=20), last=st.booleans())
    def chunk(self, octets: bytes, *, last: bool) -> None:
        """Send a chunk of content, if the client allows it (RFC 3030)."""
        if self.try_to(Bdat(len(octets), last)) and octets:
            # In text a bare CR or LF would be refused.
            self.pair.send(ContentChunk(octets.replace(b"\r", b"x").replace(b"\n", b"x")))

    @precondition(lambda self: self.pair.client.state is State.CONTENT)
    @rule(octets=smtp.contents())
    def content(self, octets: bytes) -> None:
        """Send a piece of content, if the client allows it."""
        self.try_to(ContentChunk(octets))

    @precondition(lambda self: self.pair.client.state is State.CONTENT)
    @rule()
    def end_of_body(self) -> None:
        """End the client's content, if there is any."""
        self.try_to(EndOfContent())

    @precondition(lambda self: self.pair.client.state is State.EXCHANGE)
    @rule(octets=st.none() | st.binary(max_size=20))
    def respond(self, octets: bytes | None) -> None:
        """Respond to a challenge, or cancel."""
        self.try_to(AuthResponse(octets))

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """Choose the server's next reply."""
        self.pair.answers.append(data.draw(self.answers()))

    @rule(sizes=st.lists(st.integers(1, 9), max_size=30))
    def cut(self, sizes: list[int]) -> None:
        """Choose the sizes of the next segments, in octets."""
        self._cuts = iter(sizes)

    @rule(segments=st.integers(1, 10))
    def move(self, segments: int) -> None:
        """Deliver some segments."""
        for _ in range(segments):
            self.pair.step()

    @rule()
    def settle(self) -> None:
        """Deliver everything."""
        self.pair.run()

    def try_to(self, message: Sendable) -> bool:
        """Let the client send something; return whether it allowed that."""
        try:
            self.pair.send(message)
        except LocalProtocolError:
            return False
        return True

    # --- the end --------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Deliver everything, finish content and dialogues, and close the session with QUIT."""
        pair = self.pair
        pair.answers.clear()
        pair.run()
        # A refusal may wait for the end of the refused content.
        for message in (EndOfContent(), AuthResponse(None)):
            if self.try_to(message):
                pair.run()
        if pair.client.state in _OVER or pair.server.state in _OVER:
            return
        assert pair.client.pending == 0, "the client waits for a reply that never comes"
        assert pair.server.owed == 0, "the server waits for itself"
        assert pair.client.state is pair.server.state, "the two disagree about the state"
        pair.send(Quit())
        assert pair.run()[-1].code == 221
        assert pair.client.state is pair.server.state is State.CLOSED
