"""What a client calls itself."""

from __future__ import annotations

import pytest

from smtpproto import Domain, LocalProtocolError
from smtpproto.conversations.client.ehlo_name import client_name
from smtpproto.idn import to_ascii


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
        (None, "host", "::ffff:192.0.2.1", "[192.0.2.1]"),
        (None, "host", None, "localhost"),
        ("[IPv6:2001:db8::1]", "host", None, "[IPv6:2001:db8::1]"),
    ],
)
def test_names(given: str | None, host: str, address: str | None, name: str) -> None:
    assert str(client_name(given, host, address)) == name


@pytest.mark.parametrize("given", ["", "my_host", "[x]", "a b", "a\r\nb", "[x400:c=us]"])
def test_what_is_no_name(given: str) -> None:
    with pytest.raises(LocalProtocolError):
        client_name(given, "host.example", None)


@pytest.mark.parametrize("given", ["[x-mine:host]", "[IPv4:192.0.2.1]"])
def test_only_registered_tags_are_sent(given: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"no other tag is registered .*4\.1\.3"):
        client_name(given, "host.example", None)


def test_a_name_gets_a_labels() -> None:
    name = client_name("bücher.example", "host", None, to_ascii)
    assert name == Domain("xn--bcher-kva.example")
    assert client_name("mx.example", "host", None, to_ascii) == Domain("mx.example")


@pytest.mark.parametrize("given", ["a b\u00fc", "b\u00fc..example", "\u2029"])
def test_what_has_no_a_labels(given: str) -> None:
    with pytest.raises(LocalProtocolError):
        client_name(given, "host", None, to_ascii)


@pytest.mark.parametrize("given", ["bücher.example", "[bücher]"])
def test_a_name_is_ascii_whatever_the_server_offers(given: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"A-labels.*6531 section 3\.7\.1") as caught:
        client_name(given, "host.example", None)
    assert "SMTPUTF8" not in str(caught.value)
