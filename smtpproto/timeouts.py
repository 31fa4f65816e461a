"""Every time limit in one file: those of RFC 5321 section 4.5.3.2, then our own.

All are seconds.  `Connection.timeout` and the requests of conversations pass them on.
`Limits.transaction_time` is the limit for a whole mail transaction.
"""

from __future__ import annotations

__all__ = [
    "COMMAND_TIMEOUT",
    "CONNECT_TIMEOUT",
    "CONTENT_CHUNK_TIMEOUT",
    "DATA_TIMEOUT",
    "END_OF_CONTENT_TIMEOUT",
    "GREETING_TIMEOUT",
    "HANDLER_TIMEOUT",
    "HANDSHAKE_TIMEOUT",
    "LAST_CALL_TIMEOUT",
    "MAILBOX_LOCK_TIMEOUT",
    "NEXT_COMMAND_TIMEOUT",
    "POOL_IDLE_TIMEOUT",
    "PROBE_TIMEOUT",
    "PROXY_HEADER_TIMEOUT",
    "QUIT_TIMEOUT",
    "STOP_TIMEOUT",
]

# --- RFC 5321 section 4.5.3.2: the least that each side waits -----------------------------------

GREETING_TIMEOUT = 300.0
"""A client waits so long for the greeting (section 4.5.3.2.1)."""

COMMAND_TIMEOUT = 300.0
"""A client waits so long for the reply to MAIL (section 4.5.3.2.2), to RCPT (section 4.5.3.2.3),
and to every command for which RFC 5321 names no time."""

DATA_TIMEOUT = 120.0
"""A client waits so long for the reply to DATA (section 4.5.3.2.4)."""

CONTENT_CHUNK_TIMEOUT = 180.0
"""Either side waits so long for the other within content (section 4.5.3.2.5)."""

END_OF_CONTENT_TIMEOUT = 600.0
"""A client waits so long for the reply to the content (section 4.5.3.2.6), also to BDAT and BURL,
which bring content."""

NEXT_COMMAND_TIMEOUT = 300.0
"""A server waits so long for the next command (section 4.5.3.2.7)."""

# --- ours: no RFC names a time ------------------------------------------------------------------

CONNECT_TIMEOUT = 30.0
"""A client waits so long for a TCP connection."""

HANDSHAKE_TIMEOUT = 60.0
"""Either side waits so long for a TLS handshake, which takes a few round trips."""

QUIT_TIMEOUT = 5.0
"""A client waits so long for the reply to QUIT, which changes nothing any more."""

PROXY_HEADER_TIMEOUT = 10.0
"""A server waits so long for the header of a proxy, which sends it at once.  Section 2 of the PROXY
protocol asks for three seconds at least, as one lost segment costs them."""

STOP_TIMEOUT = 30.0
"""A server that stops waits so long for running mail transactions."""

HANDLER_TIMEOUT = 0.5
"""A server that has cut off its sessions waits so long for handlers to return."""

LAST_CALL_TIMEOUT = 0.3
"""A call that a cancelled conversation still makes has so long.  It is less than
`HANDLER_TIMEOUT`, so that a server that stops still waits for the call."""

POOL_IDLE_TIMEOUT = 60.0
"""A pool keeps an idle connection so long."""

PROBE_TIMEOUT = 30.0
"""The command `probe` waits so long for each reply."""

MAILBOX_LOCK_TIMEOUT = 30.0
"""Final delivery waits so long for the lock of an mbox file."""
