from __future__ import annotations

import errno
import hashlib
import itertools
import mailbox
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpproto.mailboxes import (
    FinalDelivery,
    MaildirStore,
    MboxStore,
    final_delivery,
    maildir,
    mbox,
)

ROOT = Path(__file__).parent.parent

Store = MaildirStore | MboxStore

# What may stand at the border of two chunks and matter there, more often than chance has it.
PIECES = st.sampled_from([b"\r", b"\n", b"\r\n", b"From ", b"Fro", b"m ", b">", b"a", b" ", b"\0"])
CONTENT = st.lists(PIECES | st.binary(max_size=3), max_size=30)
SENDER = "eve@example.org"
HEAD = b"Return-Path: <eve@example.org>\n"


@pytest.fixture(params=["maildir", "mbox"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "maildir":
        return MaildirStore(tmp_path / "Maildir")
    return MboxStore(tmp_path / "mbox", lock_timeout=20)


def deliver(store: Store, *chunks: bytes, reverse_path: str = SENDER) -> None:
    with store.open(reverse_path) as delivery:
        for chunk in chunks:
            delivery.write(chunk)
        delivery.commit()


def messages(store: Store) -> list[bytes]:
    """The messages as Python's own reader finds them."""
    if isinstance(store, MboxStore):
        if not store.path.exists():
            return []
        with closing(mailbox.mbox(store.path, create=False)) as box:
            return [box.get_bytes(key) for key in box.iterkeys()]
    maildir = mailbox.Maildir(store.path, create=False)
    return [maildir.get_bytes(key) for key in sorted(maildir.keys())]


def files(store: Store) -> list[str]:
    """All that lies in and beside the store."""
    folder = store.path if isinstance(store, MaildirStore) else store.path.parent
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def as_stored(content: bytes) -> bytes:
    # A first line that begins with white space must not go on with the field that stands before it.
    gap = b"\n" if content.startswith((b" ", b"\t")) else b""
    return HEAD + gap + content.replace(b"\r\n", b"\n")


def as_mbox(content: bytes) -> bytes:
    text = re.sub(rb"(?m)^From ", b">From ", as_stored(content))
    return text if text.endswith(b"\n") else text + b"\n"


# --- what is stored -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chunks, expected",
    [
        ([b"Subject: x\r\n\r\nHello\r\n"], b"Subject: x\n\nHello\n"),
        ([b"Subject: x\r", b"\n\r\nHello\r\n"], b"Subject: x\n\nHello\n"),
        ([b"a\r\n", b"", b"\r\nb\r\n"], b"a\n\nb\n"),
        ([b"a\rb\r\r\nc\n\r", b"\r", b"\n"], b"a\rb\r\nc\n\r\n"),
        ([], b""),
    ],
)
def test_content_has_the_line_endings_of_files(
    store: Store, chunks: list[bytes], expected: bytes
) -> None:
    deliver(store, *chunks)
    assert messages(store) == [HEAD + expected]


@pytest.mark.parametrize(
    "reverse_path, field, from_line",
    [
        ("eve@example.org", b"<eve@example.org>", b"From eve@example.org "),
        ("", b"<>", b"From MAILER-DAEMON "),
        ('"a b>"@example.org', b'<"a b>"@example.org>', b'From "a-b>"@example.org '),
        ("jörg@exämple.org", "<jörg@exämple.org>".encode(), "From jörg@exämple.org ".encode()),
    ],
)
def test_the_reverse_path_comes_first(
    store: Store, reverse_path: str, field: bytes, from_line: bytes
) -> None:
    deliver(store, b"a: b\r\n", reverse_path=reverse_path)
    assert messages(store) == [b"Return-Path: " + field + b"\na: b\n"]
    if isinstance(store, MboxStore):
        line = store.path.read_bytes().partition(b"\n")[0]
        assert line.startswith(from_line)
        time.strptime(line[len(from_line) :].decode(), "%a %b %d %H:%M:%S %Y")


@pytest.mark.parametrize("reverse_path", ["a\n@b", "a\r@b", "\0", "a\x7f", "\ud800"])
def test_a_reverse_path_cannot_add_lines(store: Store, reverse_path: str) -> None:
    with pytest.raises(ValueError):
        store.open(reverse_path)


def split(content: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[a:b] for a, b in itertools.pairwise(borders)]


@given(pieces=CONTENT, places=st.lists(st.integers(0, 200), max_size=20))
@example(pieces=[b" "], places=[])
@example(pieces=[b"\t\r\n", b"From a"], places=[1])
def test_chunks_may_end_anywhere(pieces: list[bytes], places: list[int]) -> None:
    content = b"".join(pieces)
    with TemporaryDirectory() as folder:
        maildir, mbox = MaildirStore(f"{folder}/Maildir"), MboxStore(f"{folder}/mbox")
        for chunks in (split(content, places), [content[i : i + 1] for i in range(len(content))]):
            deliver(maildir, *chunks)
            deliver(mbox, *chunks)
        assert messages(maildir) == [as_stored(content)] * 2
        assert messages(mbox) == [as_mbox(content)] * 2


def test_a_from_line_within_content_starts_no_message(tmp_path: Path) -> None:
    store = MboxStore(tmp_path / "mbox")
    deliver(store, b"From x\r\n\r\nFr", b"om y\r\nFrom\r\n>From z\r\n From\r\n")
    deliver(store, b"two\r\n")
    assert messages(store) == [
        HEAD + b">From x\n\n>From y\nFrom\n>From z\n From\n",
        HEAD + b"two\n",
    ]


@pytest.mark.parametrize(
    "before, gap",
    [
        (b"", b""),
        (b"From a b\nx: y\n\nz\n\n", b""),
        (b"From a b\nx: y\n\nz\n", b"\n"),
        (b"From a b\nx: y\n\ncut off", b"\n\n"),  # by a crash
        (b"\n", b"\n"),
    ],
)
def test_a_message_is_set_off_from_what_was_there(
    tmp_path: Path, before: bytes, gap: bytes
) -> None:
    store = MboxStore(tmp_path / "mbox")
    store.path.write_bytes(before)
    deliver(store, b"new\r\n")
    after = store.path.read_bytes()
    assert after.startswith(before + gap + b"From eve@example.org ")
    assert after.endswith(b"\n" + HEAD + b"new\n\n")


def test_what_is_created_is_private(store: Store) -> None:
    deliver(store, b"x\r\n")
    folder = store.path if isinstance(store, MaildirStore) else store.path.parent
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_a_maildir_is_created_where_it_is_missing(tmp_path: Path) -> None:
    for _ in range(2):
        store = MaildirStore(tmp_path / "home" / "Maildir")
        deliver(store, b"x\r\n")
    assert len(messages(store)) == 2
    assert sorted(p.name for p in store.path.iterdir()) == ["cur", "new", "tmp"]


def test_nothing_is_kept_in_memory(store: Store) -> None:
    """Forty chunks of 1 MiB, in a process that may not have that much."""
    kind = type(store).__name__
    code = f"""
        import resource
        from smtpproto.mailboxes import {kind}
        store = {kind}({str(store.path)!r})
        chunk = (b"x" * 1022 + b"\\r\\n") * 1024
        with store.open("") as delivery:
            delivery.write(chunk)
            now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + (16 << 20), now + (16 << 20)))
            for _ in range(39):
                delivery.write(chunk)
            delivery.commit()
    """
    done = python(code)
    assert done.wait(60) == 0
    assert len(messages(store)[0]) == len(b"Return-Path: <>\n") + 40 * 1024 * 1023


# --- all or nothing -------------------------------------------------------------------------------


class Boom(Exception):
    pass


def fail_within(store: Store, *, commit: bool) -> None:
    with store.open(SENDER) as delivery:
        delivery.write(b"x\r\n")
        if commit:
            delivery.commit()
        raise Boom


def test_without_commit_nothing_is_delivered_and_nothing_left(store: Store) -> None:
    with store.open(SENDER) as delivery:
        delivery.write(b"x\r\n")
    with pytest.raises(Boom):
        fail_within(store, commit=False)
    assert files(store) == []
    assert messages(store) == []


def test_an_error_after_commit_takes_nothing_back(store: Store) -> None:
    with pytest.raises(Boom):
        fail_within(store, commit=True)
    assert messages(store) == [HEAD + b"x\n"]


def test_a_delivery_is_used_once_and_inside_with(store: Store) -> None:
    unused = store.open(SENDER)
    with store.open(SENDER) as used:
        used.commit()
        for delivery in (used, unused):
            with pytest.raises(ValueError, match="the delivery is over, or not begun"):
                delivery.write(b"x")
            with pytest.raises(ValueError, match="the delivery is over, or not begun"):
                delivery.commit()
    assert len(messages(store)) == 1


def failing(on_call: int, error: BaseException, real: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose n-th call fails."""
    calls = itertools.count(1)

    def call(*arguments: Any) -> Any:
        if next(calls) == on_call:
            raise error
        return real(*arguments)

    return call


FULL = OSError(errno.ENOSPC, "the disk is full")


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
@pytest.mark.parametrize("on_call", [1, 2])
def test_a_maildir_whose_fsync_fails_delivers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_call: int, error: BaseException
) -> None:
    """The first one is the file's, the second one that of new/."""
    store = MaildirStore(tmp_path / "Maildir")
    with store.open(SENDER) as delivery:
        delivery.write(b"x\r\n")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(on_call, error, os.fsync))
            with pytest.raises(type(error)):
                delivery.commit()
        with pytest.raises(ValueError):
            delivery.commit()
    assert files(store) == []


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
@pytest.mark.parametrize(
    "broken, on_call", [("write", 1), ("write", 2), ("write", 3), ("fsync", 1)]
)
def test_an_mbox_is_cut_back_when_a_message_does_not_fit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    on_call: int,
    error: BaseException,
) -> None:
    store = MboxStore(tmp_path / "mbox")
    deliver(store, b"one\r\n")
    before = store.path.read_bytes()
    with store.open(SENDER) as delivery:
        delivery.write(b"x" * 100_000)
        with monkeypatch.context() as patch:
            where = os if broken == "fsync" else mbox
            patch.setattr(where, broken, failing(on_call, error, getattr(where, broken)))
            with pytest.raises(type(error)):
                delivery.commit()
    assert store.path.read_bytes() == before
    assert files(store) == ["mbox"]
    deliver(store, b"two\r\n")
    assert messages(store) == [HEAD + b"one\n", HEAD + b"two\n"]


