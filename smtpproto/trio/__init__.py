"""SMTP over trio: a client, a pool and a server; each adapter has the same names.

What users need of other folders can be imported from here, too: envelopes, outcomes, errors, TLS,
credentials, transcripts.  The core is `smtpproto`, service extensions are `smtpproto.extensions`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from .. import adapters
from ..lazy_names import lazy_names

if find_spec("trio") is None:
    raise ModuleNotFoundError(
        "smtpproto.trio needs the package trio: python3 -m pip install trio", name="trio"
    )

if TYPE_CHECKING:
    from ..adapters import *  # noqa: F403
    from ..conversations import AsyncContentAnswer, AsyncHandler
    from .client import Client, connect, connect_with
    from .pool import Pool
    from .server import Server, serve, serve_with
else:
    # A program that sends mail does not need the server, nor the other way round.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "..adapters": " ".join(adapters.__all__),
            "..conversations": "AsyncContentAnswer AsyncHandler",
            ".client": "Client connect connect_with",
            ".pool": "Pool",
            ".server": "Server serve serve_with",
        },
    )

__all__ = ["AsyncContentAnswer", "AsyncHandler", "Client", "Pool", "Server"]
__all__ += ["connect", "connect_with", "serve", "serve_with"]
__all__ += adapters.__all__
