"""The messages that a test server has received, and waiting for them."""

from __future__ import annotations

import email
import email.policy
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..field_types import check_seconds, check_type

if TYPE_CHECKING:
    from email.message import EmailMessage

    from ..conversations.envelope import Envelope
    from ..vocabulary.session_facts import Session

__all__ = ["Inbox", "ReceivedMessage", "bare"]


def bare(path: object) -> str:
    """Return a path as text without angle brackets, such as "bob@mx.example"."""
    return str(path).removeprefix("<").removesuffix(">")


@dataclass(frozen=True)
class ReceivedMessage:
    """A message that a test server accepted.

    Arguments:
        envelope: the MAIL and RCPT commands, with their parameters; the accepted recipients only.
        content: the octets as they were received; a Received field is not added.
        session: `session.name` is the name in EHLO, `session.tls` the facts of TLS or None,
            `session.identity` the user who logged in or None.
    """

    envelope: Envelope
    content: bytes = field(repr=False)
    session: Session = field(repr=False)

    @property
    def sender(self) -> str:
        """The reverse-path, such as "alice@client.example"; empty for the null one."""
        return bare(self.envelope.reverse_path)

    @property
    def recipients(self) -> list[str]:
        """The forward-paths, such as ["bob@mx.example"]; those of Bcc are here too."""
        return [bare(path) for path in self.envelope.forward_paths]

    @cached_property
    def parsed(self) -> EmailMessage:
        """The content, parsed: `parsed["Subject"]`, `parsed.get_body().get_content()`.

        Its lines end with a line feed, as those of other messages of the package `email` do.
        """
        lines = self.content.replace(b"\r\n", b"\n")
        return email.message_from_bytes(lines, policy=email.policy.default)


class Inbox:
    """Messages in the order in which they were accepted; may be used by several threads."""

    def __init__(self) -> None:
        self._messages: list[ReceivedMessage] = []
        self._arrived = threading.Condition()

    @property
    def messages(self) -> list[ReceivedMessage]:
        """A new list of the messages so far."""
        with self._arrived:
            return list(self._messages)

    def add(self, message: ReceivedMessage) -> None:
        """Add a message."""
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()

    def clear(self) -> None:
        """Forget the messages."""
        with self._arrived:
            self._messages.clear()

    def wait_for(self, count: int, timeout: float) -> list[ReceivedMessage]:
        """Wait until there are so many messages at least; return all there are.

        Raises:
            TimeoutError: there are fewer after `timeout` seconds.
            ValueError: `timeout` is negative or not finite.
        """
        check_type("count", count, int)
        check_type("timeout", timeout, float)
        check_seconds(timeout=timeout)
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._messages) >= count, timeout):
                raise TimeoutError(
                    f"messages: expected {count} within {timeout:g} seconds, "
                    f"found {len(self._messages)}"
                )
            return list(self._messages)
