r"""SMTP for both roles, sans I/O: bytes in, events out; commands and replies in, bytes out.

    >>> import smtpproto
    >>> server = smtpproto.Server("mx.example")
    >>> server.accept()
    >>> server.data_to_send()
    b'220 mx.example ESMTP\r\n'

What stands here is the core (layers 0 to 2).  Service extensions are in `smtpproto.extensions`,
SASL mechanisms in `smtpproto.sasl`, whole conversations in `smtpproto.conversations`, and what
moves bytes in `smtpproto.sync`, `smtpproto.asyncio` and `smtpproto.trio`; importing this module
imports none of the three.
"""

from __future__ import annotations

# The method came with Python 3.10; `sys`, which tells the version, is for adapters.
if not hasattr(int, "bit_count"):
    raise ImportError("smtpproto needs Python 3.10 or later", name="smtpproto")

from typing import TYPE_CHECKING

from .errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from .lazy_names import lazy_names
from .limits import Limits
from .vocabulary.addresses import AddressLiteral, Domain, Mailbox
from .vocabulary.codes import Explanation, explain
from .vocabulary.command_base import Command, Syntax
from .vocabulary.commands import (
    Data,
    Ehlo,
    Expn,
    Helo,
    Help,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Vrfy,
)
from .vocabulary.events import (
    AuthResponse,
    ClientEvent,
    ConnectionClosed,
    ContentChunk,
    Deviation,
    EndOfContent,
    Event,
    Need,
    Rejected,
    ServerEvent,
)
from .vocabulary.parameters import Parameter, UnknownParameter
from .vocabulary.paths import ForwardPath, ReversePath
from .vocabulary.replies import Reply
from .vocabulary.session_facts import (
    NameKind,
    Offered,
    PeerName,
    Protocol,
    Session,
    TLSFacts,
    Transaction,
)
from .vocabulary.states import State
from .wire import LineEndings

if TYPE_CHECKING:
    from .engine.client import Client
    from .engine.server import Server
    from .vocabulary.lenient_commands import NoDomain
else:
    # A client does not need the server's half, and a server does not need the client's.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".engine.client": "Client",
            ".engine.server": "Server",
            ".vocabulary.lenient_commands": "NoDomain",
        },
    )

__version__ = "0.1.0"

__all__ = [
    "AddressLiteral",
    "AuthResponse",
    "Client",
    "ClientEvent",
    "Command",
    "ConnectionClosed",
    "ContentChunk",
    "Data",
    "Deviation",
    "Domain",
    "Ehlo",
    "EndOfContent",
    "Event",
    "Explanation",
    "Expn",
    "ForwardPath",
    "Helo",
    "Help",
    "Lhlo",
    "Limits",
    "LineEndings",
    "LocalProtocolError",
    "Mail",
    "Mailbox",
    "NameKind",
    "Need",
    "NoDomain",
    "Noop",
    "Offered",
    "Parameter",
    "PeerName",
    "Protocol",
    "ProtocolError",
    "Quit",
    "Rcpt",
    "Rejected",
    "RemoteProtocolError",
    "Reply",
    "ReversePath",
    "Rset",
    "Server",
    "ServerEvent",
    "Session",
    "State",
    "Syntax",
    "TLSFacts",
    "Transaction",
    "UnknownParameter",
    "Vrfy",
    "__version__",
    "explain",
]
