"""What examples/postfix and examples/dovecot promise: their scripts run as they stand."""

from __future__ import annotations

import contextlib
import imaplib
import os
import poplib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smtpproto import Protocol, sync
from smtpproto.conversations import Envelope
from smtpproto.mailboxes import MaildirStore
from tests.interop import maildir
from tests.interop.dovecot import NOBODY
from tests.interop.peers import folder, needs
from tests.interop.scripts import EXAMPLES, Script, script
from tests.programs import HOST, until

HEADER = b"From: <bob@example.com>\r\nTo: <alice@example.com>\r\nSubject: %s\r\n\r\n"
# What is easily lost on the way: dots, eight bits, empty lines at the end.
BODY = b".\r\n..\r\n.a dot\r\nj\xc3\xbcrgen\r\n" + b"x" * 900 + b"\r\n\r\n"


def send(port: int, subject: bytes, *recipients: str, source: str | None = None) -> list[int]:
    """Send a message from Bob; the code for each recipient."""
    with sync.connect(HOST, port, name="client.test", source_address=source) as client:
        envelope = Envelope.of("bob@example.com", recipients)
        delivery = client.send(envelope, HEADER % subject + BODY)
    replies = [outcome.reply for outcome in delivery.outcomes]
    return [reply.code for reply in replies if reply is not None]


@needs("postfix")
def test_two_accounts_write_to_each_other() -> None:
    with script("postfix/two_accounts.sh") as running:
        assert "Subject: Re: lunch" in running.output
        assert "refused   <carol@example.com>  550 5.1.1" in running.output
        port = running.port("listens on")
        assert send(port, b"one more", "alice@example.com", "carol@example.com") == [250, 550]
        _, stored = maildir.wait_for(running.home / "mailboxes" / "alice", 2)
        assert maildir.sent(stored).endswith(HEADER[-4:] + BODY)
        assert running.press_enter() == 0
        running.nothing_is_left()


@needs("postfix")
def test_a_script_that_is_killed_stops_its_servers() -> None:
    with script("postfix/two_accounts.sh") as running:
        assert running.processes() != []
        assert running.interrupt() == 130
        running.nothing_is_left()


@needs("postfix")
def test_postfix_is_our_relay_host() -> None:
    with script("postfix/relay_host.sh") as running:
        # The second message waited in the queue while our server was away.
        assert "Connection refused)" in running.output
        assert running.output.count("status=sent (250 2.0.0 OK)") == 2
        assert "by relay.example.com (Postfix) with ESMTP" in running.output
        assert "by server.example.net with ESMTP" in running.output
        assert send(running.port("--server"), b"three", "alice@example.net") == [250]
        stored = maildir.wait_for(running.home / "Maildir", 3)[-1]
        assert maildir.sent(stored).endswith(HEADER[-4:] + BODY)
        assert running.press_enter() == 0
        running.nothing_is_left()


@needs("postfix")
def test_a_filter_stands_between_two_postfixes() -> None:
    with script("postfix/content_filter.sh") as running:
        assert running.output.count("X-Filtered: for 127.0.0.1") == 2
        # Before the queue the client hears of the refusal, after it the sender.
        assert "refused   <alice@example.com>  550 5.7.1 we do not want this" in running.output
        assert "Diagnostic-Code: smtp; 550 5.7.1 we do not want this" in running.output
        # Two clients, which the last server knows by XFORWARD alone.
        before, after = (
            running.port("before the queue: port"),
            running.port("after the queue: port"),
        )
        assert send(before, b"one", "alice@example.com", source="127.0.0.2") == [250]
        assert send(after, b"two", "alice@example.com", source="127.0.0.3") == [250]
        maildir.wait_for(running.home / "mailboxes" / "alice", 4)
        clients = ("[127.0.0.1], orig_client=unknown[127.0.0.2]", "orig_client=unknown[127.0.0.3]")
        until(lambda: all(client in running.log("back") for client in clients), 20, f"{clients}")
        assert running.press_enter() == 0
        running.nothing_is_left()


