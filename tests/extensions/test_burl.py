"""BURL (RFC 4468)."""

from __future__ import annotations

import pytest

from smtpproto import (
    ContentChunk,
    EndOfContent,
    LocalProtocolError,
    Protocol,
    Rejected,
    Reply,
    Rset,
    Session,
    State,
)
from smtpproto.extensions import (
    Bdat,
    BinaryMime,
    Body,
    Burl,
    BurlCommand,
    Chunking,
    EightBitMime,
    Extension,
    Pipelining,
    Size,
)
from smtpproto.testing import Pair
from smtpproto.vocabulary.command_base import Grammar
from tests.commands import mail, rcpt

GRAMMAR = Grammar({"BURL": BurlCommand})
HARRY = Session(identity="harry")
OUTBOX = "imap://harry@imap.example/outbox;uidvalidity=1078863300/;uid=25"
CARRIED = f"{OUTBOX};urlauth=submit+harry:internal:91354a473744909de610943775f92038"


@pytest.mark.parametrize(
    "arguments, reason",
    [
        ("", "expected an absolute URI"),
        ("outbox", "expected an absolute URI"),
        ("1map:x", "expected an absolute URI"),
        ("imap://a/b#c", "expected an absolute URI"),
        ('imap://a/"', "expected an absolute URI"),
        ("imap://a/b NEXT", "expected LAST after the URL"),
        ("imap://a/b LAST LAST", "expected LAST after the URL"),
    ],
)
def test_malformed_arguments(arguments: str, reason: str) -> None:
    with pytest.raises(LocalProtocolError, match=reason) as caught:
        BurlCommand.parse(arguments, GRAMMAR)
    assert caught.value.code == 501


def test_a_url_is_never_shown() -> None:
    burl = BurlCommand(f"{CARRIED}", last=True)
    assert str(burl) == "BURL imap://imap.example/... LAST"
    assert "91354" not in repr(burl)
    assert str(BurlCommand("mid:x")) == "BURL mid:///..."
    with pytest.raises(LocalProtocolError) as caught:
        BurlCommand(f"{CARRIED}#")
    assert "91354" not in str(caught.value)


def pair_of(*more: Extension, session: Session = HARRY, burl: Burl | None = None) -> Pair:
    pair = Pair.offering(EightBitMime(), Pipelining(), burl or Burl(), *more, session=session)
    return pair.hello()


def test_a_message_that_the_server_fetches() -> None:
    pair = pair_of()
    burl = BurlCommand(CARRIED, last=True)
    assert [reply.code for reply in pair.talk(mail(), rcpt(), burl)] == [250, 250, 250]
    assert pair.events[-1] == burl
    assert pair.client.state is pair.server.state is State.READY
    assert pair.client.transaction is pair.server.transaction is None


def test_urls_and_chunks_alternate() -> None:
    pair = pair_of(Chunking())
    pair.talk(mail(), rcpt())
    assert pair.say(Bdat(6), ContentChunk(b"From:\r")).code == 250
    assert pair.say(Bdat(1), ContentChunk(b"\n")).code == 250
    assert pair.say(BurlCommand(CARRIED)).text == "OK"
    assert pair.client.state is pair.server.state is State.CHUNKS
    assert pair.say(Bdat(4, last=True), ContentChunk(b"--\r\n")).code == 250
    assert pair.events[2:] == [
        ContentChunk(b"From:"),
        ContentChunk(b"\r\n"),
        BurlCommand(CARRIED),
        ContentChunk(b"--\r\n"),
        EndOfContent(),
    ]


def test_a_url_first_and_chunks_then() -> None:
    """What was counted and watched of the message before counts no more."""
    pair = pair_of(Chunking(), Size(10))
    for _ in range(3):
        pair.talk(mail(), rcpt())
        assert pair.say(BurlCommand(CARRIED)).code == 250
        assert pair.say(Bdat(10, last=True), ContentChunk(b"12345678\r\n")).code == 250
        assert pair.events[-2:] == [ContentChunk(b"12345678\r\n"), EndOfContent()]


def test_a_url_ends_what_chunks_began() -> None:
    pair = pair_of(Chunking())
    pair.talk(mail(), rcpt())
    pair.say(Bdat(4), ContentChunk(b"Hi\r\n"))
    assert pair.say(BurlCommand(CARRIED, last=True)).code == 250
    assert pair.client.state is pair.server.state is State.READY


@pytest.mark.parametrize("chunk", [b"a\nb\r\n", b"a\rb\r\n", b"ab\r"])
def test_bare_line_endings_before_a_url(chunk: bytes) -> None:
    """The policy applies also if BURL ends the content."""
    pair = pair_of(Chunking())
    pair.server.receive_data(
        b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n"
        b"BDAT %d\r\n%sBURL %s LAST\r\n" % (len(chunk), chunk, CARRIED.encode())
    )
    seen = []
    while pair.server.state is not State.SPOILED:
        event = pair.server.next_event()
        seen.append(event)
        if pair.server.owed:
            pair.server.accept()
    rejected = seen[-1]
    assert isinstance(rejected, Rejected)
    assert (rejected.reply.code, rejected.content) == (550, True)
    assert not any(isinstance(event, BurlCommand) for event in seen)


