"""A person learns that a server keeps the program waiting."""

from __future__ import annotations

import threading

import pytest

from smtpproto.cli import patience as module
from smtpproto.cli.patience import Patience


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    told = threading.Event()

    def complain(text: str, style: str = "") -> None:
        found.append(text)
        told.set()

    monkeypatch.setattr(module, "complain", complain)
    monkeypatch.setattr(Patience, "told", told, raising=False)
    return found


def wait() -> None:
    assert Patience.told.wait(20)  # type: ignore[attr-defined]
    Patience.told.clear()  # type: ignore[attr-defined]


def test_what_is_awaited_is_named(notices: list[str]) -> None:
    with Patience("mx.example port 25", 0.05) as patience:
        wait()
        assert notices[0].startswith("mx.example port 25: no greeting for ")
        for line, expected in [
            (b"EHLO me.example", "no reply to EHLO for"),
            (b".", "no reply to the end of the content for"),
        ]:
            patience("S", b"220 ready", False)
            notices.clear()
            Patience.told.clear()  # type: ignore[attr-defined]
            patience("C", line, False)
            wait()
            assert expected in notices[0]


def test_nothing_is_said_while_it_is_our_turn(notices: list[str]) -> None:
    with Patience("mx.example port 25", 10) as patience:
        patience("S", b"220 ready", False)
        patience("C", b"DATA", False)
        patience("C", b"content", True)
    assert notices == []
