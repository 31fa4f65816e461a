"""No argument with CR, LF or NUL becomes a command of its own: those of the published attacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smtpproto import Domain, Ehlo, ForwardPath, LocalProtocolError, Noop, Vrfy
from smtpproto.conversations import Envelope
from smtpproto.testing import Pair
from smtpproto.testing.attacks import ARGUMENTS

WAYS: dict[str, Callable[[str], object]] = {
    "EHLO": lambda text: Ehlo(Domain(text)),
    "MAIL": lambda text: Envelope.of(text, ["b@example.com"]),
    "RCPT": lambda text: Envelope.of("a@example.com", [text]),
    "a path": ForwardPath.of,
    "NOOP": lambda text: Pair.offering().send(Noop(text)),
    "VRFY": lambda text: Pair.offering().hello().send(Vrfy(text)),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("way", WAYS)
def test_an_argument_is_refused(way: str, argument: str) -> None:
    with pytest.raises(LocalProtocolError):
        WAYS[way](argument)
