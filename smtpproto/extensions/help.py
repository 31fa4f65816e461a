"""HELP and EXPN as keywords: RFC 5321 sections 4.1.1.7, 4.1.1.8 and 2.2.2, RFC 1869 section 6.

Both commands are older than EHLO, so a server accepts them before EHLO and after HELO (section
4.1.4).
"""

from __future__ import annotations

from ..vocabulary.commands import Expn, Help
from .extension import Extension

__all__ = ["ExpnExtension", "HelpExtension"]


class HelpExtension(Extension):
    """Help about commands (RFC 5321 section 4.1.1.8)."""

    __slots__ = ()
    keyword = "HELP"
    commands = (Help,)
    plain = True


class ExpnExtension(Extension):
    """Members of mailing lists (RFC 5321 section 4.1.1.7)."""

    __slots__ = ()
    keyword = "EXPN"
    commands = (Expn,)
    plain = True
