"""PIPELINING: commands in groups, RFC 2920.

Which command may stand where in a group is said by `Command.ends_group`; a client's engine holds
back what may not leave yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from .base import Extension

__all__ = ["Pipelining"]


@dataclass(frozen=True, slots=True)
class Pipelining(Extension):
    """Commands sent before those before them were answered (RFC 2920)."""

    keyword = "PIPELINING"
