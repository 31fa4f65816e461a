from __future__ import annotations

import dataclasses
import re
import sys
import tracemalloc
import unicodedata
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Client, Rejected, Server, State
from smtpproto.errors import LocalProtocolError, RemoteProtocolError
from smtpproto.limits import Limits
from smtpproto.testing import Pair
from smtpproto.testing import strategies as smtp
from smtpproto.vocabulary.addresses import Domain
from smtpproto.vocabulary.codes import explain
from smtpproto.vocabulary.command_base import Command
from smtpproto.vocabulary.commands import Data, Ehlo, Helo, Quit, Rcpt
from smtpproto.vocabulary.paths import ForwardPath
from smtpproto.vocabulary.replies import (
    DOMAIN_ACCEPTS_NO_MAIL,
    HOST_ACCEPTS_NO_MAIL,
    Reply,
    ReplyReader,
    format_reply,
    sendable,
)
from tests.commands import mail, rcpt

RCPT = Rcpt(ForwardPath.of("user@example.org"))
EHLO = Ehlo(Domain("client.example"))


def received(
    lines: Sequence[bytes], command: Command | None = None, recipient: Rcpt | None = None
) -> Reply:
    """What a client makes of the lines of one reply."""
    reader = ReplyReader(Limits())
    *others, last = lines
    assert [reader.feed(line, command) for line in others] == [None] * len(others)
    reply = reader.feed(last, command, recipient)
    assert reply is not None
    assert reader.code == 0
    return reply


# --- Reply: what is allowed ----------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 211, 250, 259, 354, 421, 450, 500, 550, 559])
def test_codes(code: int) -> None:
    assert Reply(code).code == code


@pytest.mark.parametrize("code", [-1, 0, 25, 99, 199, 260, 299, 360, 499, 560, 599, 600, 1250])
def test_what_is_no_code(code: int) -> None:
    with pytest.raises(LocalProtocolError, match=rf"{code} is no reply code .*section 4\.2"):
        Reply(code)


@pytest.mark.parametrize(
    "code, enhanced",
    [(250, "2.0.0"), (250, "2.1.5"), (450, "4.7.100"), (550, "5.1.10"), (550, "5.999.999")],
)
def test_enhanced_status_codes(code: int, enhanced: str) -> None:
    assert Reply(code, enhanced).enhanced == enhanced


@pytest.mark.parametrize(
    "code, enhanced",
    [
        (550, "4.1.1"),
        (250, "5.0.0"),
        (354, "2.0.0"),
        (354, "3.0.0"),
        (550, "5.1"),
        (550, "5.1.1.1"),
        (550, "5.01.1"),
        (550, "5.1.1000"),
        (550, "5.1.1 "),
        (550, "5.1.1\n"),
        (550, "5.1.١"),
        (550, "no"),
    ],
)
def test_enhanced_status_codes_that_do_not_fit(code: int, enhanced: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"is no enhanced status code for {code} .*3463"):
        Reply(code, enhanced)


@pytest.mark.parametrize(
    "text",
    ["", "OK", "a\tb", "two\nlines", "\n", "  spaces  ", "naïve", "邮箱", "\u00a0", "\U0001f4e7"],
)
def test_texts(text: str) -> None:
    assert Reply(250, text=text).text == text


@pytest.mark.parametrize(
    "control", [*map(chr, range(9)), "\x0b", "\x0c", "\r", "\x1b", "\x7f", "\x85", "\x9b"]
)
def test_control_characters_are_refused(control: str) -> None:
    with pytest.raises(LocalProtocolError, match="control character") as caught:
        Reply(250, text=f"a{control}b")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("arguments", [("250",), (250, 2.0), (None, "")])
def test_values_of_the_wrong_type(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match=r"expected (int|str), found"):
        Reply(*arguments)


def test_an_error_does_not_repeat_a_long_text() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        Reply(250, text="x" * 5000 + "\r")
    assert len(str(caught.value)) < 200


def test_a_reply_is_a_value() -> None:
    reply = Reply(250, "2.1.5", "OK")
    assert reply == Reply(250, "2.1.5", "OK", command=RCPT, recipient=RCPT)
    assert hash(reply) == hash(Reply(250, "2.1.5", "OK", command=RCPT))
    assert reply != Reply(250, "2.1.5", "fine")
    with pytest.raises(dataclasses.FrozenInstanceError):
        reply.code = 550  # type: ignore[misc]  # what is tried here


