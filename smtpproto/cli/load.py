"""A modest load for a server on this host: `send --repeat N --parallel M`."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from ..conversations import Status
from ..conversations.client.message import header_of
from .common import CannotRun, is_here, reason
from .messages import parts_of
from .send_report import ERRORS
from .sending import Content, Job, do_jobs
from .session_options import place
from .terminal import complain, progress, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Iterable, Iterator

    from ..adapters.connecting import ConnectionSettings
    from ..conversations import Envelope
    from ..conversations.client.base import ClientBase
    from .messages import StoredMessage
    from .terminal import Progress

__all__ = ["send_repeatedly"]


def send_repeatedly(
    options: argparse.Namespace,
    settings: ConnectionSettings,
    messages: Iterable[StoredMessage],
    sender: str | None,
    recipients: list[str] | None,
) -> int:
    """Send each message several times, over several connections; return the exit status.

    Raises:
        CannotRun: the server is not on this host, or a message cannot be sent.
    """
    if options.unix is None and not is_here(settings.host):
        raise CannotRun(
            f"--repeat and --parallel are for servers on this host, not {settings.host}"
        )
    try:
        loaded = [_loaded(message, sender, recipients) for message in messages]
    except ERRORS as error:
        raise CannotRun(f"not sent: {reason(error)}") from None
    most = (options.repeat or 1) * len(loaded)
    with progress("sending", most, octets=False) as counted:
        run = _Run(settings, itertools.islice(itertools.cycle(loaded), most), counted)
        threads = [
            threading.Thread(target=lambda: do_jobs(run.jobs()))
            for _ in range(options.parallel or 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = counted.seconds
    return run.tell(most, seconds, place(options), as_json=options.json)


def _loaded(
    message: StoredMessage, sender: str | None, recipients: list[str] | None
) -> tuple[Envelope, Content]:
    """Read a message into memory."""
    header, envelope, rest = parts_of(message.source, sender, recipients)

    def header_for(client: ClientBase) -> list[bytes]:
        return [header_of(header, client.offered, client.to_ascii)]

    return envelope, Content(header_for, list(rest))


class _Run:
    """The work that several threads share, and what became of it."""

    def __init__(
        self,
        settings: ConnectionSettings,
        work: Iterator[tuple[Envelope, Content]],
        counted: Progress,
    ) -> None:
        self._settings = settings
        self._work = work
        self._counted = counted
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._found: Counter[str] = Counter()

    def jobs(self) -> Generator[Job, None, None]:
        """Return the jobs of one thread: it takes the next message until there is none."""
        while True:
            with self._lock:
                message = next(self._work, None)
            if message is None:
                return
            began = time.monotonic()
            job = Job(self._settings, *message)
            yield job
            took = time.monotonic() - began
            try:
                outcomes = job.delivery().outcomes
            except ERRORS as error:
                self._count(f"not sent: {reason(error)}")
                return
            worst = next((o for o in outcomes if o.status is not Status.ACCEPTED), None)
            if worst is None:
                self._count("accepted", took)
            else:
                self._count(f"{worst.status.name.lower()}: {worst.reply or worst.reason}", took)

    def _count(self, what: str, *took: float) -> None:
        with self._lock:
            self._times += took
            self._found[what] += 1
            self._counted.advance(1)

    def tell(self, most: int, seconds: float, where: str, *, as_json: bool) -> int:
        """Print the result; return the exit status."""
        times = sorted(self._times) or [0.0]
        accepted = self._found["accepted"]
        middle, slowest = times[len(times) // 2], times[-1]
        if as_json:
            say_json(
                {
                    "messages": most,
                    "accepted": accepted,
                    "seconds": round(seconds, 3),
                    "median_seconds": round(middle, 4),
                    "slowest_seconds": round(slowest, 4),
                    "others": {k: v for k, v in self._found.items() if k != "accepted"},
                }
            )
        else:
            say(
                f"{accepted} of {most} messages accepted by {where} in {seconds:.1f} s: "
                f"{accepted / max(seconds, 0.001):.0f} a second; "
                f"median {middle * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms",
                "good" if accepted == most else "warn",
            )
        for what, count in self._found.most_common():
            if what != "accepted":
                complain(f"{'once' if count == 1 else f'{count} times'} {what}", "bad")
        return 0 if accepted == most else 1 if accepted else 2
