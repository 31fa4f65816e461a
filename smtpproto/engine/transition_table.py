"""Every transition of both roles, as data.

All knowledge about states is in this file, and in the rows that extensions add in their own files:
no other code compares states to decide what a command may do.  This file does not depend on the
role: a reply has the same effect on the server that sends it and on the client that reads it.

A row says how a reply changes the state, by the first digit of its code: `ok` for 2xx, `more` for
3xx, `no` for 4xx and 5xx.  None means no change.  A verb without a row in a state is not allowed
there (503).  Names in lower case are not verbs: `greeting` is the first reply, `content` the reply
to the end of the message content, `response` the reply to a client's response to a challenge.

A server needs one place in the table, because it answers one command at a time.  A client has two:
the *confirmed* state, which the replies change, and the *projected* one, which the session has if
all pending commands succeed.  `send` uses the projected one, so pipelining needs no mode.

Sections: RFC 5321 sections 3.1, 3.3, 4.1.4 and 4.3; RFC 2920 section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..vocabulary.states import Effect, State, Table, Transition

__all__ = ["BASE_TABLE", "Row", "Rows", "check", "compile_table"]


_ANYTIME = {
    "NOOP": Transition(),
    "HELP": Transition(),
    "VRFY": Transition(),
    "EXPN": Transition(),
    "QUIT": Transition(ok=State.CLOSED),
}
_HELLO = Transition(ok=State.READY, forget=Effect.SESSION)
_HELLOS = {"EHLO": _HELLO, "HELO": _HELLO, "LHLO": _HELLO}
_RSET = {"RSET": Transition(ok=State.READY, forget=Effect.TRANSACTION)}
# RFC 2920 section 3.1: a client that pipelined DATA may get 354 although all recipients were
# refused; then it sends an empty content.
_DATA_IN_FLIGHT = {"DATA": Transition(more=State.CONTENT, in_flight=True)}
_DONE = Transition(ok=State.READY, no=State.READY, forget=Effect.TRANSACTION)

BASE_TABLE: Table = {
    State.CONNECTED: {"greeting": Transition(ok=State.GREETED, no=State.REFUSED)},
    State.REFUSED: {"QUIT": Transition(ok=State.CLOSED)},
    State.GREETED: {**_HELLOS, "RSET": Transition(), **_ANYTIME},
    State.READY: {
        "MAIL": Transition(ok=State.MAIL),
        **_DATA_IN_FLIGHT,
        **_HELLOS,
        **_RSET,
        **_ANYTIME,
    },
    State.MAIL: {
        "RCPT": Transition(ok=State.RCPT),
        **_DATA_IN_FLIGHT,
        **_HELLOS,
        **_RSET,
        **_ANYTIME,
    },
    State.RCPT: {
        "RCPT": Transition(),
        "DATA": Transition(more=State.CONTENT),
        **_HELLOS,
        **_RSET,
        **_ANYTIME,
    },
    State.CONTENT: {"content": _DONE},
    State.CHUNKS: {**_RSET, **_ANYTIME},
    State.SPOILED: {**_RSET, **_ANYTIME},
    State.EXCHANGE: {"response": Transition(ok=State.READY, more=State.EXCHANGE, no=State.READY)},
    State.TLS: {},
    State.CLOSED: {},
    State.ERROR: {},
}
"""The table of SMTP without extensions."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A row as the connections use it.

    Arguments:
        name: the verb, or one of the names in lower case.
        after: the state after a reply, by the first digit of its code; None: such a reply is not
            allowed.
        success: the state after success: after 3xx if the row has it, else after 2xx.
        forget: what both sides forget when the state changes or the reply is positive.
        in_flight: see `Transition`.
    """

    name: str
    after: tuple[State | None, ...]
    success: State
    forget: Effect
    in_flight: bool


Rows = dict[State, dict[str, Row]]


def compile_table(additions: Iterable[Table] = ()) -> Rows:
    """Return the base table with the rows of extensions.

    Arguments:
        additions: the rows of each extension.

    Raises:
        ValueError: two rows for the same verb in the same state.
    """
    rows = {
        state: {verb: _row(state, verb, go) for verb, go in verbs.items()}
        for state, verbs in BASE_TABLE.items()
    }
    for addition in additions:
        for state, verbs in addition.items():
            for verb, go in verbs.items():
                if verb in rows[state]:
                    raise ValueError(f"{verb} has a row in {state.name} already")
                rows[state][verb] = _row(state, verb, go)
    return rows


def _row(state: State, name: str, go: Transition) -> Row:
    ok: State | None = go.ok or state
    if go.ok is None and go.more is not None:
        ok = None
    no = go.no or state
    after = (None, None, ok, go.more, no, no)
    return Row(name, after, go.more or go.ok or state, go.forget, go.in_flight)


def check(rows: Rows) -> list[str]:
    """Return what is wrong with a compiled table; empty if it is correct.

    Every state but TLS, CLOSED and ERROR must lead to CLOSED.  Every state but ERROR must be
    reachable from CONNECTED (TLS and EXCHANGE only if an extension leads there).
    """
    edges = {
        state: {after for row in verbs.values() for after in row.after if after is not None}
        for state, verbs in rows.items()
    }
    edges[State.TLS] = {State.GREETED}
    optional = {State.TLS, State.EXCHANGE, State.CHUNKS, State.SPOILED, State.ERROR}
    reached = _closure({State.CONNECTED}, edges)
    wrong = [f"{s.name} cannot be reached" for s in State if s not in reached | optional]
    return wrong + [
        f"{state.name} has no way to CLOSED"
        for state in State
        if state in reached and State.CLOSED not in _closure({state}, edges)
    ]


def _closure(start: set[State], edges: dict[State, set[State]]) -> set[State]:
    found, open_ = set(start), list(start)
    while open_:
        for state in edges[open_.pop()] - found:
            found.add(state)
            open_.append(state)
    return found
