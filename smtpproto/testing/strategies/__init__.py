"""Hypothesis strategies for all values of SMTP.

    >>> from hypothesis import given
    >>> from smtpproto.testing import strategies as smtp
    >>> @given(smtp.mailboxes())
    ... def test_addresses(mailbox): ...

Each name is a function that returns a strategy.  Valid values here keep the bounds that every
server must accept (RFC 5321 section 4.5.3.1), so a correct server refuses none of them.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "smtpproto.testing.strategies and smtpproto.testing.stateful need the package hypothesis: "
        "python3 -m pip install hypothesis",
        name="hypothesis",
    ) from error

from .addresses import (
    address_literals,
    domains,
    forward_paths,
    local_parts,
    mailboxes,
    names,
    reverse_paths,
)
from .commands import (
    commands,
    mails,
    noops,
    offers,
    questions,
    rcpts,
)
from .octets import Cuts, contents, cuts, mutated, segmentations, segmented
from .parameters import parameters, parameters_of
from .replies import hostile_replies, replies
from .sessions import ClientSession, Message, sessions

del _hypothesis

__all__ = [
    "ClientSession",
    "Cuts",
    "Message",
    "address_literals",
    "commands",
    "contents",
    "cuts",
    "domains",
    "forward_paths",
    "hostile_replies",
    "local_parts",
    "mailboxes",
    "mails",
    "mutated",
    "names",
    "noops",
    "offers",
    "parameters",
    "parameters_of",
    "questions",
    "rcpts",
    "replies",
    "reverse_paths",
    "segmentations",
    "segmented",
    "sessions",
]
