"""SMTPUTF8 in both roles: who may use UTF-8, and what happens to the others."""

from __future__ import annotations

import pytest

from smtpproto import (
    Client,
    Command,
    Expn,
    ForwardPath,
    LocalProtocolError,
    Mail,
    Noop,
    Rcpt,
    Rejected,
    Reply,
    ReversePath,
    Vrfy,
)
from smtpproto.extensions import (
    Dsn,
    EightBitMime,
    EnhancedStatusCodes,
    ExpnExtension,
    Extension,
    HelpExtension,
    Orcpt,
    SmtpUtf8,
    SmtpUtf8Parameter,
    UnknownExtension,
)
from smtpproto.testing import Pair
from tests.commands import longest_line

DECLARED = (SmtpUtf8Parameter(),)
JOSE = ReversePath.of("josé@client.example")
ASCII = ReversePath.of("a@client.example")
ARNAUD = ForwardPath.of("рнo@пример.example")
B = ForwardPath.of("b@mx.example")
MOVED = Reply(251, "2.1.5", "will forward to josé@mx.example")


def pair(*extensions: Extension) -> Pair:
    return Pair.offering(
        EightBitMime(), SmtpUtf8(), Dsn(), ExpnExtension(), HelpExtension(), *extensions
    ).hello()


def refused(pair: Pair, command: Command) -> LocalProtocolError:
    """What a client says to it, before a byte is queued."""
    with pytest.raises(LocalProtocolError) as caught:
        pair.client.send(command)
    assert pair.client.data_to_send() == b""
    return caught.value


# --- the parameter ----------------------------------------------------------------------------


def test_it_takes_no_value() -> None:
    """RFC 6531 section 3.4."""
    with pytest.raises(LocalProtocolError, match="expected no value"):
        SmtpUtf8Parameter.parse("yes")
    assert pair().raw("MAIL FROM:<a@b.example> SMTPUTF8=yes").startswith("501 ")


def test_the_offer() -> None:
    assert SmtpUtf8().line() == "SMTPUTF8"
    # Section 3.1 item 3: a client ignores arguments.
    assert SmtpUtf8.parse_offer("later maybe") == SmtpUtf8()


def test_longer_lines() -> None:
    plain = longest_line("NOOP", EightBitMime(), SmtpUtf8())
    assert longest_line("MAIL", EightBitMime(), SmtpUtf8()) - plain >= 10
    assert longest_line("VRFY", EightBitMime(), SmtpUtf8()) - plain == 10
    assert longest_line("EXPN", EightBitMime(), SmtpUtf8(), ExpnExtension()) - plain == 10


# --- the envelope -----------------------------------------------------------------------------


def test_a_transaction_that_declares_it() -> None:
    both = pair()
    assert both.say(Mail(JOSE, DECLARED)).code == 250
    assert both.say(Rcpt(ARNAUD)).code == 250
    assert both.say(Rcpt(B)).code == 250


def test_a_transaction_that_does_not() -> None:
    """RFC 6531 section 3.5: 550 for MAIL, 553 for RCPT."""
    both = pair()
    assert (error := refused(both, Mail(JOSE))).code == 550
    assert error.enhanced == "5.6.7"
    both.say(Mail(ASCII))
    assert (error := refused(both, Rcpt(ARNAUD))).code == 553
    assert error.enhanced == "5.6.7"
    assert both.say(Rcpt(B)).code == 250


def test_a_server_refuses_the_same() -> None:
    both = pair(EnhancedStatusCodes())
    assert both.raw(f"MAIL FROM:{JOSE}").startswith("550 5.6.7 ")
    both.raw(f"MAIL FROM:{ASCII}")
    assert both.raw(f"RCPT TO:{ARNAUD}").startswith("553 5.6.7 ")
    assert both.raw(f"RCPT TO:{B}").startswith("250 ")


def test_the_null_reverse_path_and_postmaster() -> None:
    both = pair()
    assert both.say(Mail(ReversePath.of(""))).code == 250
    assert both.say(Rcpt(ForwardPath.of("postmaster"))).code == 250


