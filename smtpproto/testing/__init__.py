"""Tools to test programs that use smtpproto: strategies, peers and handlers in memory.

- `strategies`: hypothesis strategies for all values of SMTP, valid and damaged.
- `machine`: `Lockstep`, a hypothesis state machine that runs a client against a server.
- `pair`: two connections in memory; every value sent must be the value received.
- `link`: two conversations in memory, step by step and with faults: `Link`.
- `servers`: handlers without sockets: `serve`, `converse`.
- `clients`: clients without sockets: `connect`.
- `fakes`: `FakeServer`, which follows a script, and `FakeClient`, which can send anything.

The first two need hypothesis (the extra `testing`) and must be imported by module; the names of the
others can be imported from here.
"""

from __future__ import annotations

from .clients import MemoryClient, connect
from .fakes import FakeClient, FakeServer
from .link import End, Link
from .pair import Mismatch, Moved, Pair, one_by_one
from .servers import converse, serve

__all__ = [
    "End",
    "FakeClient",
    "FakeServer",
    "Link",
    "MemoryClient",
    "Mismatch",
    "Moved",
    "Pair",
    "connect",
    "converse",
    "one_by_one",
    "serve",
]