def test_a_write_that_fails_ends_the_delivery(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.open(SENDER) as delivery:
        monkeypatch.setattr(final_delivery.CrlfToLf, "convert", failing(1, FULL, lambda: b""))
        with pytest.raises(OSError, match="the disk is full"):
            delivery.write(b"x")
        with pytest.raises(ValueError, match="the delivery is over"):
            delivery.commit()
    assert files(store) == []


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own error, also where the last octets are written as the file is closed."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    store = MaildirStore(tmp_path / "Maildir")
    monkeypatch.setattr(maildir, "private", lambda path, flags: os.open("/dev/full", os.O_WRONLY))
    with store.open(SENDER) as delivery:
        delivery.write(b"x" * 100)
        with pytest.raises(OSError, match="No space left"):
            delivery.commit()
    assert files(store) == []


# --- durable --------------------------------------------------------------------------------------


class Recorder:
    """What reaches the disk, in its order."""

    def __init__(self, patch: pytest.MonkeyPatch, root: Path) -> None:
        self.root = root
        self.seen: list[str] = []
        patch.setattr(os, "link", self.paths("link", os.link))
        patch.setattr(Path, "unlink", self.paths("unlink", Path.unlink))
        patch.setattr(os, "fsync", self.number(os.fsync))

    def name(self, path: str | os.PathLike[str]) -> str:
        found = str(Path(path).relative_to(self.root))
        return re.sub(r"\d+\.M.*", "*", re.sub(r"#\d+.*", "?", found))

    def paths(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*paths: Path) -> None:
            real(*paths)
            self.seen.append(" ".join([name, *map(self.name, paths)]))

        return call

    def number(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(number: int) -> None:
            real(number)
            self.seen.append("fsync " + self.name(Path(f"/proc/self/fd/{number}").readlink()))

        return fsync


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="reads the names of open files from /proc"
)


@needs_proc
def test_a_maildir_syncs_before_and_after_the_message_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        recorder = Recorder(patch, tmp_path)
        store = MaildirStore(tmp_path / "Maildir")
        assert set(recorder.seen) == {"fsync Maildir", "fsync ."}
        recorder.seen.clear()
        deliver(store, b"x\r\n")
        assert recorder.seen == [
            "fsync Maildir/tmp/*",
            "link Maildir/tmp/* Maildir/new/*",
            "fsync Maildir/new",
            "unlink Maildir/tmp/*",
        ]
    assert messages(store) == [HEAD + b"x\n"]


@needs_proc
def test_an_mbox_is_synced_before_commit_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MboxStore(tmp_path / "mbox")
    with monkeypatch.context() as patch:
        recorder = Recorder(patch, tmp_path)
        with store.open(SENDER) as delivery:
            delivery.commit()
            seen = [line for line in recorder.seen if line.startswith("fsync")]
            assert seen == ["fsync .", "fsync mbox"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = MaildirStore(tmp_path / "Maildir")

    def link(*_: object) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(maildir, "unique_name", iter(["a", "a", "b"]).__next__)
    deliver(store, b"one\r\n")
    deliver(store, b"two\r\n")
    assert files(store) == ["new/a", "new/b"]
    assert messages(store) == [HEAD + b"one\n", HEAD + b"two\n"]


def test_another_error_of_link_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MaildirStore(tmp_path / "Maildir")
    monkeypatch.setattr(os, "link", failing(1, FULL, os.link))
    with pytest.raises(OSError, match="the disk is full"):
        deliver(store, b"x\r\n")
    assert files(store) == []


# --- many at once ---------------------------------------------------------------------------------


def test_a_name_is_never_used_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MaildirStore(tmp_path / "Maildir")
    for folder, name in (("tmp", "a"), ("new", "b")):
        (store.path / folder / name).write_bytes(b"somebody's")
    monkeypatch.setattr(maildir, "unique_name", iter(["a", "b", "b", "c"]).__next__)
    deliver(store, b"x\r\n")
    assert files(store) == ["new/b", "new/c", "tmp/a"]
    assert (store.path / "new/b").read_bytes() == b"somebody's"
    assert (store.path / "new/c").read_bytes() == HEAD + b"x\n"


def test_names_are_what_maildirs_are_used_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "a/b:c")
    names = [maildir.unique_name() for _ in range(1000)]
    assert len(set(names)) == 1000
    for name in names:
        assert re.fullmatch(r"\d+\.M\d{6}P\d+Q\d+R[0-9a-f]{16}\.a\\057b\\072c", name)


def test_names_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    microseconds = [0, 9, 10, 99_999, 100_000, 999_999, 1_000_000]
    times = iter(1_700_000_000_000_000_000 + 1000 * each for each in microseconds)
    monkeypatch.setattr("time.time_ns", times.__next__)
    names = [maildir.unique_name() for _ in microseconds]
    assert names == sorted(names)


def numbered(sender: int, number: int) -> bytes:
    """A message that tells whether it is whole."""
    text = b"%d-%d\r\n" % (sender, number) + b"From the beginning\r\n" * (number * 37 % 400)
    return text + hashlib.sha256(text).hexdigest().encode() + b"\r\n"


def check_whole(message: bytes) -> bytes:
    """The message's number, after a look at its digest."""
    text = message.replace(b"\n>From ", b"\nFrom ").replace(b"\n", b"\r\n")
    text = text[text.index(b"\n") + 1 :]
    digest = text[-66:-2].decode()
    assert hashlib.sha256(text[:-66]).hexdigest() == digest
    return text.partition(b"\r\n")[0]


def deliver_numbered(store: Store, sender: int, count: int) -> None:
    for number in range(count):
        content = numbered(sender, number)
        deliver(store, content[:100], content[100:])


def test_threads_share_a_store(store: Store) -> None:
    other = type(store)(store.path)
    with ThreadPoolExecutor(8) as threads:
        done = [
            threads.submit(deliver_numbered, one, sender, 12)
            for sender, one in enumerate([store, other] * 4)
        ]
        for future in done:
            future.result()
    found = sorted(check_whole(message) for message in messages(store))
    assert found == sorted(b"%d-%d" % (s, n) for s in range(8) for n in range(12))
    assert len(files(store)) == (1 if isinstance(store, MboxStore) else 96)


def python(code: str, **options: Any) -> subprocess.Popen[str]:
    lines = code.splitlines()
    indent = min((len(ln) - len(ln.lstrip()) for ln in lines if ln.strip()), default=0)
    code = "\n".join(line[indent:] for line in lines)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **options)


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def test_processes_share_a_store_and_create_it_together(store: Store) -> None:
    kind = type(store).__name__
    if isinstance(store, MaildirStore):
        for folder in ("tmp", "new", "cur", "."):
            (store.path / folder).rmdir()
    running = [
        python(f"""
            from test_mailboxes import {kind}, deliver_numbered
            deliver_numbered({kind}({str(store.path)!r}), {sender}, 10)
        """)
        for sender in range(4)
    ]
    assert [process.wait(60) for process in running] == [0] * 4
    found = sorted(check_whole(message) for message in messages(store))
    assert found == sorted(b"%d-%d" % (s, n) for s in range(4) for n in range(10))


