"""What a client calls itself."""

from __future__ import annotations

import pytest

from smtpproto import LocalProtocolError
from smtpproto.conversations.names import client_name


@pytest.mark.parametrize(
    "given, host, address, name",
    [
        ("mail.example", "host", "192.0.2.1", "mail.example"),
        ("[192.0.2.9]", "host", "192.0.2.1", "[192.0.2.9]"),
        (None, "host.example", "192.0.2.1", "host.example"),
        # A name that nobody else knows is worth less than an address (RFC 5321 section 4.1.4).
        (None, "host", "192.0.2.1", "[192.0.2.1]"),
        (None, "my_host.example", "192.0.2.1", "[192.0.2.1]"),
        (None, "host", "2001:db8::1", "[IPv6:2001:db8::1]"),
        (None, "host", "fe80::1%eth0", "[IPv6:fe80::1]"),
        (None, "host", None, "localhost"),
    ],
)
def test_names(given: str | None, host: str, address: str | None, name: str) -> None:
    assert str(client_name(given, host, address)) == name


@pytest.mark.parametrize("given", ["", "my_host", "[x]", "a b", "a\r\nb"])
def test_what_is_no_name(given: str) -> None:
    with pytest.raises(LocalProtocolError):
        client_name(given, "host.example", None)
