"""What probe finds, from what it has seen."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from smtpproto import TLSFacts
from smtpproto.cli.certificate_facts import Certificate
from smtpproto.cli.probe_findings import findings_of
from smtpproto.cli.probe_session import Probed, Seen
from smtpproto.extensions import (
    Auth,
    EightBitMime,
    EnhancedStatusCodes,
    ExpnExtension,
    Extension,
    Pipelining,
    Size,
    StartTls,
)

USUAL: tuple[Extension, ...] = (
    EightBitMime(),
    Pipelining(),
    EnhancedStatusCodes(),
    Size(1000),
)
GOOD = Seen("220 mx.example ESMTP", (*USUAL, StartTls()), None, (), (("EHLO", 0.01),))
TLS = TLSFacts(version="TLSv1.3", cipher="x")


def certificate(days: float) -> Certificate:
    now = datetime.now(timezone.utc)
    return Certificate("CN=mx", "CN=ca", now - timedelta(90), now + timedelta(days), ())


def inside(*offered: Extension, days: float = 90, tls: TLSFacts = TLS) -> Seen:
    return Seen(GOOD.greeting, (*USUAL, *offered), tls, (certificate(days),), GOOD.times)


def texts(probed: Probed) -> list[str]:
    return [f"{each.severity}: {each.text}" for each in findings_of(probed)]


def test_nothing_to_say() -> None:
    assert texts(Probed("mx.example", 25, GOOD, inside(), "")) == []


def test_tls() -> None:
    plain = Seen(GOOD.greeting, USUAL, None, (), ())
    (found,) = texts(Probed("mx.example", 25, plain, None, ""))
    assert found.startswith("warning: no STARTTLS")
    assert texts(Probed("127.0.0.1", 25, plain, None, "")) == []
    assert texts(Probed("mx.example", 25, GOOD, inside(), "not trusted\n- a hint")) == [
        "warning: not trusted"
    ]
    assert texts(Probed("mx.example", 587, GOOD, inside(Auth(("SCRAM-SHA-256",))), "no")) == [
        "error: no"
    ]
    assert texts(Probed("mx.example", 25, GOOD, inside(days=-2), "")) == [
        "error: certificate 1 has expired: CN=mx"
    ]
    assert texts(Probed("mx.example", 25, GOOD, inside(days=-2), "it has expired")) == [
        "error: it has expired"
    ]
    assert texts(Probed("mx.example", 25, GOOD, inside(days=3.5), "")) == [
        "warning: certificate 1 expires in 3 days"
    ]
    old = inside(StartTls(), tls=TLSFacts(version="TLSv1.1", cipher="x"))
    assert [text.split(":")[0] for text in texts(Probed("mx.example", 25, GOOD, old, ""))] == [
        "error",
        "warning",
    ]


def test_login() -> None:
    loud = Seen(GOOD.greeting, (*GOOD.offered, Auth(("PLAIN", "CRAM-MD5"))), None, (), ())
    found = texts(Probed("mx.example", 25, loud, inside(Auth(("PLAIN",))), ""))
    assert found[0].startswith("error: PLAIN before TLS")
    assert found[1].startswith("note: no SCRAM")
    assert found[2].startswith("note: CRAM-MD5 is out of use")
    (found_on_587,) = texts(Probed("mx.example", 587, GOOD, inside(), ""))
    assert found_on_587.startswith("warning: no AUTH on a port for submission")


def test_the_rest() -> None:
    odd = Seen("220 hello", (ExpnExtension(),), None, (), (("EHLO", 7.2),))
    found = texts(Probed("127.0.0.1", 25, odd, None, ""))
    assert found[0] == "warning: EHLO took 7 seconds"
    assert len([text for text in found if text.startswith("note: no ")]) == 4
    assert "note: the greeting does not name a full domain (RFC 5321 section 4.2)" in found
