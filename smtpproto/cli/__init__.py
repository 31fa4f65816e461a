"""The command line: `python -m smtpproto VERB`, one file for each verb.

A verb's module has `add_arguments(parser)` and `run(options) -> int`, the exit status.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .. import __version__
from . import demo, explain, probe, send, serve, talk
from .common import CannotRun, complain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

VERBS = {
    "demo": demo,
    "serve": serve,
    "send": send,
    "probe": probe,
    "talk": talk,
    "explain": explain,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Arguments:
        arguments: without the program's name; None: those of the process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m smtpproto", description="SMTP for both roles, from the command line."
    )
    parser.add_argument("--version", action="version", version=f"smtpproto {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        verb = verbs.add_parser(name, help=summary, description=summary)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except CannotRun as error:
        complain(f"{parser.prog} {options.verb}: {error}")
        return 2
    return status
