"""SMTP over blocking sockets: a client, a pool and a server; `smtpproto.trio` has the same."""

from __future__ import annotations

from .client import Client, connect, open_client
from .pool import Pool
from .server import Server, serve, start_server

__all__ = ["Client", "Pool", "Server", "connect", "open_client", "serve", "start_server"]
