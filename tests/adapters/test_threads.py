"""How the blocking server uses threads: few, bounded, and none for those who are silent."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import pytest

import smtpproto.sync
from smtpproto import Command, Limits, Noop, Reply, Session
from smtpproto.conversations import Admission, ContentLost, Envelope, ServerTLS, TLSMode
from smtpproto.extensions import Chunking, Extension
from smtpproto.extensions.known import standard
from smtpproto.sync import connect
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, nothing_left_over, wait_until

NAME = "client.example.org"
serve = partial(smtpproto.sync.serve, hostname="mx.example.org", received=False)
BEGINNING = [
    "EHLO client.example.org",
    "MAIL FROM:<sender@example.org>",
    "RCPT TO:<one@example.net>",
]

MANY = Limits(commands=1_000_000)


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    with nothing_left_over():
        yield


def threads() -> int:
    return sum(thread.name.startswith("smtpproto-") for thread in threading.enumerate())


@contextlib.contextmanager
def many_files(count: int) -> Iterator[None]:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"no more than {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


# --- silence costs no thread ------------------------------------------------------------------


def test_two_thousand_idle_sessions() -> None:
    count = 2000
    with (
        many_files(2 * count + 100),
        serve(Inbox(), admission=Admission(count + 1)) as server,
        contextlib.ExitStack() as stack,
    ):
        where = ("127.0.0.1", server.port)
        for _ in range(count):
            assert stack.enter_context(Raw(where)).reply().startswith("220")
        assert server.sessions == count
        assert threads() == 2
        with connect(*where, name=NAME) as client:
            assert client.send(ENVELOPE, b"Hello\r\n").complete


def test_silent_tls_clients() -> None:
    """They never begin the handshake, or never go on with it."""
    count = 300
    with (
        many_files(2 * count + 100),
        serve(
            Inbox(),
            hostname="mx.example.org",
            threads=2,
            tls=ServerTLS.IMPLICIT,
            tls_context=SERVER,
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        where = ("127.0.0.1", server.port)
        for number in range(count):
            raw = stack.enter_context(Raw(where))
            if number % 2:
                # The head of a record, and not what it announces.
                raw.sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        wait_until(lambda: server.sessions == count)
        assert threads() == 2
        with connect(*where, name=NAME, tls_context=CLIENT, tls=TLSMode.IMPLICIT) as client:
            assert client.send(ENVELOPE, b"Hello\r\n").complete


@pytest.mark.parametrize("secure", [False, True])
def test_clients_that_never_read_their_replies(secure: bool) -> None:
    options: dict[str, Any] = {"tls": ServerTLS.IMPLICIT, "tls_context": SERVER} if secure else {}
    with (
        serve(Talkative(), threads=2, grace=0, limits=MANY, **options) as server,
        contextlib.ExitStack() as stack,
    ):
        where = ("127.0.0.1", server.port)
        for _ in range(8):
            raw = stack.enter_context(Raw(where))
            if secure:
                raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="127.0.0.1")
            raw.flood()
        assert threads() <= 3
        mode = TLSMode.IMPLICIT if secure else TLSMode.NONE
        with connect(*where, name=NAME, tls=mode, tls_context=CLIENT) as client:
            assert client.send(ENVELOPE, b"Hello\r\n").complete


class Talkative(Inbox):
    """Answers VRFY in more words than fit into the buffers."""

    def vrfy(self, session: Any, vrfy: Any) -> Reply:
        return Reply(252, "2.1.5", "try it, and you will know; " * 14)


# --- the bound --------------------------------------------------------------------------------


def test_slow_handlers_take_no_more_threads_than_allowed() -> None:
    """Calls beyond the bound wait in order, and other sessions go on."""
    count, most = 40, 8
    at_work, peak, order, lock = 0, 0, list[bytes](), threading.Lock()
    go = threading.Event()

    class Slow(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> None:
            nonlocal at_work, peak
            with lock:
                at_work += 1
                peak = max(peak, at_work)
                order.append(content)
            assert go.wait(20)
            with lock:
                at_work -= 1

    def begin(number: int) -> Raw:
        raw = Raw(("127.0.0.1", server.port))
        raw.reply()
        for command in [*BEGINNING, "DATA"]:
            raw.ask(command)
        raw.say(f"{number}\r\n.")
        return raw

    with (
        serve(Slow(), threads=most) as server,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(begin(0))]
        for number in range(1, count):
            clients.append(stack.enter_context(begin(number)))
            wait_until(lambda: len(order) == min(len(clients), most))
        assert threads() == most + 1
        with connect("127.0.0.1", server.port, name=NAME) as client:
            assert client.noop().positive
        go.set()
        for raw in clients:
            assert raw.reply().startswith("250")
    assert peak == most
    # Beyond the first, several threads begin at once with what waited.
    assert {int(content) for content in order[:most]} == set(range(most))
    assert sorted(map(int, order)) == list(range(count))


def test_one_thread_does_all_in_order() -> None:
    order: list[bytes] = []
    entered, go = threading.Event(), threading.Event()

    class Slow(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> None:
            order.append(content.strip())
            entered.set()
            assert go.wait(20)

    with (
        serve(Slow(), threads=1) as server,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(Raw(("127.0.0.1", server.port))) for _ in range(6)]
        for number, raw in enumerate(clients):
            raw.reply()
            for command in [*BEGINNING, "DATA"]:
                raw.ask(command)
            raw.say(f"{number}\r\n.")
            assert entered.wait(10)
            # The server has read it when it answers somebody who came later.
            with Raw(("127.0.0.1", server.port)) as later:
                later.reply()
        go.set()
        for raw in clients:
            assert raw.reply().startswith("250")
    assert order == [b"%d" % number for number in range(6)]


def test_a_streaming_handler_holds_one_thread() -> None:
    """While its content lasts; hooks that are due in between are called in the same thread."""
    callers: list[int] = []

    class Streaming:
        def content(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
            callers.append(threading.get_ident())
            assert b"".join(chunks) == b"a\r\nbc\r\n"

        def command(self, session: Any, command: Any) -> None:
            callers.append(threading.get_ident())

        def rejected(self, session: Any, rejected: Any) -> None:
            callers.append(threading.get_ident())

    with (
        serve(Streaming(), threads=1, extensions=[*standard(), Chunking()]) as server,
        Raw(("127.0.0.1", server.port)) as raw,
    ):
        raw.reply()
        for command in BEGINNING:
            raw.ask(command)
        assert raw.ask("BDAT 3\r\na").startswith("250")
        # Refused by the protocol, which the handler is told of while it waits for its content.
        assert raw.ask("BOGUS").startswith("500")
        assert raw.ask("BDAT 4 LAST\r\nbc").startswith("250")
    assert len(callers) == 2
    assert callers[0] == callers[1]


def test_chunks_after_the_handler_has_returned() -> None:
    """They are gone, also for a thread of the handler's own."""
    kept: list[Iterator[bytes]] = []

    class Careless:
        def content(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
            kept.append(chunks)

    with (
        serve(Careless()) as server,
        connect("127.0.0.1", server.port, name=NAME) as client,
    ):
        assert client.send(ENVELOPE, b"Hello\r\n" * 1000).complete
        with pytest.raises(ContentLost, match="returned"):
            next(kept[0])
        assert client.send(ENVELOPE, b"Hello\r\n" * 1000).complete


def test_content_that_was_lost_does_not_end_as_if_it_were_complete() -> None:
    ends: list[type] = []

    class Stubborn:
        def content(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
            for _ in range(3):
                try:
                    for _ in chunks:
                        pass
                    ends.append(StopIteration)
                except ContentLost:
                    ends.append(ContentLost)

    with serve(Stubborn()) as server:
        with Raw(("127.0.0.1", server.port)) as raw:
            raw.reply()
            for command in [*BEGINNING, "DATA"]:
                raw.ask(command)
            raw.say("Subject: half a message")
        wait_until(lambda: not server.sessions)
    assert ends == [ContentLost] * 3


@pytest.mark.parametrize("silent", [8, 100])
def test_clients_that_fall_silent_within_content(silent: int) -> None:
    """Short calls do not wait for a streaming handler, nor does the end of the server."""
    begun, lost = threading.Semaphore(0), threading.Semaphore(0)

    class Streaming:
        def rcpt(self, session: Any, rcpt: Any) -> None:
            pass

        def content(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
            begun.release()
            try:
                for _ in chunks:
                    pass
            except ContentLost:
                lost.release()
                raise

    with (
        serve(Streaming(), threads=8) as server,
        contextlib.ExitStack() as stack,
    ):
        where = ("127.0.0.1", server.port)
        for _ in range(silent):
            raw = stack.enter_context(Raw(where))
            raw.reply()
            for command in [*BEGINNING, "DATA"]:
                raw.ask(command)
            raw.say("Subject: half a message")
            assert begun.acquire(timeout=10)
        with connect(*where, name=NAME, timeout=10) as client:
            assert client.send(ENVELOPE, b"Hello\r\n").complete
        assert threads() <= silent + 1 + 8 + 1
        server.stop(0.1)
        for _ in range(silent):
            assert lost.acquire(timeout=10)


def test_streaming_handlers_have_a_bound_of_their_own() -> None:
    """Beyond it they wait in order, and other calls go on."""
    entered: list[bytes] = []

    class Streaming:
        def rcpt(self, session: Any, rcpt: Any) -> None:
            pass

        def content(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
            entered.append(next(chunks))
            for _ in chunks:
                pass

    with (
        serve(Streaming(), threads=1, content_threads=1) as server,
        contextlib.ExitStack() as stack,
    ):
        clients = []
        for number in range(3):
            raw = stack.enter_context(Raw(("127.0.0.1", server.port)))
            raw.reply()
            for command in [*BEGINNING, "DATA"]:
                raw.ask(command)
            raw.say(f"{number}")
            clients.append(raw)
            wait_until(lambda: bool(entered))
        assert threads() == 3
        assert entered == [b"0"]
        for raw in clients:
            assert raw.ask(".").startswith("250")
    assert [chunk[:1] for chunk in entered] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("bound", ["threads", "content_threads"])
@pytest.mark.parametrize("number", [0, -1])
def test_without_threads_no_handler_could_be_called(bound: str, number: int) -> None:
    bounds: dict[str, Any] = {bound: number}
    with pytest.raises(ValueError, match=f"^{bound}: expected 1 or more"):
        serve(Inbox(), **bounds)


# --- fairness ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gate(Extension):
    """Notes who says NOOP, and stops the server at the first one until all have come."""

    keyword: ClassVar[str] = "X-GATE"
    heard: ClassVar[list[str | None]] = []
    arrived: ClassVar[threading.Event] = threading.Event()
    opened: ClassVar[threading.Event] = threading.Event()

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        if isinstance(command, Noop):
            self.arrived.set()
            assert self.opened.wait(10)
            self.heard.append(session.hostname if session.extended else None)
        return None


def test_who_floods_gives_way() -> None:
    """What a neighbour says is answered long before a flood that came first has been."""
    flood = 10_000
    with (
        serve(Inbox(), extensions=[*standard(), Gate()], limits=MANY) as server,
        Raw(("127.0.0.1", server.port)) as neighbour,
        contextlib.ExitStack() as stack,
    ):
        neighbour.reply()
        neighbour.ask("EHLO client.example.org")
        floods = [stack.enter_context(Raw(("127.0.0.1", server.port))) for _ in range(3)]
        for raw in floods:
            raw.reply()
        for raw in floods:
            raw.sock.sendall(b"NOOP\r\n" * flood)
        assert Gate.arrived.wait(10)
        neighbour.say("NOOP")
        Gate.opened.set()
        assert neighbour.reply().startswith("250")
        before = next(index for index, who in enumerate(Gate.heard) if who is not None)
        assert before < flood / 5


def test_who_floods_is_answered_to_the_end() -> None:
    count = 10_000
    with (
        serve(Inbox(), limits=MANY) as server,
        Raw(("127.0.0.1", server.port)) as raw,
        ThreadPoolExecutor(1) as pool,
    ):
        raw.reply()
        answers = pool.submit(raw.rest)
        raw.sock.sendall(b"NOOP\r\n" * count + b"QUIT\r\n")
        assert answers.result(20).count(b"250 ") == count


# --- observers --------------------------------------------------------------------------------


def test_an_observer_that_takes_its_time_holds_its_session_alone() -> None:
    entered, go = threading.Event(), threading.Event()
    notes: list[tuple[str, bytes]] = []

    def observer(session: Session) -> Any:
        first = not notes
        notes.append(("new", b""))

        def note(sender: str, octets: bytes, content: bool) -> None:
            if first:
                entered.set()
                assert go.wait(10)
                notes.append((sender, octets))

        return note

    with (
        serve(Inbox(), observer=observer) as server,
        Raw(("127.0.0.1", server.port)) as slow,
    ):
        assert entered.wait(10)
        with connect("127.0.0.1", server.port, name=NAME) as client:
            assert client.send(ENVELOPE, b"Hello\r\n").complete
        go.set()
        assert slow.reply().startswith("220")
        assert slow.ask("NOOP").startswith("250")
    sent = [note for note in notes if note[0] != "new"]
    assert [sender for sender, _ in sent[:3]] == ["S", "C", "S"]
    assert sent[1] == ("C", b"NOOP")


def test_an_observer_that_cannot_be_made(caplog: pytest.LogCaptureFixture) -> None:
    def observer(session: Session) -> Any:
        raise ValueError("a defect of the observer")

    with (
        serve(Inbox(), observer=observer) as server,
        connect("127.0.0.1", server.port, name=NAME) as client,
    ):
        assert client.noop().positive
    assert "a defect of the observer" in caplog.text
