"""Tools to test programs that send or receive mail.

For applications that send mail, with any library:

- `sink_server`: `sink`, a throw-away mail server; the pytest plugin has it as a fixture.
- `memory_sink`: `MemorySink`, the same in memory.

For programs that use smtpproto:

- `strategies`: hypothesis strategies for all values of SMTP, valid and damaged.
- `stateful`: `Lockstep`, a hypothesis state machine that runs a client against a server.
- `pair`: two connections in memory; every value sent must be the value received.
- `link`: two conversations in memory, step by step and with faults: `Link`.
- `servers`: handlers without sockets: `serve`, `converse`.
- `clients`: clients without sockets: `connect`.
- `fakes`: `FakeServer`, which follows a script, and `FakeClient`, which can send anything.

For servers, with any library:

- `socket_client`: `SocketClient`, which can send anything.
- `server_checks`: `check_segmentation_invariance`.
- `attacks`: the octets of published attacks; `attack_tests`: `AttackTests`, which pytest runs.

`strategies` and `stateful` need hypothesis (the extra `testing`) and `attack_tests` needs pytest;
these and `attacks` must be imported by module, the names of the others can be imported from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .clients import MemoryClient, connect
    from .fakes import FakeClient, FakeServer
    from .faults import Fault
    from .inbox import ReceivedMessage
    from .link import End, Link
    from .mail_sink import SinkSettings
    from .memory_sink import MemorySink
    from .pair import Mismatch, Moved, Pair, one_by_one
    from .server_checks import check_segmentation_invariance
    from .servers import converse, serve
    from .sink_server import SinkServer, sink
    from .socket_client import SocketClient
else:
    # A test of an application needs a server, and no tools for protocol tests.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".clients": "MemoryClient connect",
            ".fakes": "FakeClient FakeServer",
            ".faults": "Fault",
            ".inbox": "ReceivedMessage",
            ".link": "End Link",
            ".mail_sink": "SinkSettings",
            ".memory_sink": "MemorySink",
            ".pair": "Mismatch Moved Pair one_by_one",
            ".server_checks": "check_segmentation_invariance",
            ".servers": "converse serve",
            ".sink_server": "SinkServer sink",
            ".socket_client": "SocketClient",
        },
    )

__all__ = [
    "End",
    "FakeClient",
    "FakeServer",
    "Fault",
    "Link",
    "MemoryClient",
    "MemorySink",
    "Mismatch",
    "Moved",
    "Pair",
    "ReceivedMessage",
    "SinkServer",
    "SinkSettings",
    "SocketClient",
    "check_segmentation_invariance",
    "connect",
    "converse",
    "one_by_one",
    "serve",
    "sink",
]
