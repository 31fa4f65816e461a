"""The table of states, and both machines walked together through all that it allows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

import pytest

from smtpproto import (
    Client,
    Command,
    ConnectionClosed,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    LocalProtocolError,
    Mail,
    Need,
    Quit,
    Rcpt,
    Rejected,
    Reply,
    ReversePath,
    Rset,
    Server,
    State,
)
from smtpproto.engine.transition_table import BASE_TABLE, check, compile_table
from smtpproto.extensions import Extension, Pipelining
from smtpproto.extensions.known import KNOWN
from smtpproto.vocabulary.states import Effect, Transition

K = TypeVar("K")

BASE = compile_table()
WHOLE = compile_table(kind.transitions for kind in KNOWN)


@pytest.mark.parametrize("rows", [compile_table(), WHOLE], ids=["base", "with all extensions"])
def test_the_table_is_sound(rows: dict[State, object]) -> None:
    assert check(rows) == []  # type: ignore[arg-type]


def test_check_finds_a_state_that_is_a_trap() -> None:
    rows = compile_table()
    rows[State.MAIL] = {"NOOP": rows[State.MAIL]["NOOP"], "RCPT": rows[State.MAIL]["RCPT"]}
    rows[State.RCPT] = {}
    assert check(rows) == ["MAIL has no way to CLOSED", "RCPT has no way to CLOSED"]


def test_check_finds_a_state_out_of_reach() -> None:
    rows = compile_table()
    del rows[State.READY]["MAIL"]
    assert {"MAIL cannot be reached", "RCPT cannot be reached"} <= set(check(rows))


@pytest.mark.parametrize("state", [s for s in State if s not in (State.CONNECTED, State.CONTENT)])
def test_quit_is_possible_wherever_commands_are(state: State) -> None:
    """RFC 5321 section 4.1.1.10: at any time."""
    verbs = WHOLE[state]
    commands = {verb for verb in verbs if verb.isupper()}
    assert ("QUIT" in commands) is bool(commands)


@pytest.mark.parametrize("state", [State.READY, State.MAIL, State.RCPT])
def test_the_hellos_are_possible_within_a_session(state: State) -> None:
    """RFC 5321 section 4.1.4: EHLO may come later in the session, and clears the transaction."""
    for verb in ("EHLO", "HELO"):
        step = BASE_TABLE[state][verb]
        assert step.ok is State.READY
        assert step.forget is Effect.SESSION


def test_two_rows_for_one_verb_are_an_error() -> None:
    with pytest.raises(ValueError, match="NOOP has a row in READY already"):
        compile_table([{State.READY: {"NOOP": Transition()}}])


def test_what_a_row_without_ok_takes() -> None:
    after = compile_table()[State.RCPT]["DATA"].after
    assert after == (None, None, None, State.CONTENT, State.RCPT, State.RCPT)


# --- the joint walk ---------------------------------------------------------------------------

# One for each kind of row: HELO has the rows of EHLO, and NOOP, HELP, VRFY and EXPN change nothing.
COMMANDS: tuple[Command, ...] = (
    Ehlo(Domain("c.example")),
    Mail(ReversePath.of("a@c.example")),
    Rcpt(ForwardPath.of("b@s.example")),
    Data(),
    Rset(),
    Quit(),
)
MOST_PENDING = 3
ACCEPT, REJECT, CLOSE = "accept", "reject", "close"


class Pair:
    """A client and a server, with what is on the way from the server to the client."""

    def __init__(self, extensions: tuple[Extension, ...]) -> None:
        self.client = Client(map(type, extensions))
        self.server = Server("s.example", extensions)
        self.to_client: list[bytes] = []

    def key(self) -> object:
        client, server = self.client, self.server
        return (
            client.state,
            tuple(row.name for row, _ in client._queued.sent),
            tuple(awaited[0].name for awaited, _ in client._queued.held if awaited is not None),
            client._encoder is not None,
            recipients(client),
            server.state,
            server._row and server._row.name,
            server.in_content,
            recipients(server),
            server._buffer.peek(4096),
            tuple(self.to_client),
        )

    def clone(self) -> Pair:
        """A copy that shares what never changes; `deepcopy` alone would take minutes."""
        pair = copy.copy(self)
        pair.to_client = list(self.to_client)
        for side in (self.client, self.server):
            twin = copy.copy(side)
            buffer = twin._buffer = copy.deepcopy(side._buffer)
            twin._lines = copy.deepcopy(side._lines, {id(side._buffer): buffer})
            twin._out = bytearray(side._out)
            twin.transaction = copy.copy(side.transaction)
            if twin.transaction is not None:
                twin.transaction.recipients = list(twin.transaction.recipients)
            if isinstance(side, Client) and isinstance(twin, Client):
                queued = twin._queued = copy.copy(side._queued)
                queued.sent, queued.held = queued.sent.copy(), queued.held.copy()
                twin._replies, twin._encoder = copy.deepcopy((side._replies, side._encoder))
                pair.client = twin
            elif isinstance(side, Server) and isinstance(twin, Server):
                twin._content = content = copy.copy(side._content)
                if content is not None:
                    content.reader = copy.deepcopy(content.reader, {id(side._buffer): buffer})
                pair.server = twin
        return pair

    def actions(self) -> Iterator[tuple[str, Callable[[Pair], None]]]:
        client, server = self.client, self.server
        if server._row is not None:
            codes = (ACCEPT, CLOSE) if server._row.name == "QUIT" else (ACCEPT, REJECT, CLOSE)
            for answer in codes:
                yield f"S {answer}", partial(Pair.answer, how=answer)
        elif len(server._buffer) and server.state is not State.CLOSED:
            yield "S reads", Pair.serve
        if self.to_client:
            yield "C reads", Pair.read
        if client.pending < MOST_PENDING and client.state is not State.CLOSED:
            for command in COMMANDS:
                yield f"C {command.verb}", partial(Pair.send, message=command)
            yield "C end", partial(Pair.send, message=EndOfContent())

    def send(self, message: Command | EndOfContent) -> None:
        self.client.send(message)
        self.flow()

    def flow(self) -> None:
        """What the client wrote is at the server at once; the server takes it when it likes."""
        data = self.client.data_to_send()
        if data:
            self.server.receive_data(data)

    def serve(self) -> None:
        event = self.server.next_event()
        # A client of ours never sends what the core of a server refuses, but for commands that were
        # pipelined behind one that failed.
        if isinstance(event, Rejected):
            assert event.reply.code in (503, 550)
        else:
            assert isinstance(event, (Command, EndOfContent, Need))
        self.collect()

    def answer(self, how: str) -> None:
        if how == ACCEPT:
            self.server.accept()
        else:
            self.server.reject(550 if how == REJECT else 421)
        self.collect()

    def collect(self) -> None:
        data = self.server.data_to_send()
        if data:
            self.to_client.append(data)

    def read(self) -> None:
        self.client.receive_data(self.to_client.pop(0))
        while not isinstance(event := self.client.next_event(), (Need, ConnectionClosed)):
            assert isinstance(event, Reply)
        self.flow()

    def quiet(self) -> bool:
        return not (self.to_client or self.client.pending or len(self.server._buffer))


def recipients(side: Client | Server) -> bool | None:
    transaction = side.transaction
    return None if transaction is None else bool(transaction.recipients)


def closure(start: set[K], edges: Mapping[K, set[K]]) -> set[K]:
    found, open_ = set(start), list(start)
    while open_:
        for key in edges.get(open_.pop(), set()) - found:
            found.add(key)
            open_.append(key)
    return found


@pytest.mark.parametrize("extensions", [(), (Pipelining(),)], ids=["one by one", "pipelined"])
def test_the_joint_walk(extensions: tuple[Extension, ...]) -> None:
    """Every state that the two can get into together: they agree, and never wait for each other."""
    start = Pair(extensions)
    seen = {start.key(): start}
    edges: dict[object, set[object]] = {}
    waiting = [start]
    while waiting:
        pair = waiting.pop()
        if pair.quiet() and pair.server._row is None and pair.client.state is not State.CLOSED:
            assert pair.client.state is pair.server.state
            assert recipients(pair.client) == recipients(pair.server)
        after = edges.setdefault(pair.key(), set())
        for name, action in pair.actions():
            successor = pair.clone()
            try:
                action(successor)
            except LocalProtocolError:
                # Only the client's wishes may be impossible.
                assert name.startswith("C ")
                assert successor.key() == pair.key()
                continue
            key = successor.key()
            after.add(key)
            if key not in seen:
                seen[key] = successor
                waiting.append(successor)
    assert len(seen) > 300
    # From everywhere there is a way to the end of the session on both sides.
    over = {
        key
        for key, pair in seen.items()
        if pair.client.state is State.CLOSED and pair.server.state is State.CLOSED
    }
    assert over
    backwards: dict[object, set[object]] = {}
    for key, targets in edges.items():
        for target in targets:
            backwards.setdefault(target, set()).add(key)
    ways = closure(over, backwards)
    stuck = [
        key
        for key, pair in seen.items()
        if key not in ways and pair.server.state is not State.CLOSED
    ]
    assert stuck == []
    # Each state of the table that these extensions can reach was seen on both sides.
    edges_of = {
        s: {a for step in verbs.values() for a in step.after if a} for s, verbs in BASE.items()
    }
    reachable = closure({State.CONNECTED}, edges_of)
    assert {pair.client.state for pair in seen.values()} >= reachable