# --- Reply: what it tells -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code, kind",
    [
        *((200, "positive"), (259, "positive"), (300, "intermediate"), (354, "intermediate")),
        *((400, "transient"), (459, "transient"), (500, "permanent"), (559, "permanent")),
    ],
)
def test_the_first_digit_decides(code: int, kind: str) -> None:
    reply = Reply(code)
    kinds = ("positive", "intermediate", "transient", "permanent")
    assert [name for name in kinds if getattr(reply, name)] == [kind]
    assert reply.negative == (kind in {"transient", "permanent"})


@pytest.mark.parametrize(
    "text, lines", [("", ("",)), ("OK", ("OK",)), ("a\nb", ("a", "b")), ("\n\n", ("", "", ""))]
)
def test_lines(text: str, lines: tuple[str, ...]) -> None:
    assert Reply(250, text=text).lines == lines


@pytest.mark.parametrize(
    "reply, text",
    [
        (Reply(250), "250"),
        (Reply(250, text="OK"), "250 OK"),
        (Reply(550, "5.1.1"), "550 5.1.1"),
        (Reply(550, "5.1.1", "No such user"), "550 5.1.1 No such user"),
    ],
)
def test_printed(reply: Reply, text: str) -> None:
    assert str(reply) == text


def test_explained_with_its_command() -> None:
    assert Reply(550, "5.7.1", "no", command=RCPT).explain() == explain(550, "5.7.1", "RCPT")
    assert Reply(550, "5.7.1", "no").explain() == explain(550, "5.7.1")


# --- format_reply ---------------------------------------------------------------------------------

LINES = [
    # reply, what it answers, enhanced status codes on, lines
    (Reply(250), "NOOP", False, [b"250"]),
    (Reply(250, "2.0.0", "OK"), "NOOP", False, [b"250 OK"]),
    (Reply(250, "2.0.0", "OK"), "NOOP", True, [b"250 2.0.0 OK"]),
    (Reply(250, "2.0.0"), "NOOP", True, [b"250 2.0.0"]),
    (Reply(250, "", "OK"), "RCPT", True, [b"250 2.1.5 OK"]),
    (Reply(550), "DATA", True, [b"550 5.7.1"]),
    (Reply(250, "", "a\nb\nc"), "", False, [b"250-a", b"250-b", b"250 c"]),
    (Reply(550, "5.7.1", "a\nb"), "", True, [b"550-5.7.1 a", b"550 5.7.1 b"]),
    (Reply(250, "", "\n"), "", False, [b"250-", b"250"]),
    (Reply(250, "2.0.0", "\n"), "", True, [b"250-2.0.0 ", b"250 2.0.0"]),
    # RFC 2034 section 4: neither the greeting nor EHLO nor 3xx.
    (Reply(220, "", "mx.example ESMTP"), "greeting", True, [b"220 mx.example ESMTP"]),
    (Reply(554, "5.7.1", "go away"), "greeting", True, [b"554 go away"]),
    (
        Reply(250, "", "mx.example\nPIPELINING"),
        "EHLO",
        True,
        [b"250-mx.example", b"250 PIPELINING"],
    ),
    (Reply(250, "2.0.0", "mx.example"), "HELO", True, [b"250 mx.example"]),
    (Reply(250, "", "mx.example"), "LHLO", True, [b"250 mx.example"]),
    (Reply(354, "", "go on"), "DATA", True, [b"354 go on"]),
    (Reply(334, "", ""), "AUTH", True, [b"334 "]),
    # Spaces of the text are the text's.
    (Reply(250, "", " a "), "", False, [b"250  a "]),
]


@pytest.mark.parametrize("reply, verb, enhanced, lines", LINES)
def test_format(reply: Reply, verb: str, enhanced: bool, lines: list[bytes]) -> None:
    assert format_reply(reply, verb, enhanced=enhanced) == tuple(lines)


@pytest.mark.parametrize(
    "text, utf8, line",
    [
        ("naïve", False, b"250 na\\xefve"),
        ("naïve", True, "250 naïve".encode()),
        ("邮箱", False, b"250 \\u90ae\\u7bb1"),
        ("邮箱", True, "250 邮箱".encode()),
        ("\U0001f4e7", False, b"250 \\U0001f4e7"),
        ("\u00a0", True, b"250 \xc2\xa0"),
        # A lone surrogate is no text in any encoding.
        ("\ud800", True, b"250 \\ud800"),
        ("\ud800", False, b"250 \\ud800"),
    ],
)
def test_format_beyond_ascii(text: str, utf8: bool, line: bytes) -> None:
    assert format_reply(Reply(250, text=text), "NOOP", enhanced=False, utf8=utf8) == (line,)


