"""What several verbs use: addresses of servers, outcomes for people."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..conversations import Status, Transcript

if TYPE_CHECKING:
    from ..conversations import Delivery, Outcome

__all__ = ["exit_status", "host_and_port", "outcome_line", "say", "transcript_to_stderr"]


def host_and_port(text: str) -> tuple[str, int]:
    """HOST:PORT, with an IPv6 address in brackets; the type of an option."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, found {text!r}")
    return host.strip("[]"), int(port)


def say(text: str) -> None:
    """Print a line at once, also where the output is a pipe."""
    print(text, flush=True)


def transcript_to_stderr() -> Transcript:
    """An observer that writes the conversation to standard error."""
    return Transcript(lambda line: print(line, file=sys.stderr, flush=True))


def outcome_line(outcome: Outcome) -> str:
    """One line about one recipient."""
    address = str(outcome.forward_path)
    if outcome.reply is not None:
        return f"{outcome.status.name.lower():8}  {address}  {outcome.reply}"
    return f"{outcome.status.name.lower():8}  {address}  {outcome.reason}"


def exit_status(delivery: Delivery) -> int:
    """0: all recipients accepted, 1: some, 2: none."""
    if delivery.complete:
        return 0
    return 1 if any(o.status is Status.ACCEPTED for o in delivery.outcomes) else 2
