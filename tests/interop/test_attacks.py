"""The published attacks against a server that is not ours: they find what it can be set to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smtpproto.testing import check_segmentation_invariance
from smtpproto.testing.attack_tests import AttackTests
from smtpproto.testing.attacks import SMUGGLING
from smtpproto.testing.socket_client import SocketClient
from tests.interop.peers import needs
from tests.interop.postfix import Postfix, postfix
from tests.programs import HOST

pytestmark = needs("postfix")


class AgainstPostfix(AttackTests):
    recipient = "alice@local.test"


@pytest.fixture(scope="module", params=["no", "yes"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Postfix, bool]]:
    """A Postfix, and whether it refuses to take a bare LF for the end of a line."""
    settings = {
        "smtpd_forbid_bare_newline": request.param,
        # By default it trusts clients on its own networks.
        "smtpd_forbid_bare_newline_exclusions": "",
    }
    with postfix(main=settings) as started:
        yield started, request.param == "yes"


@pytest.mark.parametrize("sequence", [b"\n.\r\n", b"\n.\n", b"\r\n.\n"], ids=repr)
def test_smuggling(server: tuple[Postfix, bool], sequence: bytes) -> None:
    started, strict = server
    assert sequence in SMUGGLING
    with SocketClient(HOST, started.port) as client:
        client.say("EHLO client.test")
        if strict:
            AgainstPostfix().test_one_message_stays_one(client, sequence)
        else:
            with pytest.raises(AssertionError, match=r"the message has two ends: \nS: 250 "):
                AgainstPostfix().test_one_message_stays_one(client, sequence)


def test_segments(server: tuple[Postfix, bool]) -> None:
    session = b"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@local.test>\r\nQUIT\r\n"
    check_segmentation_invariance((HOST, server[0].port), session)
