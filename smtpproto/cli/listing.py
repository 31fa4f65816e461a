"""What `serve` prints about the messages that it takes: a line, JSON, or all of them."""

from __future__ import annotations

import io
import itertools
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime
from email.parser import BytesHeaderParser
from email.policy import default as policy
from typing import TYPE_CHECKING, Any

from ..conversations.transcript import escaped
from ..vocabulary.replies import Reply
from .sinks import NotTaken, Sink
from .terminal import amount, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from typing_extensions import Self

    from ..conversations import Envelope
    from ..vocabulary.session_facts import Session
    from .sinks import Sinks

# The reply to a message that can no longer be printed.
NOT_PRINTED = Reply(451, "4.3.2", "the server is being stopped, try again later")
# Held while a whole message is printed, and the most octets to print at once.
PRINTING = threading.Lock()
LONGEST = 65536
# Octets of a message in which to look for its subject.
HEADER = 65536
NAMED = 3


def listed(sinks: Sinks, options: argparse.Namespace) -> Sinks:
    """Return sinks that also print what they take, and stop the server after some messages."""
    numbers = itertools.count(1)
    lock = threading.Lock()

    def taken() -> None:
        with lock:
            if next(numbers) == options.count:
                # As if the user had stopped it: the reply is still sent.
                os.kill(os.getpid(), signal.SIGTERM)

    def sink(session: Session, envelope: Envelope) -> _Listing:
        return _Listing(sinks(session, envelope), session, envelope, options, taken)

    return sink


@dataclass
class _Listing:
    """A sink that passes the message on, and prints it, or a line about it."""

    _inner: Sink
    _session: Session
    _envelope: Envelope
    _options: argparse.Namespace
    _taken: Callable[[], None]
    _head: bytearray = field(default_factory=bytearray)
    _octets: int = 0

    def write(self, chunk: bytes) -> None:
        """Pass octets on."""
        self._octets += len(chunk)
        if self._options.print:
            self._head += chunk
        elif len(self._head) < HEADER:
            self._head += chunk[:HEADER]
        self._inner.write(chunk)

    def commit(self) -> None:
        """Take responsibility, and print."""
        self._inner.commit()
        options = self._options
        whole = options.print and not options.json
        show = self._print_whole if whole else self._print_line
        silent = (options.quiet or options.discard) and not whole
        if not silent and not options.output.written(show):
            raise NotTaken(NOT_PRINTED)
        self._taken()

    def _print_whole(self) -> None:
        """Print the envelope on one line, then the content.

        It escapes control characters, so that a sender cannot control the terminal.
        """
        output, encoding = sys.stdout.buffer, sys.stdout.encoding
        recipients = ", ".join(map(str, self._envelope.forward_paths))
        head = f"---- from {self._envelope.reverse_path} to {recipients}"
        lines = io.TextIOWrapper(io.BytesIO(self._head), "utf-8", "backslashreplace")
        with PRINTING:
            output.write(f"{escaped(head)}\n".encode(encoding, "backslashreplace"))
            # A line may be as long as the message; each part is no larger than needed here.
            while part := lines.readline(LONGEST):
                end = "\n" if part.endswith("\n") else ""
                text = escaped(part.removesuffix("\n")) + end
                output.write(text.encode(encoding, "backslashreplace"))
            output.flush()

    def _print_line(self) -> None:
        found = self._facts()
        if self._options.json:
            if self._options.print:
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

    def __exit__(self, *error: Any) -> None:  # noqa: PYI036  # those of the other sink
        self._inner.__exit__(*error)
