"""The example that fills a `TLSPolicy` from DNS, with a name server and a mail server at hand."""

from __future__ import annotations

import socket
import threading

import dns.rcode
import pytest

from examples import dane_and_mta_sts as example
from examples.names import Records, name_server


def test_what_comes_of_each_domain() -> None:
    came: dict[str, str] = {}
    example.try_all(came.__setitem__)
    over_tls = {domain for domain, text in came.items() if text.startswith("ACCEPTED")}
    assert over_tls == {
        "dane.example",
        "dane-certificate.example",
        # What no DNSSEC vouches for is no TLSA record; and one that means nothing for mail is not
        # held against a server.
        "unsigned.example",
        "unusable.example",
        "sts.example",
        "testing.example",
        "plain.example",
    }
    assert all(came[domain].endswith("over TLSv1.3") for domain in over_tls)
    assert "none of 1 TLSA records is about its certificate" in came["attacked.example"]
    assert "not named by the MTA-STS policy" in came["other-mx.example"]
    assert "for another name" in came["other-name.example"]
    assert "DANE-TA" in came["authority.example"]
    assert len(came) == 11


def test_an_mta_sts_policy() -> None:
    text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
    policy = example.StsPolicy.parse(text + "max_age: 604800\r\n")
    assert (policy.mode, policy.max_age) == ("enforce", 604800)
    assert policy.names("MAIL.example.com")
    assert policy.names("backup.example.net")
    # A star stands for one label (RFC 8461 section 4.1).
    assert not policy.names("a.b.example.net")
    assert not policy.names("example.net")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mode: enforce\nmax_age: 1",
        "version: STSv2\nmode: enforce\nmax_age: 1",
        "version: STSv1\nmode: always\nmax_age: 1",
        "version: STSv1\nmode: enforce\nmax_age: 1",
        "version: STSv1\nmode: testing\nmax_age: 1",
        "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: soon",
        "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: -1",
        "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 31557601",
        "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: " + "9" * 5000,
        "version: STSv1\nmode: enforce\nmx: mail.example.com",
    ],
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(ValueError, match="MTA-STS policy"):
        example.StsPolicy.parse(text)


@pytest.mark.parametrize(
    "answer, reason",
    [
        (b"302 Found\r\nLocation: http://127.0.0.1:1/", "302"),
        (b"404 Not Found", "404"),
        (b"200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000, "more than 64 KiB"),
    ],
)
def test_what_is_not_fetched(answer: bytes, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No redirection is followed, and nothing is cut off."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 " + answer + b"\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        with pytest.raises(OSError, match=reason):
            example.fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/mta-sts.txt")
        server.join(10)


def test_a_policy_of_none_needs_no_exchanger() -> None:
    assert example.StsPolicy.parse("version: STSv1\nmode: none\nmax_age: 1").mx == ()


def test_a_policy_that_cannot_be_had_counts_as_none() -> None:
    def fetch(url: str) -> str:
        raise OSError(f"nobody there: {url}")

    zone: dict[tuple[str, str], Records] = {("_mta-sts.example.org", "TXT"): '"v=STSv1; id=1;"'}
    with name_server(zone) as resolver:
        assert example.sts_policy(resolver, "example.org", fetch) is None
        assert example.sts_policy(resolver, "example.net", fetch) is None


def test_what_dns_does_not_say_has_to_wait() -> None:
    """A failure is not the same as "there is none": an attacker can cause one."""
    with name_server({("_mta-sts.example.org", "TXT"): dns.rcode.SERVFAIL}) as resolver:
        assert example.deliver(resolver, "example.org", fetch=str, port=25).startswith(
            "not delivered: TXT of _mta-sts.example.org"
        )


def test_mail_exchangers() -> None:
    zone: dict[tuple[str, str], Records] = {
        ("several.example", "MX"): ["20 b.example.", "10 a.example.", "30 c.example."],
        ("nobody.example", "MX"): "0 .",
        ("mx.unsigned.example", "MX"): "10 a.example.",
        ("implicit.example", "A"): "127.0.0.1",
    }
    with name_server(zone) as resolver:
        found = {name: example.mail_exchangers(resolver, name) for name, _ in zone}
        assert found["several.example"] == (["a.example", "b.example", "c.example"], True, True)
        assert found["nobody.example"] == ([], True, False)
        assert not found["mx.unsigned.example"].signed
        assert found["implicit.example"] == (["implicit.example"], True, True)
        # A host that is an exchanger itself passes mail on to better ones only.
        assert example.mail_exchangers(resolver, "several.example", "b.example").hosts == [
            "a.example"
        ]