@pytest.mark.parametrize(
    "text, enhanced, utf8",
    [
        ("x" * 506, False, False),
        ("x" * 500, True, False),
        ("x" * 506 + "\n" + "y" * 506, False, False),
        ("ü" * 253, False, True),
        ("ü" * 126, False, False),
    ],
)
def test_the_longest_lines(text: str, enhanced: bool, utf8: bool) -> None:
    """RFC 5321 section 4.5.3.1.5: 512 octets with code and CRLF."""
    lines = format_reply(Reply(250, text=text), "NOOP", enhanced=enhanced, utf8=utf8)
    assert max(map(len, lines)) <= 510


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "word " * 300,
        "x" * 507,
        "x" * 5000,
        "x" * 600 + "\nshort",
        " " * 600,
        "ü" * 600,
        "邮 箱" * 300,
        "\U0001f4e7" * 300,
    ],
)
def test_a_text_too_long_for_a_line_is_split(text: str, enhanced: bool, utf8: bool) -> None:
    """A reason is told, however long: a refusal must not become another one for that."""
    lines = format_reply(Reply(550, "5.7.1", text), "RCPT", enhanced=enhanced, utf8=utf8)
    assert len(lines) > 1
    assert max(map(len, lines)) <= 510
    got = received(lines, RCPT)
    assert (got.code, got.enhanced) == (550, "5.7.1" if enhanced else "")
    shown = text if utf8 else text.encode("ascii", "backslashreplace").decode("ascii")
    assert re.sub(r"\s", "", got.text) == re.sub(r"\s", "", shown)


def test_words_stay_whole_where_a_text_is_split() -> None:
    lines = format_reply(Reply(550, text="reason " * 200), "RCPT", enhanced=False)
    assert {word for line in lines for word in line[4:].split()} == {b"reason"}


@pytest.mark.parametrize(
    "reply, verb",
    [
        (Reply(250, text="mx.example\n" + "X" * 507), "EHLO"),
        (Reply(250, text="mx.example\n" + "X" * 507), "LHLO"),
        (Reply(334, text="x" * 12283), "AUTH"),
    ],
)
def test_lines_for_programs_are_not_split(reply: Reply, verb: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"{reply.code} has more than (512|12288) octets"):
        format_reply(reply, verb, enhanced=True)


@pytest.mark.parametrize("code, sent", [(260, 250), (399, 354), (471, 451), (571, 554), (599, 554)])
def test_what_was_received_can_be_passed_on(code: int, sent: int) -> None:
    """A server says the codes of RFC 5321 section 4.2, a relay's server may have said others."""
    got = received([b"%d %d.7.1 no" % (code, code // 100)], RCPT)
    assert sendable(got) == Reply(sent, got.enhanced, got.text)
    assert sendable(Reply(550, text="no")) == Reply(550, text="no")


# --- ReplyReader ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line, code, text",
    [
        (b"250 OK", 250, "OK"),
        (b"250", 250, ""),
        (b"250 ", 250, ""),
        (b"250  two spaces ", 250, " two spaces "),
        (b"559 -", 559, "-"),
        (b"220 na\xc3\xafve", 220, "naïve"),
        # Any two digits behind the first (RFC 5321 section 4.3.2).
        *((b"%d no" % code, code, "no") for code in (260, 299, 360, 471, 499, 571, 599)),
        # No UTF-8: ISO 8859-1.
        (b"220 na\xefve", 220, "naïve"),
        (b"220 na\xc3\xafve \xe9", 220, "naÃ¯ve é"),
        # Control characters could steer a terminal.
        (b"220 a\x00\rb\n", 220, "a??b?"),
        (b"220 a\tb", 220, "a\tb"),
        (b"220 \x1b[31mred\x7f", 220, "?[31mred?"),
        (b"220 \xc2\x9b31m", 220, "Â?31m"),
        (b"220 \x9b31m", 220, "?31m"),
    ],
)
def test_one_line(line: bytes, code: int, text: str) -> None:
    reply = received([line])
    assert (reply.code, reply.text) == (code, text)


def test_several_lines() -> None:
    reader = ReplyReader(Limits())
    assert reader.code == 0
    assert reader.feed(b"250-mx.example") is None
    assert reader.code == 250
    assert reader.feed(b"250-") is None
    assert reader.feed(b"250 SIZE 1000") == Reply(250, text="mx.example\n\nSIZE 1000")
    assert reader.code == 0
    assert reader.feed(b"354 go on") == Reply(354, text="go on")


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b" ",
            b"25",
            b"250OK",
            b"250\tOK",
            b"2500 OK",
            b" 250 OK",
            b"OK 250",
            b"+OK",
            b"\xff",
        ),
        *(b"150 no", b"600 no", b"2a0 no", b"\xd9\xa2\xd9\xa5\xd9\xa0 no"),
    ],
)
def test_what_is_no_line_of_a_reply(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"expected a reply code and text.*section 4\.2"):
        ReplyReader(Limits()).feed(line)


