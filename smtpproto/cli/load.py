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
    from collections.abc import Generator, Iterable

    from ..adapters.connecting import ConnectionSettings
    from ..conversations import Envelope, Outcome
    from ..conversations.client.base import ClientBase
    from .messages import StoredMessage


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
    work = itertools.islice(itertools.cycle(loaded), most)
    lock = threading.Lock()
    times: list[float] = []
    found: Counter[str] = Counter()

    def count(what: str, *took: float) -> None:
        with lock:
            times.extend(took)
            found[what] += 1
            counted.advance(1)

    def jobs() -> Generator[Job, None, None]:
        """Return the jobs of one thread: it takes the next message until there is none."""
        while True:
            with lock:
                message = next(work, None)
            if message is None:
                return
            began = time.monotonic()
            job = Job(settings, *message)
            yield job
            took = time.monotonic() - began
            try:
                outcomes = job.delivery().outcomes
            except ERRORS as error:
                count(f"not sent: {reason(error)}")
                return
            count(_worst(outcomes), took)

    with progress("sending", most, octets=False) as counted:
        parallel = range(options.parallel or 1)
        threads = [threading.Thread(target=lambda: do_jobs(jobs())) for _ in parallel]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = counted.seconds
    _tell(options, most, seconds, sorted(times) or [0.0], found)
    return 0 if found["accepted"] == most else 1 if found["accepted"] else 2


def _worst(outcomes: Iterable[Outcome]) -> str:
    """Return the worst outcome, in words; "accepted" if all are."""
    worst = next((each for each in outcomes if each.status is not Status.ACCEPTED), None)
    if worst is None:
        return "accepted"
    return f"{worst.status.name.lower()}: {worst.reply or worst.reason}"


def _loaded(
    message: StoredMessage, sender: str | None, recipients: list[str] | None
) -> tuple[Envelope, Content]:
    """Read a message into memory."""
    header, envelope, rest = parts_of(message.source, sender, recipients)

    def header_for(client: ClientBase) -> list[bytes]:
        return [header_of(header, client.offered, client.to_ascii)]

    return envelope, Content(header_for, list(rest))


def _tell(
    options: argparse.Namespace,
    most: int,
    seconds: float,
    times: list[float],
    found: Counter[str],
) -> None:
    """Print what became of the messages; `times` of each one are sorted."""
    accepted, middle, slowest = found["accepted"], times[len(times) // 2], times[-1]
    others = {what: count for what, count in found.most_common() if what != "accepted"}
    if options.json:
        say_json(
            {
                "messages": most,
                "accepted": accepted,
                "seconds": round(seconds, 3),
                "median_seconds": round(middle, 4),
                "slowest_seconds": round(slowest, 4),
                "others": others,
            }
        )
    else:
        say(
            f"{accepted} of {most} messages accepted by {place(options)} in {seconds:.1f} s: "
            f"{accepted / max(seconds, 0.001):.0f} a second; "
            f"median {middle * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms",
            "good" if accepted == most else "warn",
        )
    for what, count in others.items():
        complain(f"{'once' if count == 1 else f'{count} times'} {what}", "bad")
