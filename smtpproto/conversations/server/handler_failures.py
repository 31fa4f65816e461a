"""The reply after an error of a handler: 451, or 452 without storage (RFC 5321 section 4.2.3)."""

from __future__ import annotations

import errno

from ...vocabulary.replies import Reply

__all__ = ["FAILED", "FULL", "NOT_TAKEN", "NoMemory", "Over", "reply_to_failure"]

FAILED = Reply(451, "4.3.0", "local error in processing")
"""The reply after an exception of the handler."""


FULL = Reply(452, "4.3.1", "insufficient system storage")
"""The reply if the memory or the disk is full: the client may try again."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM})


NOT_TAKEN = Reply(554, "5.3.3", "such content is not taken here")
"""The reply to a command that brings content, if the handler did not accept it."""


class NoMemory(MemoryError):
    """This side has no memory left for a session; the handler is not the cause."""


def reply_to_failure(error: Exception) -> Reply:
    """Return the reply to a command after an exception."""
    full = isinstance(error, OSError) and error.errno in _FULL
    return FULL if full or isinstance(error, MemoryError) else FAILED


class Over(Exception):
    """The session is over; queued replies may still be sent."""