def test_other_parameters_need_it_as_well() -> None:
    both = pair()
    original = Orcpt.of("josé@mx.example", smtputf8=True)
    both.say(Mail(ASCII))
    assert refused(both, Rcpt(B, (original,))).code == 553
    assert both.say(Rcpt(B, (Orcpt.of("josé@mx.example"),))).code == 250
    assert both.raw(f"RCPT TO:{B} {original}").startswith("553 ")


@pytest.mark.parametrize("domain", ["xn--e1afmkfd.example", "XN--E1AFMKFD.example"])
def test_a_labels_need_nothing(domain: str) -> None:
    both = pair()
    assert both.say(Mail(ReversePath.of(f"a@{domain}"))).code == 250
    assert both.say(Rcpt(ForwardPath.of(f"b@{domain}"))).code == 250


# --- where it is not offered ------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [Mail(JOSE), Mail(JOSE, DECLARED), Mail(ASCII, DECLARED), Vrfy("josé"), Vrfy("jo", DECLARED)],
)
def test_a_client_sends_none_of_it(command: Command) -> None:
    both = Pair.offering(EightBitMime()).hello()
    assert refused(both, command).code in (553, 555)


@pytest.mark.parametrize("helo", [False, True])
def test_a_server_without_it_reads_ascii(helo: bool) -> None:
    extensions = (EightBitMime(), SmtpUtf8()) if helo else (EightBitMime(),)
    both = Pair.offering(*extensions).hello(helo=helo)
    for line, code in [
        (f"MAIL FROM:{JOSE}", 550),
        (f"RCPT TO:{ARNAUD}", 553),
        ("VRFY josé", 500),
        ("NOOP é", 500),
        ("É", 500),
        ("EHLO é.example", 500),
    ]:
        assert both.raw(line).startswith(f"{code} expected ASCII")
        assert isinstance(both.events[-1], Rejected)
    assert both.raw(f"MAIL FROM:{ASCII} SMTPUTF8").startswith("555 ")


@pytest.mark.parametrize("line", [b"MAIL FROM:<\xe9@a.example> SMTPUTF8", b"VRFY \xed\xa0\x80"])
def test_octets_that_are_not_utf_8(line: bytes) -> None:
    both = pair()
    both.server.receive_data(line + b"\r\n")
    assert isinstance(both.server.next_event(), Rejected)
    assert both.server.data_to_send().startswith(b"500 expected UTF-8")


def test_utf_8_again_after_ehlo_only() -> None:
    both = pair()
    both.raw("HELO client.example")
    assert both.raw(f"MAIL FROM:{JOSE} SMTPUTF8").startswith("550 ")
    both.raw("EHLO client.example")
    assert both.raw(f"MAIL FROM:{JOSE} SMTPUTF8").startswith("250 ")


# --- VRFY and EXPN ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command, line",
    [
        (Vrfy("josé"), "VRFY josé"),
        (Vrfy("josé", DECLARED), "VRFY josé SMTPUTF8"),
        (Expn("the list", DECLARED), "EXPN the list SMTPUTF8"),
        (Vrfy("SMTPUTF8"), "VRFY SMTPUTF8"),
        (Vrfy("SMTPUTF8", DECLARED), "VRFY SMTPUTF8 SMTPUTF8"),
    ],
)
def test_questions(command: Vrfy | Expn, line: str) -> None:
    both = pair()
    assert command.line() == line
    assert both.say(command).code == 252
    assert both.events == [command]
    assert (command.get(SmtpUtf8Parameter) is None) == (not command.parameters)


def test_letter_case_of_the_parameter() -> None:
    both = pair()
    both.raw("VRFY josé smtputf8")
    assert both.events == [Vrfy("josé", DECLARED)]


def test_the_parameter_is_ascii() -> None:
    both = pair()
    both.raw("VRFY jo \N{LATIN SMALL LETTER LONG S}MTPUTF8")
    assert both.events == [Vrfy("jo \N{LATIN SMALL LETTER LONG S}MTPUTF8")]


