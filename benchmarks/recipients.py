"""What a recipient costs the client: ours, which pipelines, against smtplib, which cannot.

CPU time of this process for one message to 1,000 recipients; the server is a process of its own,
and the two clients take turns with it.  Prints microseconds for a recipient, and the ratio.
"""

from __future__ import annotations

import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from smtpproto import sync
from smtpproto.conversations import Envelope

RECIPIENTS = [f"user{number}@example.com" for number in range(1000)]
CONTENT = b"Subject: many\r\n\r\nHello, all of you.\r\n"
ROUNDS = 9
TARGET = 0.12
SERVE = [sys.executable, "-m", "smtpproto", "serve", "--listen", "127.0.0.1:0", "--discard"]


def ours(port: int) -> float:
    envelope = Envelope.of("sender@example.org", RECIPIENTS)
    with sync.connect("127.0.0.1", port, name="client.example.org") as client:
        start = time.process_time()
        delivery = client.send(envelope, CONTENT)
        spent = time.process_time() - start
    assert len(delivery.accepted) == len(RECIPIENTS)
    return spent


def theirs(port: int) -> float:
    with smtplib.SMTP("127.0.0.1", port, "client.example.org") as client:
        client.ehlo()
        start = time.process_time()
        refused = client.sendmail("sender@example.org", RECIPIENTS, CONTENT)
        spent = time.process_time() - start
    assert refused == {}
    return spent


def main() -> int:
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition(":")[2])
        try:
            clients: dict[str, Callable[[int], float]] = {"smtpproto": ours, "smtplib": theirs}
            spent: dict[str, list[float]] = {name: [] for name in clients}
            for _ in range(ROUNDS):
                for name, client in clients.items():
                    spent[name].append(client(port))
        finally:
            server.terminate()
    medians = {name: statistics.median(each) for name, each in spent.items()}
    for name, median in medians.items():
        print(f"{name:10} {median / len(RECIPIENTS) * 1e6:8.2f} us for each of 1,000 recipients")
    ratio = medians["smtpproto"] / medians["smtplib"]
    print(f"ratio      {ratio:8.3f}  (wanted: at most {TARGET})")
    return 1 if ratio > TARGET else 0


if __name__ == "__main__":
    sys.exit(main())
