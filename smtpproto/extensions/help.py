"""HELP and EXPN as keywords: RFC 5321 sections 4.1.1.7, 4.1.1.8 and 2.2.2, from RFC 1869 section 6."""

from __future__ import annotations

from dataclasses import dataclass

from ..commands import Expn, Help
from .base import Extension

__all__ = ["Expansion", "HelpTexts"]


@dataclass(frozen=True, slots=True)
class HelpTexts(Extension):
    """The server answers HELP."""

    keyword = "HELP"
    commands = (Help,)


@dataclass(frozen=True, slots=True)
class Expansion(Extension):
    """The server answers EXPN."""

    keyword = "EXPN"
    commands = (Expn,)
