"""No client writes into the Received field more than it may say (RFC 5321 section 4.4)."""

from __future__ import annotations

from datetime import datetime, timezone
from email.parser import BytesHeaderParser

import pytest

from smtpproto import Session
from smtpproto.conversations import Envelope
from smtpproto.conversations.server.received import received
from smtpproto.vocabulary.lenient_commands import NoDomain

WHEN = datetime(2030, 1, 2, tzinfo=timezone.utc)


@pytest.mark.parametrize("name", ["x(", "x)(y", "a;b", '"', "a\\", "<a@b>", "x(;1-Jan-1970)"])
def test_a_name_that_is_no_domain_hides_nothing(name: str) -> None:
    """An open parenthesis makes a comment of the address behind it; a lenient server takes it."""
    session = Session(hostname="mx.example", peer="192.0.2.7", name=NoDomain(name), extended=True)
    field = received(session, Envelope.of("a@b", ["c@d"]), WHEN, "id1")
    value = BytesHeaderParser().parsebytes(field)["Received"]
    before, address, behind = value.partition("([192.0.2.7])")
    assert address
    assert not set('()<>;"\\') & set(before)
    assert behind.count(";") == 1


def test_a_name_that_is_merely_wrong_stays_readable() -> None:
    session = Session(hostname="mx.example", peer="192.0.2.7", name=NoDomain("my_host"))
    field = received(session, Envelope.of("a@b", ["c@d"]), WHEN, "id1")
    assert field.startswith(b"Received: from my_host ([192.0.2.7])")
