"""SMTP over trio: a client, a pool and a server; `smtpproto.sync` has the same for threads."""

from __future__ import annotations

from .client import Client, connect, open_client
from .pool import Pool
from .server import Server, run_server, serve

__all__ = ["Client", "Pool", "Server", "connect", "open_client", "run_server", "serve"]
