"""The example of SPF, DKIM and DMARC, with a name server at hand."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import authres
import dkim
import dns.rcode
import nacl.encoding
import nacl.signing
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import smtpproto.trio
from examples.mail_authentication import checks, dmarc
from examples.mail_authentication.handler import Authenticating
from examples.mail_authentication.signing import Key, signed
from examples.names import HOST, Records, Resolver, name_server
from smtpproto import Reply, ReversePath, Session, sync
from smtpproto.conversations import Status
from smtpproto.sync import Envelope, ProxyHeader, TrustedNetworks
from smtpproto.testing.strategies import contents
from smtpproto.wire.proxy_header_value import Endpoint, ProxyFamily
from tests.programs import until

RSA, ED25519 = Key.rsa("bank.example", "main"), Key.ed25519("bank.example", "second")
SUBDOMAIN = Key.ed25519("uk.bank.example", "uk")
UNPUBLISHED = Key.ed25519("bank.example", "unpublished")
Zone = dict[tuple[str, str], Records]
ZONE: Zone = {
    ("bank.example", "TXT"): '"v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all"',
    ("mx.bank.example", "TXT"): '"v=spf1 ip4:192.0.2.1 -all"',
    ("_dmarc.bank.example", "TXT"): ['"v=DMARC1; p=reject; sp=quarantine"', '"other"'],
    **{(key.name, "TXT"): key.txt for key in (RSA, ED25519, SUBDOMAIN)},
    ("thief.example", "TXT"): '"v=spf1 ip4:203.0.113.9 -all"',
    ("broken.example", "TXT"): '"v=spf1 ipv4:192.0.2.1 -all"',
    ("_dmarc.broken.example", "TXT"): '"v=DMARC1; p=perhaps"',
    ("down.example", "TXT"): dns.rcode.SERVFAIL,
    ("_dmarc.down.example", "TXT"): dns.rcode.SERVFAIL,
}
LETTER = b"From: Your bank <news@bank.example>\r\nSubject: hello\r\n\r\nDear customer.\r\n"
REJECTED = Reply(550, "5.7.26", "bank.example asks to reject this (DMARC)")


@dataclass
class Mail:
    """A message on its way, and where from."""

    content: bytes = LETTER
    address: str = "203.0.113.9"
    sender: str = "news@thief.example"
    name: str = "client.example"


@dataclass
class World:
    """A server that checks what arrives."""

    port: int = 0
    arrived: list[tuple[str, bytes]] = field(default_factory=list)

    def deliver(self, disposition: str, envelope: Envelope, content: bytes) -> None:
        self.arrived.append((disposition, content))

    def send(self, mail: Mail) -> Reply | None:
        """Send it from its address, as if through a proxy; the reply that refuses it."""
        family, own = (ProxyFamily.TCP6, "::1") if ":" in mail.address else (ProxyFamily.TCP4, HOST)
        header = ProxyHeader(
            family=family,
            source=Endpoint(mail.address, 50000),
            destination=Endpoint(own, 25),
        )
        with sync.connect(HOST, self.port, name=mail.name, proxy=header) as client:
            delivery = client.send(Envelope.of(mail.sender, "you@here.example"), mail.content)
        (outcome,) = delivery.outcomes
        return None if outcome.status is Status.ACCEPTED else outcome.reply

    def results(self, mail: Mail) -> list[str]:
        """What the field of an accepted message says."""
        assert self.send(mail) is None
        return [f"{each.method}={each.result}" for each in parsed(self.arrived.pop()[1])]


def parsed(stored: bytes) -> list[authres.core.AuthenticationResult]:
    own, *_ = checks.header_fields(stored)
    text = own[0].decode("ascii").replace("\r\n\t", " ").replace("\r\n", "")
    results: list[authres.core.AuthenticationResult] = authres.all_features().parse(text).results
    return results


@contextmanager
def world(zone: Zone) -> Iterator[World]:
    world = World()
    with name_server(zone) as resolver:
        handler = Authenticating("mx.here.example", resolver, world.deliver)
        with sync.serve(
            handler, hostname="mx.here.example", proxy=TrustedNetworks([HOST])
        ) as server:
            world.port = server.port
            yield world


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(ZONE) as world_:
        yield world_


HONEST = Mail(address="192.0.2.1", sender="news@bank.example")


def test_an_honest_message(here: World) -> None:
    assert here.send(HONEST) is None
    disposition, stored = here.arrived.pop()
    assert disposition == "none"
    # Nothing but fields on top of the octets that came.
    assert stored.endswith(LETTER)
    spf, policy = parsed(stored)
    assert (spf.method, spf.result, spf.smtp_mailfrom) == ("spf", "pass", "bank.example")
    assert (policy.method, policy.result, policy.header_from) == ("dmarc", "pass", "bank.example")


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::25"])
def test_the_address_is_that_of_the_client(here: World, address: str) -> None:
    """IPv4, IPv4 as IPv6, IPv6: what the proxy says."""
    assert here.results(replace(HONEST, address=address)) == ["spf=pass", "dmarc=pass"]


@pytest.mark.parametrize("address", ["203.0.113.9", "::ffff:203.0.113.9", "2001:db9::25"])
def test_a_forged_reverse_path(here: World, address: str) -> None:
    assert here.send(replace(HONEST, address=address)) == REJECTED
    assert here.arrived == []


def test_a_forged_from(here: World) -> None:
    """SPF passes, for the domain of the thief."""
    assert here.send(Mail()) == REJECTED
    assert here.arrived == []


def test_signatures_survive_forwarding(here: World) -> None:
    mail = Mail(signed(LETTER, RSA, ED25519), sender="list@forward.example")
    assert here.results(mail) == ["spf=none", "dkim=pass", "dkim=pass", "dmarc=pass"]


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize("old, new", [(b"Dear", b"Poor"), (b"Subject: hello", b"Subject: money")])
def test_a_changed_message(here: World, key: Key, old: bytes, new: bytes) -> None:
    assert here.send(Mail(signed(LETTER, key))) is None
    assert here.send(Mail(signed(LETTER, key).replace(old, new))) == REJECTED
    here.arrived.clear()


def test_a_signature_of_a_thief(here: World) -> None:
    """Only a domain that is the author's counts."""
    key = Key.ed25519("thief.example", "a")
    with world({**ZONE, (key.name, "TXT"): key.txt}) as there:
        assert there.send(Mail(signed(LETTER, key))) == REJECTED


