"""One line for each message that `serve` takes."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from dataclasses import dataclass, field
from datetime import datetime
from email.parser import BytesHeaderParser
from email.policy import default as policy
from typing import TYPE_CHECKING, Any

from ..conversations.transcript import escaped
from .sinks import NOT_PRINTED, NotTaken, Sink
from .terminal import amount, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from ..conversations import Envelope
    from ..vocabulary.session_facts import Session
    from .signals import ServerOutput
    from .sinks import Sinks

__all__ = ["Listing", "listed"]

# Octets of a message in which to look for its subject.
HEADER = 65536
NAMED = 3


def listed(sinks: Sinks, options: argparse.Namespace) -> Sinks:
    """Return sinks that also print a line for each message, and stop the server after some.

    Arguments:
        sinks: what becomes of the messages.
        options: those of `serve`.
    """
    numbers = itertools.count(1)
    lock = threading.Lock()

    def taken() -> None:
        with lock:
            if next(numbers) == options.count:
                # As if the user had stopped it: the reply is still sent.
                os.kill(os.getpid(), signal.SIGTERM)

    settings = Lines(
        options.output,
        taken,
        as_json=options.json,
        whole=options.print,
        silent=(options.print and not options.json) or options.discard or options.quiet,
    )

    def sink(session: Session, envelope: Envelope) -> Listing:
        return Listing(sinks(session, envelope), session, envelope, settings)

    return sink


@dataclass(frozen=True)
class Lines:
    """How the lines are printed.

    Arguments:
        output: where to.
        taken: called for each message that was taken.
        as_json: whether to print JSON.
        whole: whether JSON has the content.
        silent: whether to print nothing.
    """

    output: ServerOutput
    taken: Callable[[], None]
    as_json: bool = field(kw_only=True)
    whole: bool = field(kw_only=True)
    silent: bool = field(kw_only=True)


class Listing:
    """A sink that passes the message on, and prints a line once it is taken."""

    def __init__(self, inner: Sink, session: Session, envelope: Envelope, lines: Lines) -> None:
        self._inner = inner
        self._session = session
        self._envelope = envelope
        self._lines = lines
        self._head = bytearray()
        self._octets = 0

    def write(self, chunk: bytes) -> None:
        """Pass octets on."""
        self._octets += len(chunk)
        if self._lines.whole:
            self._head += chunk
        elif len(self._head) < HEADER:
            self._head += chunk[:HEADER]
        self._inner.write(chunk)

    def commit(self) -> None:
        """Take responsibility, and print the line."""
        self._inner.commit()
        lines = self._lines
        if not lines.silent and not lines.output.written(self._print):
            raise NotTaken(NOT_PRINTED)
        lines.taken()

    def _print(self) -> None:
        found = self._facts()
        if self._lines.as_json:
            if self._lines.whole:
                found["content"] = self._head.decode("utf-8", "backslashreplace")
            say_json(found)
            return
        recipients = ", ".join(found["to"][:NAMED])
        more = len(found["to"]) - NAMED
        recipients += f" and {more} more" if more > 0 else ""
        words = (
            f"{found['time'][11:19]}  {found['peer']}  {found['from']} -> {recipients}  "
            f"{found['subject'] or '(no subject)'}  {amount(found['size'])}"
        )
        say(escaped(words))

    def _facts(self) -> dict[str, Any]:
        session, envelope = self._session, self._envelope
        subject = ""
        header = BytesHeaderParser(policy=policy).parsebytes(bytes(self._head))
        # The parser raises various errors for a field that is none.
        try:
            subject = str(header.get("Subject", ""))
        except Exception:  # noqa: BLE001  # a subject is not worth a message
            subject = "(unreadable)"
        return {
            "time": datetime.now().astimezone().isoformat(timespec="seconds"),
            "peer": session.peer or "",
            "tls": None if session.tls is None else session.tls.version,
            "user": session.identity,
            "from": str(envelope.reverse_path),
            "to": [str(path) for path in envelope.forward_paths],
            "subject": subject,
            "size": self._octets,
        }

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._inner.__exit__(kind, error, traceback)
