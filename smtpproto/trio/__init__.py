"""SMTP over trio: `smtpproto.conversations` run by a loop; `smtpproto.sync` mirrors it."""

from __future__ import annotations

from ._client import Client, connect
from ._pool import Pool
from ._server import Server, serve

__all__ = ["Client", "Pool", "Server", "connect", "serve"]