def test_an_error_shows_the_beginning_of_the_line() -> None:
    with pytest.raises(RemoteProtocolError, match=r"found b'HTTP/1\.1 400") as caught:
        ReplyReader(Limits()).feed(b"HTTP/1.1 400 Bad Request " + b"x" * 5000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("line", [b"250 OK", b"250-OK", b"553 no", b"450 no"])
def test_the_lines_of_a_reply_have_one_code(line: bytes) -> None:
    reader = ReplyReader(Limits())
    reader.feed(b"550-a")
    with pytest.raises(
        RemoteProtocolError, match=rf"begin with 550 and {line[:3].decode()}.*{line!r}"
    ):
        reader.feed(line)


@pytest.mark.parametrize("code", [b"421", b"521", b"571"])
def test_a_reply_may_turn_into_a_refusal(code: bytes) -> None:
    """Some servers find out that late whom they talk to; their reason is what helps."""
    got = received([b"220-mx.example", code + b"-blocked", code + b" see https://mx.example"])
    assert got.code == int(code)
    assert got.text == "mx.example\nblocked\nsee https://mx.example"
    reader = ReplyReader(Limits())
    for line in (b"220-mx.example", b"521-blocked"):
        reader.feed(line)
    with pytest.raises(RemoteProtocolError, match="begin with 521 and 220"):
        reader.feed(b"220 mx.example")


def test_the_number_of_lines_is_limited() -> None:
    reader = ReplyReader(Limits(reply_lines=3))
    for _ in range(2):
        reader.feed(b"250-a")
    assert reader.feed(b"250 a") == Reply(250, text="a\na\na")
    for _ in range(3):
        assert reader.feed(b"250-a") is None
    with pytest.raises(RemoteProtocolError, match="a reply has more than 3 lines"):
        reader.feed(b"250 a")


# --- The enhanced status code ---------------------------------------------------------------------

BUILT = [
    # code, lines, enhanced status code, text
    (250, ["2.1.5 OK"], "2.1.5", "OK"),
    (250, ["2.1.5"], "2.1.5", ""),
    (250, ["2.1.5 "], "2.1.5", ""),
    (250, ["2.1.5  OK"], "2.1.5", " OK"),
    (550, ["5.7.1 a", "5.7.1 b"], "5.7.1", "a\nb"),
    (550, ["5.7.1", "5.7.1 b"], "5.7.1", "\nb"),
    (550, ["5.7.26 a"], "5.7.26", "a"),
    # Not the same on every line, or not of the code's class: text.
    (550, ["5.7.1 a", "5.7.2 b"], "", "5.7.1 a\n5.7.2 b"),
    (550, ["5.7.1 a", "b"], "", "5.7.1 a\nb"),
    (550, ["a", "5.7.1 b"], "", "a\n5.7.1 b"),
    (550, ["4.7.1 a"], "", "4.7.1 a"),
    (354, ["3.0.0 a"], "", "3.0.0 a"),
    (354, ["2.0.0 a"], "", "2.0.0 a"),
    # Not written as one.
    (250, ["OK"], "", "OK"),
    (250, [""], "", ""),
    (250, ["2.0 OK"], "", "2.0 OK"),
    (250, ["2.0.0OK"], "", "2.0.0OK"),
    (250, ["2.0.00 OK"], "", "2.0.00 OK"),
    (250, ["2.0.0.0 OK"], "", "2.0.0.0 OK"),
    (250, [" 2.0.0 OK"], "", " 2.0.0 OK"),
    (250, ["2.0.0\tOK"], "", "2.0.0\tOK"),
]


@pytest.mark.parametrize("code, lines, enhanced, text", BUILT)
def test_an_enhanced_status_code_in_the_text(
    code: int, lines: list[str], enhanced: str, text: str
) -> None:
    *others, last = lines
    written = [f"{code}-{line}".encode() for line in others]
    reply = received([*written, f"{code} {last}".encode()], RCPT)
    assert (reply.code, reply.enhanced, reply.text) == (code, enhanced, text)
    assert reply.command is RCPT
    assert reply.recipient is None


@pytest.mark.parametrize("command", [None, EHLO, Helo(Domain("client.example"))])
def test_positive_replies_to_greeting_and_ehlo_have_no_enhanced_code(
    command: Command | None,
) -> None:
    assert received([b"250 2.0.0 x"], command) == Reply(250, "", "2.0.0 x")


@pytest.mark.parametrize("command", [None, EHLO])
def test_a_refusal_may_have_one_even_there(command: Command | None) -> None:
    """Postfix and others greet listed clients like this; it says why."""
    reply = received([b"554 5.7.1 blocked"], command)
    assert reply == Reply(554, "5.7.1", "blocked")
    assert reply.command is command


def test_a_reply_that_was_read_has_every_field() -> None:
    reply = received([b"250-2.1.5 one", b"250 2.1.5 two"], EHLO, RCPT)
    assert {field.name: getattr(reply, field.name) for field in dataclasses.fields(reply)} == {
        "code": 250,
        "enhanced": "",
        "text": "2.1.5 one\n2.1.5 two",
        "command": EHLO,
        "recipient": RCPT,
    }


def test_the_recipient_of_an_lmtp_reply() -> None:
    assert received([b"250 OK"], Data(), RCPT).recipient is RCPT


@pytest.mark.parametrize("octets", [b"\xff", b"\x1b", b"a\xff", b"\xc2\x85", b"\xe9\x01", b"\r"])
def test_the_text_kept_is_no_longer_than_its_octets(octets: bytes) -> None:
    """So `Limits` bound what is kept; escapes made four characters of an octet."""
    line = octets * 200
    text = received([b"250 " + line]).text
    assert len(text) <= len(line)
    assert sys.getsizeof(text) <= len(line) + 100


def test_nothing_keeps_the_text_of_a_reply() -> None:
    """It may be long, or hold a secret: it goes with the reply."""
    tracemalloc.start()
    try:
        for number in range(300):
            lines = [b"550-" + b"%d" % number * 1000] * 10 + [b"550 end"]
            text = received(lines, RCPT).text
            format_reply(Reply(550, text=text[:5000]), "RCPT", enhanced=True)
        del lines, text
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000


# --- For all inputs -------------------------------------------------------------------------------


@given(smtp.replies(smtputf8=True))
def test_without_utf8_all_is_printable_ascii(reply: Reply) -> None:
    for line in format_reply(reply, "NOOP", enhanced=True):
        assert line.decode("ascii").replace("\t", " ").isprintable()
        assert len(line) <= 510


@given(st.lists(st.binary(max_size=20) | st.from_regex(rb"[2-5][0-9][0-9][ -].*"), max_size=8))
def test_any_lines_give_a_reply_or_a_remote_protocol_error(lines: list[bytes]) -> None:
    reader = ReplyReader(Limits(reply_lines=4))
    for line in lines:
        try:
            reply = reader.feed(line, RCPT)
        except RemoteProtocolError:
            return
        if reply is not None:
            assert 1 <= len(reply.lines) <= 4
            controls = {c for c in reply.text if unicodedata.category(c) == "Cc"}
            assert controls <= {"\t", "\n"}


# --- Hosts and domains that accept no mail (RFC 7504) ---------------------------------------------


def test_after_a_greeting_of_521_only_quit_is_possible() -> None:
    client, server = Client(), Server("www.example")
    server.send(HOST_ACCEPTS_NO_MAIL)
    client.receive_data(server.data_to_send())
    greeting = client.next_event()
    assert isinstance(greeting, Reply)
    assert (greeting.code, greeting.text) == (521, HOST_ACCEPTS_NO_MAIL.text)
    assert not greeting.explain().retry
    assert client.state is server.state is State.REFUSED
    with pytest.raises(LocalProtocolError, match="EHLO is not possible here"):
        client.send(EHLO)
    server.receive_data(b"EHLO client.example\r\nQUIT\r\n")
    assert isinstance(server.next_event(), Rejected)
    assert server.next_event() == Quit()
    assert server.data_to_send().startswith(b"503 ")


def test_a_relay_refuses_recipients_of_a_domain_that_accepts_no_mail() -> None:
    pair = Pair.offering().hello()
    assert pair.say(mail()).code == 250
    reply = pair.say(rcpt(), answers=[DOMAIN_ACCEPTS_NO_MAIL])
    assert (reply.code, reply.explain().retry) == (556, False)
    assert pair.server.state is State.MAIL
