"""The command line: `python -m smtpproto VERB`, one file for each verb.

The module of a verb has `add_arguments(parser)`, `run(options) -> int`, which returns the exit
status, and `STATUS`, which explains it.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from .. import __version__
from . import demo, explain, probe, proxy, send, serve, talk
from .common import CannotRun, reason
from .terminal import OutputClosed, OutputFailed, complain, flush

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "make_parser"]

VERBS = {
    "demo": demo,
    "serve": serve,
    "send": send,
    "probe": probe,
    "talk": talk,
    "proxy": proxy,
    "explain": explain,
}


def main(arguments: Sequence[str] | None = None, *, program: str = "smtpproto") -> int:
    """Run the command line.

    Arguments:
        arguments: the arguments without the program's name; None: those of the process.
        program: the program's name in help and errors.

    Returns:
        The exit status.

    Raises:
        OutputClosed: the reader of standard output or standard error has closed it.
        KeyboardInterrupt: the user typed Ctrl-C, and the verb does not handle it.
        SystemExit: the arguments are wrong, or ask for help or the version.
    """
    parser = make_parser(program)
    try:
        try:
            return _run(parser, arguments)
        finally:
            flush()
    except OutputClosed:
        raise
    except (OSError, OutputFailed) as error:
        # A file that an option names, or the output itself: then perhaps nothing can be said.
        with contextlib.suppress(OutputFailed):
            complain(f"{parser.prog}: {reason(error)}")
        return 2


def make_parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Arguments:
        program: the program's name in help and errors.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="SMTP for both roles, from the command line.",
        epilog="Exit status: 0 if all went well, 2 if the arguments cannot be used, 130 after "
        "Ctrl-C; VERB --help tells the others of a verb.",
    )
    parser.add_argument("--version", action="version", version=f"smtpproto {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        status = f"Exit status: {module.STATUS}."
        verb = verbs.add_parser(name, help=summary, description=summary, epilog=status)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def _run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except CannotRun as error:
        complain(f"{parser.prog} {options.verb}: {error}")
        return 2
    return status
