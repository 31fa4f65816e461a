"""MT-PRIORITY (RFC 6710)."""

from __future__ import annotations

import pytest

from smtpproto import LocalProtocolError, Session
from smtpproto.extensions import MtPriority, MtPriorityParameter
from smtpproto.extensions.mt_priority import granted_priority
from smtpproto.testing import Pair
from tests.commands import mail


@pytest.mark.parametrize("text", ["", "=10", "=-10", "=+1", "=-0", "=01", "=high", "=--1"])
def test_malformed_values(text: str) -> None:
    reply = (
        Pair.offering(MtPriority()).hello().raw(f"MAIL FROM:<a@client.example> MT-PRIORITY{text}")
    )
    assert reply.startswith("501 MT-PRIORITY: expected -9 to 9")


@pytest.mark.parametrize("level", [10, -10, pytest.param(10**5000, id="huge")])
def test_levels_that_cannot_be_written(level: int) -> None:
    with pytest.raises(LocalProtocolError, match="expected -9 to 9") as caught:
        MtPriorityParameter(level)
    assert caught.value.enhanced == "5.5.2"


@pytest.mark.parametrize("profile", ["", "MIXER", "STANAG4406", "NS-EP.1_a"])
def test_ehlo_lines(profile: str) -> None:
    extension = MtPriority(profile)
    assert extension.line() == f"MT-PRIORITY {profile}".rstrip()
    assert Pair.offering(extension).hello().client.offered.get(MtPriority) == extension


@pytest.mark.parametrize("profile", ["a b", "x" * 21, "a/b"])
def test_profiles_that_are_none(profile: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected the name of a policy"):
        MtPriority(profile)


@pytest.mark.parametrize(
    "level, identity, trusted, granted",
    [
        (3, None, False, 0),
        (3, "user", False, 3),
        (3, None, True, 3),
        (-3, None, False, -3),
        (None, "user", False, 0),
        (None, None, True, 0),
    ],
)
def test_only_a_known_or_trusted_client_raises_its_priority(
    level: int | None, identity: str | None, trusted: bool, granted: int
) -> None:
    command = mail() if level is None else mail(MtPriorityParameter(level))
    assert granted_priority(command, Session(identity=identity), trusted=trusted) == granted


@pytest.mark.parametrize("level", [-9, 0, 9])
def test_a_message_with_a_priority(level: int) -> None:
    pair = Pair.offering(MtPriority()).hello()
    assert pair.say(mail(MtPriorityParameter(level))).code == 250
    assert pair.events == [mail(MtPriorityParameter(level))]