def test_a_key_that_is_not_there(here: World) -> None:
    letter = LETTER.replace(b"bank.example", b"other.example")
    assert here.results(Mail(signed(letter, UNPUBLISHED))) == [
        "spf=pass",
        "dkim=permerror",
        "dmarc=none",
    ]


@pytest.mark.parametrize("tag", [b"l=0; ", b"a=rsa-sha1; "])
def test_signatures_that_prove_too_little(here: World, tag: bytes) -> None:
    """With a length one may add to the content; SHA-1 is broken."""
    content = signed(LETTER, RSA)
    new = tag if tag.startswith(b"a") else b"a=rsa-sha256; " + tag
    content = content.replace(b"a=rsa-sha256; ", new)
    assert here.send(Mail(content)) == REJECTED


def test_a_signature_without_the_author(here: World) -> None:
    """It would fit any From field (RFC 6376 section 6.1.1)."""
    message = dkim.DKIM(LETTER, signature_algorithm=b"ed25519-sha256")
    message.hasher = hashlib.sha256
    canonical = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    body = hashlib.sha256(canonical.canonicalize_body(message.body)).digest()
    tags = [
        *((b"v", b"1"), (b"a", b"ed25519-sha256"), (b"c", b"relaxed/relaxed")),
        *((b"d", b"bank.example"), (b"s", b"second"), (b"h", b"subject")),
        *((b"bh", base64.b64encode(body)), (b"b", b"0" * 60)),
    ]
    key = nacl.signing.SigningKey(ED25519.private, encoder=nacl.encoding.Base64Encoder)
    field = message.gen_header(tags, [b"subject"], canonical, b"DKIM-Signature", key)
    content = b"DKIM-Signature: " + field + LETTER
    with name_server(ZONE) as resolver:
        message = dkim.DKIM(content)
        assert message.verify(0, partial(checks.key_record, resolver, []))
    assert here.send(Mail(content)) == REJECTED