@needs("postfix")
def test_postfix_delivers_by_lmtp_to_our_handler() -> None:
    with script("postfix/lmtp_delivery.sh") as running:
        assert running.output.count("status=sent (250 2.0.0 OK)") == 3
        assert "said: 550 5.1.1 no such user here" in running.output
        assert "Subject: Undelivered Mail Returned to Sender" in running.output
        port = running.port("--server")
        assert send(port, b"one more", "alice@example.com") == [250]
        stored = maildir.wait_for(running.home / "mailboxes" / "alice", 2)[-1]
        assert maildir.sent(stored).endswith(HEADER[-4:] + BODY)
        assert running.press_enter() == 0
        running.nothing_is_left()


@pytest.fixture
def mailboxes() -> Iterator[Script]:
    with script("dovecot/mailboxes.sh") as running:
        yield running
        assert running.press_enter() == 0
        running.nothing_is_left()


@needs("dovecot-imapd", "dovecot-pop3d", "dovecot")
def test_dovecot_reads_what_we_delivered(mailboxes: Script) -> None:
    """By IMAP and POP3, each message as it was sent, however it came into the mailbox."""
    assert "alice by imap: 'through our server'" in mailboxes.output
    assert "bob by pop3: 'through LMTP'" in mailboxes.output
    expected = [HEADER % name + BODY for name in (b"by our server", b"by LMTP")]
    # Our server writes into the mailbox of a running Dovecot.
    inbox = mailboxes.home / "mailboxes" / "alice"
    with sync.serve(Store(inbox), hostname="mx.test") as server:
        assert send(server.port, b"by our server", "alice@example.com") == [250]
    # Our client lets Dovecot write.
    with sync.connect(
        HOST, mailboxes.port("LMTP at"), name="client.test", protocol=Protocol.LMTP
    ) as client:
        envelope = Envelope.of("bob@example.com", ["alice@example.com", "dora@example.com"])
        delivery = client.send(envelope, expected[1])
    assert [outcome.reply.code for outcome in delivery.outcomes if outcome.reply] == [250, 550]

    imap, pop3 = mailboxes.port("IMAP at"), mailboxes.port("POP3 at")
    assert sorted(map(as_sent, read_by_imap(imap))) == sorted(expected)
    assert sorted(map(as_sent, read_by_pop3(pop3))) == sorted(expected)


class Store:
    """A handler that delivers into one Maildir, in files that are Dovecot's."""

    def __init__(self, path: Path) -> None:
        self.store = MaildirStore(path)

    def message(self, session: object, envelope: Envelope, content: bytes) -> None:
        with self.store.open(str(envelope.reverse_path.mailbox or "")) as delivery:
            delivery.write(content)
            delivery.commit()
        for file in (self.store.path / "new").iterdir():
            shutil.chown(file, NOBODY, NOBODY)


def as_sent(message: bytes) -> bytes:
    """Without the fields that delivery put before the message."""
    return message[message.index(HEADER[:6]) :]


def read_by_imap(port: int) -> list[bytes]:
    """Bob's messages to Alice."""
    found = []
    with imaplib.IMAP4(HOST, port, timeout=20) as imap:
        imap.login("alice", "secret")
        imap.select("INBOX")
        _, (numbers,) = imap.search(None, "FROM", "bob@example.com")
        for number in numbers.split():
            _, (answer, *_) = imap.fetch(number.decode(), "(RFC822)")
            assert isinstance(answer, tuple)
            found.append(answer[1])
    return found


def read_by_pop3(port: int) -> list[bytes]:
    """The same; POP3 cannot search."""
    pop3 = poplib.POP3(HOST, port, timeout=20)
    with contextlib.closing(pop3):
        pop3.user("alice")
        pop3.pass_("secret")
        count, _ = pop3.stat()
        found = [b"\r\n".join([*pop3.retr(i + 1)[1], b""]) for i in range(count)]
        pop3.quit()
    return [message for message in found if b"From: <bob@example.com>" in message]


def run(name: str, *arguments: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, which does not wait for Enter."""
    return subprocess.run(
        ["bash", str(EXAMPLES / name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHON": sys.executable, "TMPDIR": str(temporary)},
    )


@needs("postfix")
def test_without_arguments_a_script_ends_and_leaves_nothing() -> None:
    with folder() as temporary:
        done = run("postfix/error_codes.sh", temporary=temporary)
        assert (done.returncode, done.stderr) == (0, "")
        assert list(temporary.iterdir()) == []


@needs("postfix")
def test_a_folder_with_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    done = run("postfix/two_accounts.sh", str(tmp_path), temporary=tmp_path)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
