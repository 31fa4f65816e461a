"""A modest load for a server on this host: `send --repeat N --parallel M`."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from .. import sync
from ..conversations import Status
from ..conversations.client.message import header_of
from .common import CannotRun, is_here, reason
from .messages import parts_of
from .send_report import ERRORS
from .session_options import place
from .terminal import complain, progress, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from ..adapters.connecting import ConnectionSettings
    from ..conversations import Envelope
    from .messages import StoredMessage
    from .terminal import Progress

__all__ = ["send_repeatedly"]


class Loaded(NamedTuple):
    """A message in memory."""

    header: bytes
    body: bytes
    envelope: Envelope


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
    loaded = []
    try:
        for message in messages:
            header, envelope, body = parts_of(message.source, sender, recipients)
            loaded.append(Loaded(header, b"".join(body), envelope))
    except ERRORS as error:
        raise CannotRun(f"not sent: {reason(error)}") from None
    most = (options.repeat or 1) * len(loaded)
    with progress("sending", most, octets=False) as counted:
        run = _Run(settings, itertools.islice(itertools.cycle(loaded), most), counted)
        run.run(options.parallel or 1)
        seconds = counted.seconds
    return run.tell(most, seconds, place(options), as_json=options.json)


class _Run:
    """The work that several threads share."""

    def __init__(
        self, settings: ConnectionSettings, work: Iterator[Loaded], counted: Progress
    ) -> None:
        self._settings = settings
        self._work = work
        self._counted = counted
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._found: Counter[str] = Counter()

    def run(self, parallel: int) -> None:
        """Send all, and wait for the end."""
        threads = [threading.Thread(target=self._send_some) for _ in range(parallel)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _next(self) -> Loaded | None:
        with self._lock:
            return next(self._work, None)

    def _send_some(self) -> None:
        try:
            message = self._next()
            while message is not None:
                with sync.connect_with(self._settings) as client:
                    while message is not None and client.ready:
                        self._send(client, message)
                        message = self._next()
        except ERRORS as error:
            with self._lock:
                self._found[f"not sent: {reason(error)}"] += 1
                self._counted.advance(1)

    def _send(self, client: sync.Client, message: Loaded) -> None:
        began = time.monotonic()
        content = header_of(message.header, client.offered, client.to_ascii) + message.body
        delivery = client.send(message.envelope, content)
        worst = next((o for o in delivery.outcomes if o.status is not Status.ACCEPTED), None)
        with self._lock:
            self._times.append(time.monotonic() - began)
            if worst is None:
                self._found["accepted"] += 1
            else:
                self._found[f"{worst.status.name.lower()}: {worst.reply or worst.reason}"] += 1
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
                complain(f"{count} times {what}", "bad")
        return 0 if accepted == most else 1 if accepted else 2
