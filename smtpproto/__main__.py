"""The program: `python -m smtpproto`, and the installed command `smtpproto`.

What its verbs do stands in `smtpproto.cli`; here is how the process ends.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

__all__ = ["command"]


def command(program: str = "smtpproto") -> NoReturn:
    """Run the command line in a process of its own, and end the process.

    Ctrl-C and a closed pipe end it by SIGINT and SIGPIPE, without a traceback, so that a shell sees
    the usual status (130 and 141) and leaves its own loop where it should.

    Arguments:
        program: what help and errors call it.
    """
    interrupted = signal.getsignal(signal.SIGINT)
    # There is nothing to clean up while modules are loaded, and again once the verb is over: SIGINT
    # may end the process at once.  Where it is ignored, as after nohup, it stays so.
    at_once = signal.SIG_IGN if interrupted is signal.SIG_IGN else signal.SIG_DFL
    signal.signal(signal.SIGINT, at_once)
    from .cli import main  # noqa: PLC0415  # not before SIGINT is looked after
    from .cli.common import OutputClosed  # noqa: PLC0415

    try:
        signal.signal(signal.SIGINT, interrupted)
        status = main(program=program)
    except KeyboardInterrupt:
        _end_by(signal.SIGINT)
    except OutputClosed:
        _end_by(signal.SIGPIPE)
    finally:
        signal.signal(signal.SIGINT, at_once)
    sys.exit(status)


def _end_by(number: int) -> NoReturn:
    """End this process as a signal ends one that does not handle it."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # A blocked signal waits: end with the status that a shell would have shown.
    os._exit(128 + number)


if __name__ == "__main__":
    command("python -m smtpproto")
