"""SMTP over trio: `smtpproto.conversations` run by a loop; `smtpproto.sync` mirrors it."""

from __future__ import annotations

from .client import Client, connect
from .pool import Pool
from .server import Server, serve

__all__ = ["Client", "Pool", "Server", "connect", "serve"]
