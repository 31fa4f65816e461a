"""ANONYMOUS (RFC 4505)."""

from __future__ import annotations

import pytest

from smtpproto.sasl import (
    AdmitAnonymous,
    Anonymous,
    ClientExchange,
    Credentials,
    Identity,
    SASLError,
    SASLRefused,
    ServerExchange,
    Users,
)
from tests.sasl.driver import SECRET, context, exchange, wants


def test_the_example_of_the_rfc() -> None:
    here = ClientExchange(Anonymous(), Credentials(anonymous="sirhc"), context())
    assert here.initial == b"sirhc"
    there = ServerExchange(Anonymous(), context(), here.initial)
    assert wants(there) == AdmitAnonymous("sirhc")
    there.answer(True)
    assert there.identity == Identity("anonymous", "anonymous")


@pytest.mark.parametrize("admitted", [True, False])
def test_the_store_decides(admitted: bool) -> None:
    store = Users({}, secret=SECRET, anonymous=admitted)
    outcome = exchange(Anonymous(), Credentials(anonymous=""), store)
    assert outcome.believed is admitted
    assert isinstance(outcome.server_error, SASLRefused) is not admitted


@pytest.mark.parametrize("trace", [b"\xff", b"a\r\nb", b"x" * 1021])
def test_malformed(trace: bytes) -> None:
    with pytest.raises(SASLError) as found:
        ServerExchange(Anonymous(), context(), trace)
    assert found.value.code == 501


def test_the_client_sends_no_odd_trace() -> None:
    with pytest.raises(SASLError):
        ClientExchange(Anonymous(), Credentials(anonymous="a\r\nb"), context())


def test_it_has_to_be_asked_for() -> None:
    assert Anonymous().obstacle(Credentials(), context()) == "anonymity was not asked for"
    assert Anonymous().obstacle(Credentials(anonymous=""), context()) is None