def test_a_local_part_with_an_at_sign() -> None:
    """The domain is what stands behind the last one."""
    zone: Zone = {**ZONE, ("thief.example\\@bank.example", "TXT"): '"v=spf1 +all"'}
    with world(zone) as there:
        assert there.send(Mail(sender='"news@thief.example"@bank.example')) == REJECTED


def test_the_null_reverse_path(here: World) -> None:
    """SPF then checks the name of EHLO."""
    bounce = Mail(address="192.0.2.1", sender="", name="mx.bank.example")
    assert here.results(bounce) == ["spf=pass", "dmarc=pass"]
    assert here.send(replace(bounce, address="203.0.113.9")) == REJECTED
    assert here.send(replace(bounce, name="[192.0.2.1]")) == REJECTED


@pytest.mark.parametrize(
    "header",
    [
        b"From: news@bank.example\r\nFrom: eve@thief.example\r\n",
        b"From: eve@thief.example\r\nfrom : news@bank.example\r\n",
        b"From: news@bank.example, eve@thief.example\r\n",
        b"From: eve@thief.example\r\nno field\r\nFrom: news@bank.example\r\n",
        b" folded\r\nFrom: eve@thief.example\r\n",
        b"Sender: eve@thief.example\r\n",
        b"From: people:;\r\n",
        b"From: eve\r\n",
    ],
)
def test_not_one_author(here: World, header: bytes) -> None:
    reply = here.send(Mail(header + b"Subject: hello\r\n\r\nHello.\r\n"))
    assert reply == Reply(550, "5.7.1", "the header needs one From field with one domain")


def test_records_that_cannot_be_read(here: World) -> None:
    letter = LETTER.replace(b"bank.example", b"broken.example")
    mail = Mail(letter, address="192.0.2.1", sender="news@broken.example")
    assert here.results(mail) == ["spf=permerror", "dmarc=permerror"]


def test_dns_that_fails(here: World) -> None:
    """The policy is not known, so the message has to wait."""
    reply = here.send(Mail(LETTER.replace(b"bank.example", b"down.example")))
    assert reply == Reply(451, "4.4.3", "the policy of down.example is not known now")


def test_a_check_that_fails_refuses_for_now() -> None:
    """What may have passed must not be refused for good."""
    zone: Zone = {**ZONE, ("bank.example", "TXT"): dns.rcode.SERVFAIL}
    wait = Reply(451, "4.4.3", "who speaks for bank.example is not known now")
    with world({**zone, (RSA.name, "TXT"): dns.rcode.SERVFAIL}) as there:
        assert there.send(HONEST) == wait
        assert there.send(Mail(signed(LETTER, RSA))) == wait
        # Another signature that passes is enough.
        mail = Mail(signed(LETTER, RSA, ED25519))
        assert there.results(mail) == ["spf=pass", "dkim=temperror", "dkim=pass", "dmarc=pass"]


@pytest.mark.parametrize(
    "record, kept",
    [
        ("p=none", "none"),
        ("p=quarantine", "quarantine"),
        ("p=reject", None),
        ("p=none; sp=reject", "none"),
        ("p=reject; t=y", "quarantine"),
        ("p=reject; pct=0", "quarantine"),
        ("P=reject", "none"),
    ],
)
def test_what_the_policy_asks_for(record: str, kept: str | None) -> None:
    with world({**ZONE, ("_dmarc.bank.example", "TXT"): f'"v=DMARC1; {record}"'}) as there:
        reply = there.send(Mail())
        assert reply == (REJECTED if kept is None else None)
        assert [disposition for disposition, _ in there.arrived] == ([kept] if kept else [])


def test_a_subdomain(here: World) -> None:
    """It has the policy of its organizational domain, in the tag "sp"."""
    letter = LETTER.replace(b"@bank", b"@uk.bank")
    assert here.send(Mail(letter)) is None
    ((disposition, _),) = here.arrived
    here.arrived.clear()
    assert disposition == "quarantine"
    # Relaxed alignment: each vouches for the other.
    assert here.results(Mail(signed(letter, RSA)))[1:] == ["dkim=pass", "dmarc=pass"]
    assert here.results(Mail(signed(LETTER, SUBDOMAIN)))[1:] == ["dkim=pass", "dmarc=pass"]


