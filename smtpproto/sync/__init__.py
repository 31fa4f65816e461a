"""SMTP over blocking sockets: a client and a server.

Nothing here knows SMTP: the conversations stand in `smtpproto.conversations`, and this runs them.
`smtpproto.trio` mirrors it name by name.
"""

from __future__ import annotations

from ._client import Client, connect
from ._server import Server, serve

__all__ = ["Client", "Server", "connect", "serve"]
