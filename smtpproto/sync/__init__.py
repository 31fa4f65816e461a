"""SMTP over blocking sockets: `conversations` run by a loop; `smtpproto.trio` mirrors it."""

from __future__ import annotations

from ._client import Client, connect
from ._pool import Pool
from ._server import Server, serve

__all__ = ["Client", "Pool", "Server", "connect", "serve"]