def test_strict_alignment() -> None:
    record = '"v=DMARC1; p=reject; adkim=s; aspf=s"'
    zone: Zone = {**ZONE, ("_dmarc.bank.example", "TXT"): record}
    with world(zone) as there:
        assert there.send(Mail(signed(LETTER, SUBDOMAIN))) == REJECTED
        assert there.send(replace(HONEST, sender="news@mx.bank.example")) == REJECTED
        assert there.results(HONEST)[-1] == "dmarc=pass"
        assert there.results(Mail(signed(LETTER, RSA)))[-1] == "dmarc=pass"


@pytest.mark.parametrize(
    "author, other, relaxed",
    [
        ("bank.example", "bank.example", True),
        ("bank.example", "uk.bank.example", True),
        ("a.bank.co.uk", "b.bank.co.uk", True),
        ("bank.co.uk", "thief.co.uk", False),
        ("bank.co.uk", "co.uk", False),
        ("bank.example", "notbank.example", False),
    ],
)
def test_alignment(author: str, other: str, relaxed: bool) -> None:
    assert dmarc.is_aligned(author, [other], strict=False) is relaxed
    assert dmarc.is_aligned(author, [other], strict=True) is (author == other)


@pytest.mark.parametrize(
    "forged",
    [
        b"Authentication-Results: mx.here.example; dmarc=pass header.from=bank.example\r\n",
        b"authentication-results : (;) MX.here.example;\r\n\tdmarc=pass\r\n",
        b'Authentication-Results: "mx\\.here.example" 1; none\r\n',
    ],
)
def test_a_forged_field_is_removed(here: World, forged: bytes) -> None:
    other = b"Authentication-Results: elsewhere.example; spf=fail smtp.mailfrom=a@b.example\r\n"
    assert here.send(replace(HONEST, content=forged + other + LETTER)) is None
    _, stored = here.arrived.pop()
    assert forged not in stored
    assert stored.endswith(other + LETTER)
    assert stored.lower().count(b"authentication-results") == 2


@pytest.mark.parametrize(
    "tag",
    [
        "d=bank.example\r\n\t; dmarc=pass; dkim=pass header.d=x",
        "d=a\r\n b.example",
        "d=(bank.example",
        'd=bank.example; a=x" dmarc=pass',
        f"d={'a.' * 500}example",
    ],
)
def test_nothing_can_be_added_to_the_field(here: World, tag: str) -> None:
    """Neither by a signature nor by a reverse-path: they are the sender's words."""
    signature = f"DKIM-Signature: v=1; s=x; h=from; bh=aa; b=aa; a=rsa-sha256; {tag}\r\n"
    letter = LETTER.replace(b"bank.example", b"other.example")
    mail = Mail(signature.encode() + letter, sender='"a b\\"; dmarc=pass (x"@thief.example')
    assert here.results(mail) == ["spf=pass", "dkim=permerror", "dmarc=none"]


def test_the_field_has_short_lines(here: World) -> None:
    letter = LETTER.replace(b"bank.example", b"other.example")
    signatures = b"".join(
        f"DKIM-Signature: v=1; a=rsa-sha256; s=x; h=from; bh=YQ==; b=YQ==; "
        f"d={'a' * 63}.{'b' * 63}.{number}.example\r\n".encode()
        for number in range(9)
    )
    assert here.send(Mail(signatures + letter)) is None
    field, *_ = checks.header_fields(here.arrived.pop()[1])
    assert max(map(len, field[0].splitlines())) < 200
    # So many signatures are not worth the lookups.
    assert field[0].count(b"dkim=permerror") == checks.SIGNATURES


def test_a_unix_socket_has_no_address() -> None:
    with name_server(ZONE) as resolver:
        session = Session(peer="/run/mail", name=None)
        findings = checks.check(
            resolver, session, Envelope.of("a@bank.example", "b@c.example").reverse_path, LETTER
        )
    assert [each.method for each in findings.results] == ["dmarc"]


