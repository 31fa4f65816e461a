"""What a test is told of a peer that is not there."""

from __future__ import annotations

import pytest

from tests.interop.peers import program, require


def test_a_missing_peer_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMTPPROTO_NO_PEERS", raising=False)
    monkeypatch.delenv("SMTPPROTO_REQUIRE_PEERS", raising=False)
    require(["sh"])
    with pytest.raises(pytest.skip.Exception, match="no-such-peer is not installed"):
        require(["no-such-peer"])
    monkeypatch.setenv("SMTPPROTO_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-peer is not installed"):
        require(["no-such-peer"])
    monkeypatch.setenv("SMTPPROTO_NO_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="sh is hidden"):
        require(["sh"])


def test_a_peer_that_was_not_asked_for_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="does not say that it needs it"):
        program("no-such-peer")
