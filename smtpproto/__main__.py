"""The program: `python -m smtpproto`, and the installed command `smtpproto`.

`smtpproto.cli` implements the verbs; this module ends the process.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from typing import NoReturn

__all__ = ["command"]


def command(program: str = "smtpproto") -> NoReturn:
    """Run the command line in a process of its own, and end the process.

    Ctrl-C and a closed pipe end it by SIGINT and SIGPIPE, without a traceback.  So a shell sees the
    usual status (130 and 141) and ends its own loop.  Only while Python starts and loads
    `smtpproto` itself, before this function, Ctrl-C shows a traceback.

    Arguments:
        program: the program's name in help and errors.
    """
    interrupted = signal.getsignal(signal.SIGINT)
    # While modules are loaded, and after the verb has ended, there is nothing to clean up: SIGINT
    # may end the process at once.  If it is ignored, as under nohup, it stays ignored.
    at_once = signal.SIG_IGN if interrupted is signal.SIG_IGN else signal.SIG_DFL
    signal.signal(signal.SIGINT, at_once)
    from .cli import main  # noqa: PLC0415  # not before SIGINT is looked after
    from .cli.terminal import OutputClosed  # noqa: PLC0415

    # A stream may have been closed before this process began.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # stays open
    # A character that the encoding of the output lacks must not end the program.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        signal.signal(signal.SIGINT, interrupted)
        status = main(program=program)
    except KeyboardInterrupt:
        _end_by(signal.SIGINT)
    except OutputClosed:
        _end_by(signal.SIGPIPE)
    finally:
        signal.signal(signal.SIGINT, at_once)
        for stream in (sys.stdout, sys.stderr):
            # Python would write once more at its end, and change the status if that fails.
            try:
                stream.flush()
            except OSError:
                with contextlib.suppress(OSError):
                    stream.close()
    sys.exit(status)


def _end_by(number: int) -> NoReturn:
    """End this process by a signal, as if it had no handler."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The signal is blocked: end with the status that a shell would show.
    os._exit(128 + number)


if __name__ == "__main__":
    command("python -m smtpproto")
