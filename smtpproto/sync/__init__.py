"""SMTP over blocking sockets: `conversations` run by a loop; `smtpproto.trio` mirrors it."""

from __future__ import annotations

from .client import Client, connect, open_client
from .pool import Pool
from .server import Server, serve, start_server

__all__ = ["Client", "Pool", "Server", "connect", "open_client", "serve", "start_server"]