class Watched(dict[tuple[str, str], Records]):
    """A zone that knows what it was asked for."""

    def __init__(self, zone: Zone) -> None:
        super().__init__(zone)
        self.asked: set[tuple[str, str]] = set()

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("kind", ["sync", "trio"])
def test_a_slow_name_server_holds_up_its_own_session_only(kind: str) -> None:
    slow = ("slow.example", "TXT")
    zone = Watched({**ZONE, slow: None})
    arrived: list[str] = []
    letter = LETTER.replace(b"bank.example", b"other.example")

    def deliver(disposition: str, envelope: Envelope, content: bytes) -> None:
        arrived.append(str(envelope.reverse_path))

    with name_server(zone) as resolver:
        resolver.timeout, resolver.lifetime = 0.2, 60
        handler = Authenticating("mx.here.example", resolver, deliver)
        serve = on_trio if kind == "trio" else on_threads
        with serve(handler) as port:
            mail = Mail(letter, sender="a@slow.example")
            waiting = threading.Thread(target=World(port).send, args=(mail,))
            waiting.start()
            until(lambda: slow in zone.asked, 20, "a lookup")
            assert World(port).send(replace(HONEST, content=letter)) is None
            assert arrived == ["<news@bank.example>"]
            zone[slow] = '"v=spf1 -all"'
            waiting.join()
    assert arrived == ["<news@bank.example>", "<a@slow.example>"]


@contextmanager
def on_threads(handler: Authenticating) -> Iterator[int]:
    with sync.serve(handler, proxy=TrustedNetworks([HOST]), hostname="mx.here.example") as server:
        yield server.port


class OverTrio:
    """The handler for trio."""

    def __init__(self, handler: Authenticating) -> None:
        self.handler = handler

    async def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply | None:
        return await trio.to_thread.run_sync(self.handler.message, session, envelope, content)


@contextmanager
def on_trio(handler: Authenticating) -> Iterator[int]:
    started = threading.Event()
    stop: list[tuple[trio.lowlevel.TrioToken, smtpproto.trio.Server]] = []

    async def main() -> None:
        settings = smtpproto.sync.ListeningSettings(
            proxy=TrustedNetworks([HOST]), hostname="mx.here.example"
        )
        async with trio.open_nursery() as nursery:
            server = await nursery.start(smtpproto.trio.serve_with, OverTrio(handler), settings)
            stop.append((trio.lowlevel.current_trio_token(), server))
            started.set()

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    assert started.wait(20)
    token, server = stop[0]
    try:
        yield server.port
    finally:
        trio.from_thread.run(server.stop, trio_token=token)
        thread.join()


@pytest.fixture(scope="module")
def resolver() -> Iterator[Resolver]:
    with name_server(ZONE) as resolver_:
        yield resolver_


TEXT = st.lists(
    st.sampled_from([b"<", b">", b"@", b'"', b"(", b")", b",", b":", b";", b"=?utf-8?q?", b"\xe4"])
    | st.sampled_from([b"v=1; a=rsa-sha256; d=bank.example; s=main; h=from; bh=", b"b=x;", b"l="])
    | st.sampled_from([b"bank.example", b"\r\n ", b" ", b"news", b"mx.here.example"])
    | st.binary(max_size=3),
    max_size=10,
).map(b"".join)
NAMES = st.sampled_from([b"From", b"DKIM-Signature", b"Authentication-Results", b"Subject"])
FIELDS = st.tuples(NAMES, TEXT).map(lambda each: b"%s:%s\r\n" % each)


@given(fields=st.lists(FIELDS, max_size=6), body=contents())
def test_any_octets_get_a_verdict(fields: list[bytes], body: bytes, resolver: Resolver) -> None:
    octets = b"".join([*fields, body])
    findings = checks.check(resolver, Session(peer="203.0.113.9"), ReversePath.of(""), octets)
    if findings.refusal is not None:
        return
    stored = checks.with_results(octets, "mx.here.example", findings)
    assert stored.startswith(b"Authentication-Results: mx.here.example;\r\n\t")
    assert len(parsed(stored)) == len(findings.results)
    assert stored.endswith(body)
