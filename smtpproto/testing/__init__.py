"""What smtpproto is tested with, for whoever tests something that uses it.

- `strategies`: hypothesis strategies for everything that SMTP is made of, valid and damaged.
- `machine`: `Lockstep`, a state machine for hypothesis that plays client against server.
- `pair`: two connections in memory, where every value sent has to be the value received.
- `memory`: handlers without sockets: `converse`, `Served`.
- `clients`: clients without sockets: `connect`.
- `fakes`: `FakeServer`, which follows a script, and `FakeClient`, which says anything.

The first two need hypothesis (the extra `testing`) and are imported by their names; the others need
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
