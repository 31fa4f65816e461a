"""Tools to test programs that use smtpproto: strategies, peers and handlers in memory.

- `strategies`: hypothesis strategies for all values of SMTP, valid and damaged.
- `machine`: `Lockstep`, a hypothesis state machine that runs a client against a server.
- `pair`: two connections in memory; every value sent must be the value received.
- `memory`: handlers without sockets: `converse`, `Served`.
- `clients`: clients without sockets: `connect`.
- `fakes`: `FakeServer`, which follows a script, and `FakeClient`, which can send anything.

The first two need hypothesis (the extra `testing`) and must be imported by module; the names of the
others can be imported from here.
nothing and stand here as well.
"""

from __future__ import annotations

from .clients import MemoryClient, connect
from .fakes import FakeClient, FakeServer
from .memory import Served, converse
from .pair import Mismatch, Moved, Pair, one_by_one

__all__ = [
    "FakeClient",
    "FakeServer",
    "MemoryClient",
    "Mismatch",
    "Moved",
    "Pair",
    "Served",
    "connect",
    "converse",
    "one_by_one",
]
