"""PIPELINING: commands in groups, RFC 2920.

`Command.ends_group` says which commands must be the last of a group.  A client's engine holds back
commands that must wait.
"""

from __future__ import annotations

from .extension import Extension

__all__ = ["Pipelining"]


class Pipelining(Extension):
    """Commands sent before the replies to earlier ones (RFC 2920)."""

    __slots__ = ()
    keyword = "PIPELINING"