# --- killed ---------------------------------------------------------------------------------------


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL


def test_who_is_killed_within_a_message_delivers_nothing(store: Store) -> None:
    kind = type(store).__name__
    process = python(
        f"""
        import time
        from smtpproto.mailboxes import {kind}
        with {kind}({str(store.path)!r}).open("a@example.org") as delivery:
            delivery.write(b"x" * 1_000_000)
            print("half", flush=True)
            time.sleep(60)
        """,
        stdout=subprocess.PIPE,
    )
    with output(process) as lines:
        assert lines.readline() == "half\n"
        kill(process)
    assert messages(store) == []
    if isinstance(store, MaildirStore):
        (left,) = files(store)
        assert left.startswith("tmp/")
        # The standard library's own cleaning takes it away when its time has come.
        long_ago = time.time() - 40 * 3600
        os.utime(store.path / left, (long_ago, long_ago))
        mailbox.Maildir(store.path).clean()
    assert files(store) == []


@pytest.mark.parametrize("moment", [0.01, 0.03, 0.06])
def test_a_maildir_whose_writer_is_killed_holds_whole_messages(
    tmp_path: Path, moment: float
) -> None:
    store = MaildirStore(tmp_path / "Maildir")
    process = python(
        f"""
        import itertools
        from test_mailboxes import MaildirStore, deliver, numbered
        store = MaildirStore({str(store.path)!r})
        for number in itertools.count():
            deliver(store, numbered(1, number))
            print(number, flush=True)
        """,
        stdout=subprocess.PIPE,
    )
    with output(process) as lines:
        lines.readline()
        time.sleep(moment)
        kill(process)
        said = len(lines.read().splitlines()) + 1
    found = {check_whole(message) for message in messages(store)}
    # All that was promised is there, and at most the one whose promise was under way.
    assert {b"1-%d" % number for number in range(said)} <= found
    assert len(found) <= said + 1