def test_binary_chunks_before_a_url_are_not_looked_at() -> None:
    pair = pair_of(Chunking(), BinaryMime())
    pair.talk(mail(Body("BINARYMIME")), rcpt(), Bdat(3), ContentChunk(b"a\nb"))
    assert pair.say(BurlCommand(CARRIED, last=True)).code == 250
    assert pair.events[-2:] == [ContentChunk(b"a\nb"), BurlCommand(CARRIED, last=True)]


def test_other_commands_between_chunks_need_no_complete_line() -> None:
    pair = pair_of(Chunking())
    pair.talk(mail(), rcpt())
    pair.say(Bdat(1), ContentChunk(b"\r"))
    assert pair.raw("NOOP").startswith("250 ")
    pair.say(Bdat(1, last=True), ContentChunk(b"\n"))
    assert pair.events[-2:] == [ContentChunk(b"\r\n"), EndOfContent()]


def test_a_url_that_cannot_be_fetched() -> None:
    pair = pair_of()
    pair.talk(mail(), rcpt())
    failed = Reply(554, "5.6.6", "IMAP URL resolution failed")
    assert pair.say(BurlCommand(CARRIED), answers=[failed]).code == 554
    assert pair.client.state is pair.server.state is State.SPOILED
    with pytest.raises(LocalProtocolError, match="BURL is not possible here"):
        pair.client.send(BurlCommand(CARRIED))
    assert pair.say(Rset()).code == 250


def test_all_recipients_refused_in_one_group() -> None:
    pair = pair_of()
    replies = pair.talk(mail(), rcpt(), BurlCommand(CARRIED, last=True), answers=[None, Reply(550)])
    assert [reply.code for reply in replies] == [250, 550, 503]
    assert pair.client.state is pair.server.state is State.MAIL


@pytest.mark.parametrize(
    "options, url, taken",
    [
        (("imap",), CARRIED, True),
        (("imap",), OUTBOX, True),
        (("IMAP",), CARRIED, True),
        (("imap://imap.example",), OUTBOX, True),
        (("imap://imap.example",), OUTBOX.replace("imap.example", "IMAP.Example"), True),
        (("imap://imap.example",), CARRIED, False),
        (("imap://imap.example",), "imap://evil.example/x", False),
        (("imap://imap.example",), "imap:x//imap.example", False),
        (("imap", "imap://imap.example"), "http://imap.example/x", False),
        (("http",), "http://imap.example/x", True),
    ],
)
def test_what_an_option_stands_for(options: tuple[str, ...], url: str, taken: bool) -> None:
    pair = pair_of(burl=Burl(options))
    pair.talk(mail(), rcpt())
    reply = pair.raw(f"BURL {url} LAST")
    assert reply.startswith("250 " if taken else "554 BURL: such a URL cannot be resolved")


def test_the_url_of_another_user() -> None:
    pair = pair_of(session=Session(identity="malfoy"))
    pair.talk(mail(), rcpt())
    assert pair.raw(f"BURL {CARRIED} LAST").startswith("554 BURL: the URL is for another user")


def test_names_of_users_may_be_encoded() -> None:
    pair = pair_of(session=Session(identity="harry@x"))
    pair.talk(mail(), rcpt())
    url = CARRIED.replace("submit+harry", "SUBMIT+harry%40x")
    assert pair.raw(f"BURL {url} LAST").startswith("250 ")


def test_before_authentication_no_option_is_told() -> None:
    pair = pair_of(session=Session())
    assert pair.client.offered.get(Burl) == Burl(())
    pair.talk(mail(), rcpt())
    with pytest.raises(LocalProtocolError, match="BURL needs authentication"):
        pair.client.send(BurlCommand(CARRIED, last=True))
    assert pair.raw(f"BURL {CARRIED} LAST").startswith("530 BURL needs authentication")
    pair.server.authenticated("harry")
    pair.say(Rset())
    pair.hello()
    assert pair.client.offered.get(Burl) == Burl()


def test_options_may_be_told_early_and_authentication_is_needed_all_the_same() -> None:
    pair = pair_of(session=Session(), burl=Burl(early=True))
    assert pair.client.offered.get(Burl) == Burl()
    pair.talk(mail(), rcpt())
    assert pair.raw(f"BURL {CARRIED} LAST").startswith("530 ")


def test_not_for_lmtp() -> None:
    pair = Pair.offering(EightBitMime(), Burl(), session=HARRY, protocol=Protocol.LMTP).hello()
    assert Burl not in pair.client.offered


def test_ehlo_lines() -> None:
    extension = Burl(("imap", "imap://imap.example"))
    assert extension.line() == "BURL imap imap://imap.example"
    assert pair_of(burl=extension).client.offered.get(Burl) == extension
    with pytest.raises(LocalProtocolError, match="expected a word"):
        Burl(("a b",))