def test_without_the_extension_the_word_belongs_to_the_string() -> None:
    both = Pair.offering()
    both.hello()
    both.raw("VRFY jo SMTPUTF8")
    assert both.events == [Vrfy("jo SMTPUTF8")]


def test_the_parameter_after_helo() -> None:
    both = Pair.offering(EightBitMime(), SmtpUtf8()).hello(helo=True)
    assert both.raw("VRFY jo SMTPUTF8").startswith("555 ")


# --- replies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Vrfy, Expn])
def test_a_reply_in_utf_8_to_who_asked_for_it(kind: type[Vrfy | Expn]) -> None:
    """RFC 6531 section 3.7.4.2: for this one command."""
    found = Reply(250, "2.1.5", "José <josé@mx.example>")
    both = pair(EnhancedStatusCodes())
    assert both.say(kind("jose", DECLARED), answers=[found]) == found
    reply = both.say(kind("jose"), answers=[found])
    assert (reply.code, reply.enhanced) == (252, "2.6.8")
    assert reply.text.isascii()


@pytest.mark.parametrize(
    "code, enhanced, said, said_enhanced",
    [
        (250, "2.1.5", 252, "2.6.8"),
        (251, "2.1.5", 252, "2.6.8"),
        (551, "5.1.6", 550, "5.6.8"),
        (553, "5.1.4", 550, "5.6.8"),
        (252, "2.1.5", 252, "2.6.8"),
        (550, "5.1.1", 550, "5.6.8"),
        (450, "4.2.1", 450, "4.6.8"),
    ],
)
def test_what_is_said_in_its_place(code: int, enhanced: str, said: int, said_enhanced: str) -> None:
    both = pair(EnhancedStatusCodes())
    reply = both.say(Vrfy("jose"), answers=[Reply(code, enhanced, "josé@mx.example")])
    assert (reply.code, reply.enhanced) == (said, said_enhanced)
    assert reply.text.isascii()


def test_forwarding_addresses() -> None:
    """RFC 6531 section 3.7.4.1: 251 and 551 become 250 and 550 where MAIL had no parameter."""
    not_local = Reply(551, "5.1.6", "please try josé@mx.example")
    both = pair(EnhancedStatusCodes())
    both.say(Mail(ASCII, DECLARED))
    assert both.say(Rcpt(B), answers=[MOVED]) == MOVED
    assert both.say(Rcpt(B), answers=[not_local]) == not_local
    both = pair(EnhancedStatusCodes())
    # Also where MAIL is answered so, and there is no transaction yet.
    assert both.say(Mail(ASCII), answers=[MOVED]) == Reply(250, "2.1.5", "OK")
    assert both.say(Rcpt(B), answers=[MOVED]) == Reply(250, "2.1.5", "OK")
    assert both.say(Rcpt(B), answers=[not_local]) == Reply(550, "5.1.6", "user not local")


def test_other_replies_are_ascii() -> None:
    both = pair()
    both.say(Mail(ASCII, DECLARED))
    assert both.say(Rcpt(B), answers=[Reply(550, "", "café")]).text == "caf\\xe9"
    assert both.say(Noop(), answers=[Reply(250, "", "café")]).text == "caf\\xe9"
    plain = Pair.offering().hello()
    assert plain.say(Noop(), answers=[Reply(250, "", "café")]).text == "caf\\xe9"
    assert plain.say(Vrfy("jo"), answers=[Reply(250, "", "café")]).text == "caf\\xe9"


def test_a_client_reads_utf_8_in_any_reply() -> None:
    client = Client()
    client.receive_data("220 café.example ESMTP\r\n".encode())
    reply = client.next_event()
    assert isinstance(reply, Reply)
    assert reply.text == "café.example ESMTP"


def test_a_private_extension_may_bring_utf_8_too() -> None:
    class Private(Extension):
        keyword = "X-UTF8"
        utf8 = True
        __slots__ = ()

    both = Pair.offering(Private(), known=[Private]).hello()
    assert both.say(Mail(JOSE)).code == 250
    assert both.say(Noop(), answers=[Reply(250, "", "café")]).text == "café"
    assert UnknownExtension("X-UTF8") not in list(both.client.offered)
