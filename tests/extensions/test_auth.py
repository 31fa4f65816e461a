"""AUTH (RFC 4954): the command, its dialogue, its parameter; no mechanism is at work here."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    AuthResponse,
    Client,
    Ehlo,
    Limits,
    LocalProtocolError,
    Mailbox,
    Noop,
    Protocol,
    Quit,
    Rejected,
    RemoteProtocolError,
    Reply,
    Rset,
    Server,
    Session,
    State,
)
from smtpproto.engine.compiled_extensions import catalogue, read_offers
from smtpproto.extensions import (
    Auth,
    AuthCommand,
    AuthParameter,
    Chunking,
    EnhancedStatusCodes,
    ExpnExtension,
    HelpExtension,
    StartTls,
)
from smtpproto.extensions.known import KNOWN
from smtpproto.testing import Pair
from smtpproto.vocabulary.command_parser import parse
from tests.commands import CLIENT, mail

MECHANISMS = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
SECRET = b"\0alice\0wonderland"
ENCODED = base64.b64encode(SECRET).decode()
SECURE = Session(secure=True)
GRAMMAR = catalogue([Auth], Protocol.SMTP, Limits()).grammar


def secure_pair(*names: str, **options: object) -> Pair:
    auth = Auth(names or MECHANISMS, **options)  # type: ignore[arg-type]
    return Pair.offering(auth, EnhancedStatusCodes(), session=SECURE, client_session=SECURE).hello()


# --- the command ------------------------------------------------------------------------------


@given(st.binary())
def test_responses_are_read_again(octets: bytes) -> None:
    command = AuthCommand("PLAIN")
    assert command.parse_response(command.format_response(octets)) == octets


@pytest.mark.parametrize(
    "line, initial",
    # White space at the end of a line is tolerated (RFC 5321 section 4.1.1).
    [
        ("AUTH plain", None),
        ("AUTH PLAIN  ", None),
        ("auth Plain =", b""),
        (f"AUTH PLAIN {ENCODED}", SECRET),
    ],
)
def test_reading(line: str, initial: bytes | None) -> None:
    assert parse(line.encode(), GRAMMAR) == AuthCommand("PLAIN", initial)


@pytest.mark.parametrize(
    "line, enhanced",
    [
        ("AUTH", "5.5.4"),
        ("AUTH a.b", "5.5.4"),
        ("AUTH " + "X" * 21, "5.5.4"),
        ("AUTH  PLAIN", "5.5.2"),
        (f"AUTH PLAIN  {ENCODED}", "5.5.2"),
        (f"AUTH PLAIN {ENCODED}x", "5.5.2"),
        (f"AUTH PLAIN {ENCODED} {ENCODED}", "5.5.2"),
        ("AUTH PLAIN !!!!", "5.5.2"),
        ("AUTH PLAIN *", "5.5.2"),
        ("AUTH PLAIN AGE=AGE=", "5.5.2"),
        ("AUTH PLAIN AGF", "5.5.2"),
        ("AUTH PLAIN AGFB\tAGFB", "5.5.2"),
        # Bits in the padding that stand for nothing.
        ("AUTH PLAIN AB==", "5.5.2"),
    ],
)
def test_malformed_commands(line: str, enhanced: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse(line.encode(), GRAMMAR)
    assert (caught.value.code, caught.value.enhanced) == (501, enhanced)
    assert ENCODED[:8] not in str(caught.value)


def test_an_initial_response_cannot_be_missing_behind_a_space() -> None:
    with pytest.raises(LocalProtocolError, match="written '='"):
        AuthCommand.parse("PLAIN ", GRAMMAR)


def test_no_secret_is_shown() -> None:
    command = AuthCommand("PLAIN", SECRET)
    assert str(command) == "AUTH PLAIN (response)"
    assert str(AuthCommand("LOGIN")) == "AUTH LOGIN"
    for shown in (repr(command), str(command), repr(AuthResponse(SECRET))):
        assert "wonderland" not in shown
        assert ENCODED not in shown


# --- the dialogue -----------------------------------------------------------------------------


def test_success_at_once() -> None:
    pair = secure_pair()
    reply = pair.say(AuthCommand("PLAIN", SECRET))
    assert (reply.code, reply.enhanced) == (235, "2.7.0")
    assert pair.client.state is pair.server.state is State.READY


def test_a_dialogue() -> None:
    pair = secure_pair()
    challenge = Reply(334, "", base64.b64encode(b"who?").decode())
    assert pair.say(AuthCommand("LOGIN"), answers=[challenge]).text == "d2hvPw=="
    assert pair.client.state is pair.server.state is State.EXCHANGE
    assert pair.say(AuthResponse(b"alice"), answers=[Reply(334)]).code == 334
    assert pair.say(AuthResponse(b"")).code == 235
    responses = [event for event in pair.events if isinstance(event, AuthResponse)]
    assert [each.octets for each in responses] == [b"alice", b""]
    assert pair.say(mail()).code == 250


def test_a_refusal_of_several_lines() -> None:
    pair = secure_pair()
    pair.client.send(AuthCommand("PLAIN", SECRET))
    pair.client.receive_data(b"535-5.7.8 no\r\n535 5.7.8 such user\r\n")
    reply = pair.client.next_event()
    assert isinstance(reply, Reply)
    assert (reply.code, reply.enhanced, reply.lines) == (535, "5.7.8", ("no", "such user"))


def test_an_empty_challenge_has_its_space() -> None:
    pair = secure_pair()
    pair.server.receive_data(b"AUTH LOGIN\r\n")
    pair.server.next_event()
    pair.server.send(Reply(334))
    assert pair.server.data_to_send() == b"334 \r\n"


def test_the_client_gives_up() -> None:
    pair = secure_pair()
    pair.say(AuthCommand("LOGIN"), answers=[Reply(334)])
    pair.client.send(AuthResponse(None))
    assert pair.client.data_to_send() == b"*\r\n"
    answer = pair.raw("*")
    assert answer.startswith("501 5.7.0")
    pair.client.receive_data(answer.encode())
    assert isinstance(pair.client.next_event(), Reply)
    assert pair.client.state is pair.server.state is State.READY


@pytest.mark.parametrize("line", ["=", "a", "QUIT!", "d29u\tZGVy", "NOOP X", "\xe4"])
def test_a_response_that_is_none(line: str) -> None:
    pair = secure_pair()
    pair.say(AuthCommand("LOGIN"), answers=[Reply(334)])
    assert pair.raw(line).startswith("501 5.5.2")
    assert pair.server.state is State.READY
    assert pair.raw("NOOP").startswith("250")


@pytest.mark.parametrize("line", [b"d29u\nZGVy", b"d29u\rZGVy", b"d29u\0", b"A" * 12290])
def test_a_response_that_is_no_line(line: bytes) -> None:
    seen: list[bytes] = []
    server = Server(
        "mx.example",
        [Auth(MECHANISMS)],
        session=SECURE,
        observer=lambda _, octets, __: seen.append(octets),
    )
    server.accept()
    for sent in (b"EHLO c.example\r\n", b"AUTH LOGIN\r\n"):
        server.receive_data(sent)
        server.next_event()
        server.send(Reply(334)) if b"AUTH" in sent else server.accept()
    server.data_to_send()
    server.receive_data(line + b"\r\nNOOP\r\n")
    event = server.next_event()
    assert isinstance(event, Rejected)
    assert event.reply.code == 500
    assert server.state is State.READY
    assert server.next_event() == Noop()
    assert not any(b"d29u" in octets or b"AAAA" in octets for octets in seen)


def test_lines_may_be_long() -> None:
    pair = secure_pair()
    # 12,288 octets with CRLF.
    most = (12288 - 2 - len("AUTH PLAIN ")) // 4 * 3
    assert pair.say(AuthCommand("PLAIN", bytes(most))).code == 235
    pair = secure_pair()
    with pytest.raises(LocalProtocolError, match="expected at most 12288 octets"):
        pair.client.send(AuthCommand("PLAIN", bytes(most + 3)))
    pair.server.receive_data(b"AUTH PLAIN " + b"A" * 12279 + b"\r\n")
    event = pair.server.next_event()
    assert isinstance(event, Rejected)
    assert event.reply.code == 500


def test_challenges_may_be_long() -> None:
    pair = secure_pair()
    text = base64.b64encode(bytes(9000)).decode()
    assert pair.say(AuthCommand("PLAIN"), answers=[Reply(334, "", text)]).text == text
    assert pair.say(AuthResponse(b"x"), answers=[Reply(334, "", text)]).text == text
    assert pair.say(AuthResponse(b"x")).code == 235
    pair.server.receive_data(b"NOOP\r\n")
    pair.server.next_event()
    pair.server.send(Reply(250, "", text))
    assert max(map(len, pair.server.data_to_send().splitlines())) <= 510


def test_responses_have_a_limit() -> None:
    pair = secure_pair()
    pair.say(AuthCommand("PLAIN"), answers=[Reply(334)])
    with pytest.raises(LocalProtocolError, match="more than 12288"):
        pair.client.send(AuthResponse(bytes(9300)))


# --- where it is possible ---------------------------------------------------------------------


def test_once() -> None:
    pair = secure_pair()
    pair.server.authenticated("alice")
    pair.client.authenticated("alice")
    assert pair.raw("AUTH PLAIN").startswith("503 5.5.1 AUTH succeeded already")
    with pytest.raises(LocalProtocolError, match="succeeded already"):
        pair.client.send(AuthCommand("PLAIN"))
    # Said again, EHLO offers it no more.
    assert Auth not in pair.hello().client.offered


@pytest.mark.parametrize(
    "line",
    ["AUTH", "AUTH PLAIN", "AUTH X.Y", "AUTH PLAIN !", "AUTH PLAIN ", "AUTH OTHER", "auth"],
)
def test_a_second_auth_is_refused_in_every_form(line: str) -> None:
    """RFC 4954 section 4."""
    pair = secure_pair()
    pair.server.authenticated("alice")
    assert pair.raw(line).startswith("503")
    assert pair.raw("RSET").startswith("250")
    pair.say(mail())
    assert pair.raw(line).startswith("503")


def test_not_before_ehlo_nor_after_helo() -> None:
    pair = Pair.offering(Auth(MECHANISMS), session=SECURE)
    assert pair.raw("AUTH PLAIN").startswith("503")
    pair.hello(helo=True)
    assert pair.raw("AUTH PLAIN").startswith("503 AUTH is not offered in this session")


def test_a_mechanism_that_is_not_offered() -> None:
    pair = secure_pair()
    assert pair.raw("AUTH GSSAPI").startswith("504 5.5.4")
    with pytest.raises(LocalProtocolError) as caught:
        pair.client.send(AuthCommand("GSSAPI"))
    assert caught.value.code == 504


def test_in_plain_text() -> None:
    pair = Pair.offering(
        Auth(MECHANISMS, allow_plaintext=("SCRAM-SHA-256",)), EnhancedStatusCodes()
    ).hello()
    auth = pair.client.offered.get(Auth)
    assert auth is not None
    assert auth.mechanisms == ("SCRAM-SHA-256",)
    assert pair.raw("AUTH PLAIN").startswith("538 5.7.11")
    assert pair.raw("AUTH GSSAPI").startswith("504 5.5.4")
    assert pair.say(AuthCommand("SCRAM-SHA-256")).code == 235


def test_nothing_in_plain_text() -> None:
    pair = Pair.offering(Auth(MECHANISMS), EnhancedStatusCodes()).hello()
    assert Auth not in pair.client.offered
    assert pair.raw("AUTH PLAIN").startswith("538 5.7.11")
    assert pair.raw("AUTH GSSAPI").startswith("503 5.5.1")


def test_mechanisms_may_depend_on_the_session() -> None:
    def names(session: Session) -> tuple[str, ...]:
        return ("PLAIN",) if session.secure else ()

    pair = Pair.offering(Auth(("PLAIN", "X"), in_session=names), session=SECURE).hello()
    assert pair.client.offered.get(Auth) == Auth(("PLAIN",))
    assert Auth not in Pair.offering(Auth(("PLAIN", "X"), in_session=names)).hello().client.offered


def test_where_it_is_required() -> None:
    pair = secure_pair(required=True)
    reply = pair.say(mail())
    assert (reply.code, reply.enhanced) == (530, "5.7.0")
    for allowed in (Noop(), Rset(), Ehlo(CLIENT)):
        assert pair.say(allowed).code == 250
    assert pair.raw("AUTH PLAIN !").startswith("501 ")
    assert pair.say(AuthCommand("PLAIN", SECRET)).code == 235
    pair.server.authenticated("alice")
    assert pair.say(mail()).code == 250
    assert pair.say(Quit()).code == 221


@pytest.mark.parametrize("hello", [False, True])
def test_where_it_is_required_even_what_is_out_of_order_or_malformed(hello: bool) -> None:
    """RFC 4954 section 6: 530 to every command but AUTH, EHLO, HELO, NOOP, RSET and QUIT."""
    pair = Pair.offering(
        *(Auth(MECHANISMS, required=True), Chunking(), HelpExtension(), ExpnExtension()),
        session=SECURE,
    )
    if hello:
        pair.hello()
    lines = ["MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA", "BDAT 0 LAST", "VRFY bob", "HELP"]
    lines += ["EXPN list", "MAIL FROM:no", "MAIL", "DATA 1"]
    assert {line: pair.raw(line)[:3] for line in lines} == dict.fromkeys(lines, "530")
    assert pair.raw("RSET").startswith("250")
    assert pair.raw("EHLO !").startswith("501")
    assert pair.raw("QUIT").startswith("221")


def test_helo_does_not_get_around_it() -> None:
    pair = Pair.offering(Auth(MECHANISMS, required=True), session=SECURE).hello(helo=True)
    assert pair.say(mail()).code == 530


def test_lhlo_and_starttls_come_before_it() -> None:
    pair = Pair.offering(StartTls(), Auth(required=True), protocol=Protocol.LMTP).hello()
    assert pair.raw("MAIL FROM:<>").startswith("530 ")
    assert pair.raw("STARTTLS").startswith("220 ")


# --- offers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines, mechanisms",
    [
        (["AUTH PLAIN LOGIN"], ("PLAIN", "LOGIN")),
        (["auth plain PLAIN Login"], ("PLAIN", "LOGIN")),
        (["AUTH=PLAIN LOGIN"], ("PLAIN", "LOGIN")),
        (["AUTH=LOGIN", "AUTH NTLM LOGIN"], ("NTLM", "LOGIN")),
        (["AUTH NTLM LOGIN", "AUTH=LOGIN"], ("NTLM", "LOGIN")),
        (["AUTH a.b PLAIN " + "X" * 21], ("PLAIN",)),
        (["AUTH"], ()),
        (["AUTH PLAIN", "SIZE=100", "X=1", "=PLAIN"], ("PLAIN",)),
    ],
)
def test_reading_offers(lines: list[str], mechanisms: tuple[str, ...]) -> None:
    offered = read_offers(lines, catalogue(KNOWN, Protocol.SMTP, Limits()))
    assert offered.get(Auth) == Auth(mechanisms)


# --- AUTH= on MAIL ----------------------------------------------------------------------------


def test_the_parameter_in_use() -> None:
    pair = secure_pair()
    assert pair.say(mail(AuthParameter(Mailbox.parse("e+mc2@client.example")))).code == 250
    assert pair.say(Rset(), mail(AuthParameter(None))).code == 250
    assert str(AuthParameter(None)) == "AUTH=<>"


@pytest.mark.parametrize("value", ["", "=", "=bob", "=bob+3", "=bob+40mx+0D", "=<bob@mx.example>"])
def test_malformed_parameters(value: str) -> None:
    assert secure_pair().raw(f"MAIL FROM:<a@client.example> AUTH{value}").startswith("501 5.5.4")


# --- secrets ----------------------------------------------------------------------------------


def observed(*lines: bytes, extensions: tuple[Auth, ...] = ()) -> tuple[list[str], list[Rejected]]:
    """What an observer and an application see of lines from a client."""
    seen: list[str] = []
    events: list[Rejected] = []
    server = Server(
        "mx.example", extensions, observer=lambda _, octets, __: seen.append(octets.decode())
    )
    server.accept()
    for line in (b"EHLO c.example", *lines):
        server.receive_data(line + b"\r\n")
        event = server.next_event()
        if isinstance(event, Rejected):
            events.append(event)
        else:
            server.accept()
    return seen, events


@pytest.mark.parametrize("extensions", [(), (Auth(("PLAIN",), allow_plaintext=("PLAIN",)),)])
@pytest.mark.parametrize(
    "lines",
    [
        [f"AUTH PLAIN {ENCODED}!"],
        [f"auth plain {ENCODED} x"],
        [f"AUTH  PLAIN {ENCODED}"],
        [f" AUTH PLAIN {ENCODED}"],
        [f"AUTH\tPLAIN {ENCODED}"],
        [f"AUTHPLAIN {ENCODED}"],
        [f"XAUTH PLAIN {ENCODED}"],
        [f"AUTH PLAIN {ENCODED}\n"],
        [f"NOOP x\nAUTH PLAIN {ENCODED}"],
        [f"AUTH PLAIN {ENCODED}" + "=" * 600],
        [f"AUTH {ENCODED}"],
        ["AUTH GSSAPI", ENCODED],
        ["AUTH LOGIN\0", "Ym9i", "d29uZGVybGFuZA=="],
        ["AUTH NTLM", "wonderland"],
    ],
)
def test_no_line_with_a_secret_is_seen(lines: list[str], extensions: tuple[Auth, ...]) -> None:
    seen, events = observed(*(line.encode() for line in lines), extensions=extensions)
    assert events
    shown = "\n".join([*seen, *map(repr, events)])
    for secret in (ENCODED[:16], "wonderland", "d29uZGVybGFuZA", "Ym9i"):
        assert secret.upper() not in shown.upper()


def test_other_lines_are_seen() -> None:
    seen, _ = observed(b"MAIL FROM:<author@auth.example", b"FOO bar", b"AUTHENTIC")
    assert "MAIL FROM:<author@auth.example" in seen
    assert "FOO bar" in seen
    seen, _ = observed(b"AUTH PLAIN", b"FOO bar", b"MAIL FROM:<x", b"ETRN x")
    assert "(a line that is no command)" in seen
    assert "MAIL FROM:<x" in seen
    assert "ETRN x" in seen


def test_challenges_are_not_seen_either() -> None:
    seen: list[bytes] = []
    client = Client(observer=lambda _, octets, __: seen.append(octets), session=SECURE)
    client.receive_data(b"220 mx.example\r\n")
    client.next_event()
    client.send(Ehlo(CLIENT))
    client.receive_data(b"250-mx.example\r\n250 AUTH PLAIN\r\n")
    client.next_event()
    client.send(AuthCommand("PLAIN", SECRET))
    client.receive_data(f"334 {ENCODED}\r\n".encode())
    client.next_event()
    client.send(AuthResponse(SECRET))
    client.receive_data(b"535 no\r\n")
    client.next_event()
    assert seen[-4:] == [b"AUTH PLAIN (response)", b"334 (challenge)", b"(response)", b"535 no"]
    server_seen, _ = observed(
        b"AUTH PLAIN", extensions=(Auth(("PLAIN",), allow_plaintext=("PLAIN",)),)
    )
    assert server_seen[-1].startswith("235")


@pytest.mark.parametrize("line", [f"AUTH PLAIN {ENCODED}", f"334 {ENCODED}\r", f"33 {ENCODED}"])
def test_a_server_that_echoes_is_not_quoted(line: str) -> None:
    pair = secure_pair()
    pair.client.send(AuthCommand("PLAIN", SECRET))
    pair.client.receive_data(line.encode() + b"\r\n")
    with pytest.raises(RemoteProtocolError) as caught:
        pair.client.next_event()
    assert ENCODED not in str(caught.value)
    assert caught.value.__cause__ is None