# --- locks ----------------------------------------------------------------------------------------


def locked_elsewhere(path: Path) -> subprocess.Popen[str]:
    """Another process that has an mbox locked until its input ends."""
    process = python(
        f"""
        import mailbox, sys
        box = mailbox.mbox({str(path)!r})
        box.lock()
        print("locked", flush=True)
        sys.stdin.read()
        box.unlock()
        """,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with output(process) as lines:
        assert lines.readline() == "locked\n"
    return process


def unlock(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0


def test_who_has_the_mbox_locked_is_waited_for(tmp_path: Path) -> None:
    store = MboxStore(tmp_path / "mbox", lock_timeout=30)
    process = locked_elsewhere(store.path)
    thread = threading.Thread(target=deliver, args=(store, b"x\r\n"))
    thread.start()
    time.sleep(0.1)
    assert store.path.read_bytes() == b""
    unlock(process)
    thread.join(20)
    assert messages(store) == [HEAD + b"x\n"]


def test_waiting_for_a_lock_has_an_end(tmp_path: Path) -> None:
    store = MboxStore(tmp_path / "mbox", lock_timeout=0.05)
    process = locked_elsewhere(store.path)
    with pytest.raises(TimeoutError, match=r"mbox\.lock"):
        deliver(store, b"x\r\n")
    unlock(process)
    deliver(store, b"x\r\n")
    assert messages(store) == [HEAD + b"x\n"]


def test_a_thread_does_not_wait_for_ever_either(tmp_path: Path) -> None:
    store = MboxStore(tmp_path / "mbox", lock_timeout=0.05)
    with (
        mbox.locked(store.path, 1),
        pytest.raises(TimeoutError, match="other threads"),
    ):
        deliver(store, b"x\r\n")
    assert messages(store) == []


@pytest.mark.parametrize("gone", [False, True])
def test_an_mbox_replaced_while_we_wait_is_the_one_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    store = MboxStore(tmp_path / "mbox")
    real = mailbox.mbox.lock
    calls: list[mailbox.mbox] = []

    def lock(box: mailbox.mbox) -> None:
        if not calls:
            # As `mailbox.mbox.flush` and mail user agents do it, who had it locked just before.
            store.path.rename(tmp_path / "old")
            if not gone:
                store.path.write_bytes(b"")
        calls.append(box)
        real(box)

    monkeypatch.setattr(mailbox.mbox, "lock", lock)
    deliver(store, b"x\r\n")
    assert messages(store) == [HEAD + b"x\n"]
    assert (tmp_path / "old").read_bytes() == b""


def test_an_error_of_locking_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MboxStore(tmp_path / "mbox")
    with monkeypatch.context() as patch:
        patch.setattr(mailbox.mbox, "lock", failing(1, OSError(errno.ENOLCK, "none left"), id))
        with pytest.raises(OSError, match="none left"):
            deliver(store, b"x\r\n")
    deliver(store, b"x\r\n")
    assert len(messages(store)) == 1


def test_a_folder_where_nothing_may_be_created_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders of mboxes often belong to root; who runs the tests may be root, so it is played."""
    store = MboxStore(tmp_path / "mbox")
    real = tempfile.TemporaryFile

    def temporary_file(**options: Any) -> Any:
        if options:
            raise PermissionError(errno.EACCES, "not here")
        return real()

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary_file)
    deliver(store, b"x\r\n")
    assert messages(store) == [HEAD + b"x\n"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_inherit_who_holds_the_lock(tmp_path: Path) -> None:
    process = python(f"""
        import os
        from smtpproto.mailboxes import MboxStore, mbox
        from test_mailboxes import deliver
        store = MboxStore({str(tmp_path / "mbox")!r}, lock_timeout=20)
        with mbox.locked(store.path, 1):
            child = os.fork()
            if child == 0:
                assert not mbox.locks
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        deliver(store, b"x")
    """)
    assert process.wait(30) == 0


def test_folders_are_synced_only_where_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY", raising=False)
    monkeypatch.setattr(os, "open", failing(1, AssertionError("opened"), os.open))
    final_delivery.sync_folder(tmp_path)


def test_the_base_class_stores_nothing() -> None:
    with pytest.raises(NotImplementedError), FinalDelivery(""):
        pass


def test_no_content_goes_on_with_our_return_path(store: Store) -> None:
    """RFC 5322 section 2.2.3: a line that begins with white space belongs to the one before it."""
    deliver(store, b" <forged@bank.example>\r\n", b"Subject: x\r\n")
    assert messages(store) == [HEAD + b"\n <forged@bank.example>\nSubject: x\n"]
    with store.open("eve@example.org") as delivery:
        for chunk in (b"", b"\t", b"x\r\n"):
            delivery.write(chunk)
        delivery.commit()
    assert HEAD + b"\n\tx\n" in messages(store)
