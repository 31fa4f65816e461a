"""A private extension, written outside the package: keyword, parameter, verb, and a row."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest

from smtpproto import Command, LocalProtocolError, Mail, Parameter, State
from smtpproto.extensions import Extension
from smtpproto.extensions.known import KNOWN
from smtpproto.testing import Pair
from smtpproto.vocabulary.states import Transition
from tests.commands import mail

EXAMPLE = Path(__file__).parents[2] / "examples" / "private_extension.py"
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Colour(Parameter):
    keyword = "X-COLOUR"
    name: str

    def __post_init__(self) -> None:
        if self.name not in COLOURS:
            raise LocalProtocolError(f"X-COLOUR: expected a colour, found {self.name[:64]!a}")

    def value(self) -> str:
        return self.name

    @classmethod
    def parse(cls, value: str | None) -> Colour:
        return cls((value or "").lower())


@dataclass(frozen=True, slots=True)
class Paint(Command):
    verb = "XPAINT"
    accepted = (250, "2.0.0", "painted")


@dataclass(frozen=True, slots=True)
class Colours(Extension):
    keyword = "X-COLOURS"
    parameters = {Mail: (Colour,)}
    commands = (Paint,)
    transitions = {State.READY: {"XPAINT": Transition()}}
    extra_length = {Mail: len(" X-COLOUR=green")}


def colourful() -> Pair:
    return Pair.offering(Colours(), known=(*KNOWN, Colours)).hello()


def test_both_roles_know_it() -> None:
    pair = colourful()
    assert pair.client.offered.get(Colours) == Colours()
    assert pair.say(Paint()).text == "painted"
    assert pair.say(mail(Colour("green"))).code == 250
    assert pair.server.transaction is not None
    assert pair.server.transaction.mail.get(Colour) == Colour("green")


def test_others_do_not_notice() -> None:
    pair = Pair.offering(Colours()).hello()
    assert Colours not in pair.client.offered
    assert pair.say(mail()).code == 250
    stranger = Pair.offering(known=(*KNOWN, Colours)).hello()
    with pytest.raises(LocalProtocolError, match="X-COLOUR is not offered here"):
        stranger.client.send(mail(Colour("red")))


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = capsys.readouterr().out
    for line in (
        "S: 250 X-COLOURS red green",
        "S: 250 painted",
        "   both sides remember: Painted() Painted()",
        "   the client will not say it: no blue here",
        "C: MAIL FROM:<author@example.org> X-COLOUR=green",
        "   the server was told: X-COLOUR=green",
    ):
        assert line in printed.splitlines()
