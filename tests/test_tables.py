"""Each entry of the tables of names, by what it does: a missing one is seen, and one too many."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import (
    Command,
    Data,
    Domain,
    LocalProtocolError,
    Noop,
    Protocol,
    Quit,
    Rcpt,
    Reply,
    Rset,
    Server,
    Session,
    TLSFacts,
)
from smtpproto.extensions import (
    Auth,
    Bdat,
    Chunking,
    EightBitMime,
    EnhancedStatusCodes,
    ExpnExtension,
    HelpExtension,
    Pipelining,
    ServerLimits,
    SmtpUtf8,
    StartTls,
    XClient,
    XClientCommand,
    XForward,
    XForwardCommand,
)
from smtpproto.extensions.known import KNOWN
from smtpproto.testing import Pair
from smtpproto.vocabulary.codes import default_enhanced, explain
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from tests.commands import mail, rcpt

LINES = {
    "EHLO": "EHLO c.example",
    "HELO": "HELO c.example",
    "LHLO": "LHLO c.example",
    "MAIL": "MAIL FROM:<>",
    "RCPT": "RCPT TO:<postmaster>",
    "DATA": "DATA",
    "RSET": "RSET",
    "NOOP": "NOOP",
    "QUIT": "QUIT",
    "VRFY": "VRFY bob",
    "HELP": "HELP",
    "EXPN": "EXPN list",
    "AUTH": "AUTH PLAIN AGEAYg==",
    "STARTTLS": "STARTTLS",
}
MINIMUM = ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY")


def code(pair: Pair, verb: str) -> int:
    """What a server answers to the usual line of a verb."""
    return int(pair.raw(LINES[verb])[:3])


# --- verbs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", MINIMUM)
def test_every_server_has_these(verb: str) -> None:
    """RFC 5321 section 4.5.1."""
    assert code(Pair.offering().hello(), verb) not in (500, 502)


VERBS = sorted({command.verb for kind in KNOWN for command in kind.commands} - {"BDAT"})


@pytest.mark.parametrize("verb", [*VERBS, "BDAT"])
def test_a_verb_that_is_known_and_not_in_use(verb: str) -> None:
    """RFC 5321 section 4.2.4: 502, not 500."""
    assert Pair.offering().hello().raw(f"{verb} x").startswith("502 ")
    assert Pair.offering().hello().raw(f"{verb}X x").startswith("500 ")


@pytest.mark.parametrize(
    "protocol, verb, known",
    [
        (Protocol.SMTP, "EHLO", True),
        (Protocol.SMTP, "HELO", True),
        (Protocol.SMTP, "LHLO", False),
        (Protocol.LMTP, "EHLO", False),
        (Protocol.LMTP, "HELO", False),
        (Protocol.LMTP, "LHLO", True),
    ],
)
def test_the_greeting_of_each_protocol(protocol: Protocol, verb: str, *, known: bool) -> None:
    """RFC 2033 section 4.1."""
    assert code(Pair.offering(protocol=protocol), verb) == (250 if known else 500)


@pytest.mark.parametrize("verb", LINES)
@pytest.mark.parametrize("protocol", Protocol)
def test_what_may_be_said_before_authentication(verb: str, protocol: Protocol) -> None:
    """RFC 4954 section 6."""
    pair = Pair.offering(
        *(StartTls(), HelpExtension(), ExpnExtension()),
        Auth(("PLAIN",), allow_plaintext=("PLAIN",), required=True),
        protocol=protocol,
    ).hello()
    allowed = ("EHLO", "HELO", "LHLO", "AUTH", "STARTTLS", "NOOP", "RSET", "QUIT")
    found = code(pair, verb)
    assert (found == 530) == (verb not in allowed)


@pytest.mark.parametrize("verb", LINES)
def test_what_may_be_said_before_tls(verb: str) -> None:
    """RFC 3207 section 4."""
    pair = Pair.offering(
        *(StartTls(required=True), HelpExtension(), ExpnExtension()),
        Auth(("PLAIN",), allow_plaintext=("PLAIN",)),
    ).hello()
    found = code(pair, verb)
    if verb in ("EHLO", "NOOP", "STARTTLS", "QUIT"):
        assert found in (220, 221, 250)
    elif verb in ("MAIL", "RCPT", "DATA", "RSET", "VRFY", "HELP", "EXPN", "AUTH"):
        assert found == 530


ANYTIME = ("NOOP", "HELP", "VRFY", "EXPN", "QUIT", "RSET")


@pytest.mark.parametrize("verb", ANYTIME)
@pytest.mark.parametrize("state", ["greeted", "ready", "mail", "rcpt", "chunks"])
@pytest.mark.parametrize("protocol", Protocol)
def test_what_may_be_said_at_any_time(verb: str, state: str, protocol: Protocol) -> None:
    """RFC 5321 section 4.1.4."""
    pair = Pair.offering(HelpExtension(), ExpnExtension(), Chunking(), protocol=protocol)
    states = ["ready", "mail", "rcpt", "chunks"]
    for step in states[: states.index(state) + 1] if state in states else ():
        if step == "ready":
            pair.hello()
        elif step == "chunks":
            assert pair.say(Bdat(0)).positive
        else:
            assert pair.say(mail() if step == "mail" else rcpt()).positive
    assert 200 <= code(pair, verb) < 300
    assert (pair.server.transaction is None) == (
        state in ("greeted", "ready") or verb in ("RSET", "QUIT")
    ) or verb == "QUIT"


# --- replies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["greeting", "EHLO", "HELO", "LHLO"])
def test_replies_without_an_enhanced_status_code(verb: str) -> None:
    """RFC 2034 section 4."""
    protocol = Protocol.LMTP if verb == "LHLO" else Protocol.SMTP
    server = Server("mx.example", [EnhancedStatusCodes()], protocol=protocol)
    if verb != "greeting":
        server.accept()
        server.data_to_send()
        server.receive_data(LINES[verb].encode() + b"\r\n")
        server.next_event()
    server.reject(554, "5.7.1", "no")
    assert server.data_to_send() == b"554 no\r\n"


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY"])
def test_replies_with_an_enhanced_status_code(verb: str) -> None:
    pair = Pair.offering(EnhancedStatusCodes()).hello()
    for before in (mail(), rcpt()) if verb == "DATA" else (mail(),) if verb == "RCPT" else ():
        pair.say(before)
    pair.server.receive_data(LINES[verb].encode() + b"\r\n")
    pair.server.next_event()
    pair.server.reject(554, "5.7.1", "no")
    assert pair.server.data_to_send() == b"554 5.7.1 no\r\n"


@pytest.mark.parametrize(
    "line, codes",
    [
        ("MAIL FROM:<j\u00f6@a.example>", "550 5.6.7"),
        ("RCPT TO:<j\u00f6@a.example>", "553 5.6.7"),
        ("rcpt TO:<j\u00f6@a.example>", "553 5.6.7"),
        ("VRFY j\u00f6", "500 5.5.2"),
        ("NOOP j\u00f6", "500 5.5.2"),
        ("EHLO j\u00f6.example", "500 5.5.2"),
    ],
)
def test_what_is_not_ascii(line: str, codes: str) -> None:
    """RFC 6531 section 3.5: the address is refused, elsewhere the line."""
    assert (
        Pair.offering(EnhancedStatusCodes()).hello().raw(line).startswith(f"{codes} expected ASCII")
    )


@pytest.mark.parametrize(
    "octets, text",
    [
        (b"NOOP " + b"x" * 3000 + b"\r\n", "too long"),
        (b"NOOP a\nb\r\n", "found LF alone"),
        (b"NOOP a\rb\r\n", "found CR alone"),
        (b"NOOP a\0b\r\n", "NUL octet"),
    ],
)
def test_each_fault_of_a_line(octets: bytes, text: str) -> None:
    server = Pair.offering().hello().server
    server.receive_data(octets)
    server.next_event()
    said = server.data_to_send().decode()
    assert said.startswith("500 ")
    assert text in said


@pytest.mark.parametrize(
    "answer, wanted",
    [
        (Reply(251, "2.1.5", "jos\u00e9@mx.example"), Reply(250, "2.1.5", "OK")),
        (Reply(551, "5.1.6", "jos\u00e9@mx.example"), Reply(550, "5.1.6", "user not local")),
    ],
)
@pytest.mark.parametrize("command", [mail(), rcpt()])
def test_a_forwarding_address_that_is_not_ascii(
    answer: Reply, wanted: Reply, command: Command
) -> None:
    """RFC 6531 section 3.7.4.1, also where MAIL is answered so and there is no transaction yet."""
    pair = Pair.offering(EightBitMime(), SmtpUtf8(), EnhancedStatusCodes()).hello()
    if isinstance(command, Rcpt):
        pair.say(mail())
    assert pair.say(command, answers=[answer]) == wanted


# --- explanations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb, same",
    [
        *((verb, "EHLO") for verb in ("HELO", "LHLO", "ehlo")),
        *((verb, "content") for verb in ("DATA", "BDAT", "BURL", "CONTENT")),
        *(("EXPN", "VRFY"), ("GREETING", "greeting")),
    ],
)
def test_verbs_that_are_explained_alike(verb: str, same: str) -> None:
    for number in range(200, 600):
        assert explain(number, "", verb) == explain(number, "", same)
        assert default_enhanced(number, verb) == default_enhanced(number, same)


@pytest.mark.parametrize(
    "verb, about",
    [
        ("greeting", "this connection"),
        ("EHLO", "this client"),
        ("MAIL", "this sender"),
        ("RCPT", "this recipient"),
        ("DATA", "this message"),
    ],
)
def test_what_an_explanation_is_about(verb: str, about: str) -> None:
    assert f"refuses {about}." in explain(550, "5.7.27", verb).meaning
    assert f"defers {about}." in explain(450, "4.7.27", verb).meaning


@pytest.mark.parametrize("code", [422, 432, 459])
def test_codes_of_4xx_where_the_same_again_does_not_help(code: int) -> None:
    assert not explain(code).retry


# --- attributes and limits ------------------------------------------------------------------------

TRUSTED = Session(peer="192.0.2.9")
VALUES = {
    "NAME": "spike.example",
    "ADDR": "192.0.2.1",
    "PORT": "25",
    "PROTO": "ESMTP",
    "HELO": "spike",
    "LOGIN": "alice",
    "DESTADDR": "192.0.2.2",
    "DESTPORT": "587",
    "IDENT": "4711",
    "SOURCE": "LOCAL",
}
XCLIENT = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
XFORWARD = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("verb", ["XCLIENT", "XFORWARD"])
def test_each_attribute_of_another_client(name: str, verb: str) -> None:
    networks = TrustedNetworks(["192.0.2.9/32"])
    pair = Pair.offering(XClient(networks), XForward(networks), session=TRUSTED).hello()
    kind, names = (XClientCommand, XCLIENT) if verb == "XCLIENT" else (XForwardCommand, XFORWARD)
    command = kind(((name, VALUES[name]),))
    if name in names:
        assert pair.say(command).positive
    else:
        with pytest.raises(LocalProtocolError):
            pair.client.send(command)
        assert pair.raw(command.line())[:1] == "5"


@pytest.mark.parametrize("name", ["mailmax", "rcptmax", "rcptdomainmax"])
def test_each_limit_that_a_server_announces(name: str) -> None:
    options: dict[str, Any] = {name: 7}
    offer = ServerLimits(**options)
    assert offer.line() == f"LIMITS {name.upper()}=7"
    found = Pair.offering(offer).hello().client.offered.get(ServerLimits)
    assert found is not None
    assert getattr(found, name) == 7


@pytest.mark.parametrize("command", [Data(), Rset(), Noop(), Quit(), Bdat(0, last=True)])
def test_what_a_client_may_say_once_the_envelope_is_full(command: Command) -> None:
    """RFC 9422 section 4: a limit on recipients refuses the next one, and nothing else."""
    pair = Pair.offering(Pipelining(), Chunking(), ServerLimits(rcptmax=2)).hello()
    pair.talk(mail(), rcpt(), rcpt())
    with pytest.raises(LocalProtocolError):
        pair.client.send(rcpt())
    assert pair.say(command).code < 400


# --- characters of U-labels -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "character", "\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u200c\u200d\u3007\u30fb"
)
def test_characters_that_are_valid_in_some_context(character: str) -> None:
    """RFC 5892 sections 2.6 and 2.7."""
    name = f"\u03b1{character}\u03b1.example"
    assert Domain.parse(name, utf8=True).name == name


def test_tls_ends_the_need_for_it() -> None:
    pair = Pair.offering(StartTls(required=True)).hello()
    assert pair.raw("STARTTLS").startswith("220 ")
    pair.server.tls_established(TLSFacts("TLSv1.3"))
    assert pair.raw("EHLO c.example").startswith("250")
    assert code(pair, "MAIL") == 250
