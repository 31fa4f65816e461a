"""Say what a reply code or an enhanced status code means, and what to check."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from ..codes import explain
from .common import say

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]

REPLY = re.compile(r"([2-5][0-5][0-9])(?:[ -]([245]\.[0-9]{1,3}\.[0-9]{1,3}))?(?:[ -].*)?", re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("reply", nargs="+", help="a reply, such as 550 or '550 5.1.1 No such user'")


def run(options: argparse.Namespace) -> int:
    """Explain one reply."""
    text = " ".join(options.reply)
    match = REPLY.fullmatch(text.strip())
    if match is None:
        print(f"expected a reply such as '550 5.1.1 ...', found {text!r}", file=sys.stderr)
        return 2
    say(str(explain(int(match[1]), match[2] or "")))
    return 0
