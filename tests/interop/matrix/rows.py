"""One row of the matrix: a peer and one of our adapters, feature by feature."""

from __future__ import annotations

import smtplib
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from smtpproto import Protocol, ProtocolError, Session
from smtpproto.conversations import Envelope, ServerTLS, SMTPError
from tests.adapters.worlds import Asyncio, Sync, Trio, World
from tests.interop.certificates import certificate_files
from tests.interop.conftest import Peers
from tests.interop.inbox import Inbox
from tests.interop.matrix import receiving
from tests.interop.matrix.features import (
    FEATURES,
    PIPELINING,
    USER,
    Feature,
    Letter,
)
from tests.interop.matrix.sending import Job
from tests.interop.matrix.table import (
    CLIENTS,
    OUR_CLIENT,
    SERVERS,
    Cannot,
    ClientPeer,
    ServerPeer,
)
from tests.interop.matrix.wire import Wire, wire
from tests.interop.peers import folder, why_not
from tests.programs import HOST, until

ADAPTERS: dict[str, type[World]] = {"sync": Sync, "trio": Trio, "asyncio": Asyncio}
YES, CANNOT, FAILED, NOT_HERE = "yes", "cannot", "FAILED", "not here"

AFTER_ALL = "it can, after all: the table is wrong"


@dataclass(frozen=True)
class Cell:
    """The outcome for one feature; `why` has the reason of every other than yes."""

    outcome: str
    why: str = ""


@dataclass
class Row:
    """A peer as client of our server, or as server of our client, over one adapter."""

    peer: str
    is_client: bool
    adapter: str
    version: str = ""
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.peer} to our server" if self.is_client else f"our client to {self.peer}"


def all_rows() -> list[Row]:
    """All that there are, empty."""
    peers = [*((name, True) for name in CLIENTS), *((name, False) for name in SERVERS)]
    return [Row(name, is_client, adapter) for name, is_client in peers for adapter in ADAPTERS]


def fill(row: Row) -> Row:
    """Fill all cells of a row; no error leaves here but that of an interruption."""
    peer = CLIENTS[row.peer] if row.is_client else SERVERS[row.peer]
    missing = [reason for need in peer.needs if (reason := why_not(need)) is not None]
    if missing:
        row.cells = {each.name: Cell(NOT_HERE, missing[0]) for each in FEATURES}
        return row
    logs: list[Callable[[], str]] = []
    try:
        row.version = peer.version()
        with ExitStack() as stack:
            files = stack.enter_context(certificate_files())
            world = ADAPTERS[row.adapter]()
            stack.callback(world.close)
            place = receiving.Place(files, Peers(stack, logs), world)
            if isinstance(peer, ClientPeer):
                outcomes = from_client(peer, row, place)
            else:
                outcomes = to_server(peer, row, place)
            for feature, check in outcomes:
                row.cells[feature.name] = outcome(check, logs)
    except Exception:  # noqa: BLE001  # a failure is an outcome
        failed = Cell(FAILED, traceback.format_exc())
        row.cells = {each.name: row.cells.get(each.name, failed) for each in FEATURES}
    return row


def outcome(check: Callable[[], Cannot | None], logs: list[Callable[[], str]]) -> Cell:
    try:
        found = check()
    except Exception:  # noqa: BLE001  # a failure is an outcome
        said = "\n".join(log() for log in logs)
        return Cell(FAILED, f"{traceback.format_exc()}\n{said}")
    return Cell(CANNOT, found.reason) if isinstance(found, Cannot) else Cell(YES)


Outcomes = Iterator[tuple[Feature, Callable[[], Cannot | None]]]


# --- their client, our server -----------------------------------------------------------------


def from_client(peer: ClientPeer, row: Row, place: receiving.Place) -> Outcomes:
    inbox = Inbox()
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        # A recorder before each, so that relays find all letters' server at one port.
        wires: dict[ServerTLS, Wire] = {}
        for mode in (ServerTLS.STARTTLS, ServerTLS.IMPLICIT):
            ours = receiving.ours(place.world, inbox, place.files, mode, protocol=peer.protocol)
            wires[mode] = stack.enter_context(wire(stack.enter_context(ours)))
        relays: dict[str, Any] = {}
        lmtp = peer.protocol is Protocol.LMTP
        for feature in FEATURES:
            # One that cannot begin with TLS would wait there for a greeting.
            implicit = feature.implicit and not isinstance(peer.cells[feature], Cannot)
            link = wires[ServerTLS.IMPLICIT if implicit else ServerTLS.STARTTLS]
            letter = Letter(feature, f"{row.peer} {row.adapter}", "dora@else.test")
            job = Job(link.port, letter, place.files, home, relays, place.peers, lmtp)

            def check(job: Job = job, link: Wire = link) -> Cannot | None:
                link.forget()
                link.hold = 0.05 if job.letter.feature is PIPELINING else 0
                inbox.clear()
                return sent(peer, job, inbox, link)

            yield feature, check


def sent(peer: ClientPeer, job: Job, inbox: Inbox, link: Wire) -> Cannot | None:
    feature = job.letter.feature
    way = peer.cells[feature]
    if isinstance(way, Cannot):
        # It is offered all that our server has, and is given such a message.
        try:
            peer.plain(job)
        except (AssertionError, smtplib.SMTPException):
            pass  # Our server or the relay has refused it.
        else:
            wait(inbox, peer)
        assert feature.problem(link.said()), AFTER_ALL
        return way
    way(job)
    wait(inbox, peer)
    arrived(inbox, job.letter, trace=peer.relays)
    problem = feature.problem(link.said())
    assert problem is None, problem
    return None


def wait(inbox: Inbox, peer: ClientPeer) -> None:
    """Wait for a message, and but for relays, which keep sessions open, for the session's end."""
    until(lambda: inbox.mails and (peer.relays or inbox.over), 20, "a message")


def arrived(inbox: Inbox, letter: Letter, *, trace: bool) -> None:
    """One message, as it was sent, in a session with the right facts."""
    (mail,) = inbox.mails
    content = mail.content
    if trace:
        _, field, rest = content.partition(b"\r\nFrom:")
        content = field.removeprefix(b"\r\n") + rest
    feature = letter.feature
    expect("content", content, letter.content)
    expect("recipients", mail.recipients, [letter.recipient])
    expect("reverse-path", str(mail.envelope.reverse_path), f"<{letter.sender}>")
    expect("extended", mail.session.extended, True)
    expect("what our server refuses", inbox.rejected_by_core, [])
    expect_session(mail.session, feature)


def expect(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: expected {expected!r:.400}, found {found!r:.400}"


def expect_session(session: Session, feature: Feature) -> None:
    expect("secure", session.secure, feature.secure)
    expect("identity", session.identity, USER if feature.login else None)


# --- our client, their server -----------------------------------------------------------------


def envelope(letter: Letter) -> Envelope:
    """With the feature's parameters."""
    mail = (f"MAIL FROM:<{letter.sender}>", *letter.feature.mail)
    rcpt = (f"RCPT TO:<{letter.recipient}>", *letter.feature.rcpt)
    return Envelope.parse([" ".join(mail), " ".join(rcpt)])


def to_server(peer: ServerPeer, row: Row, place: receiving.Place) -> Outcomes:
    with peer.start(place) as target:
        for feature in FEATURES:
            letter = Letter(feature, f"{row.peer} {row.adapter}", target.recipient)

            def check(feature: Feature = feature, letter: Letter = letter) -> Cannot | None:
                if feature in peer.cannot:
                    try:
                        deliver(peer, place.world, target, letter)
                    except (AssertionError, ProtocolError, SMTPError):
                        return peer.cannot[feature]
                    raise AssertionError(AFTER_ALL)
                deliver(peer, place.world, target, letter)
                return None

            yield feature, check


def deliver(peer: ServerPeer, world: World, target: receiving.Target, letter: Letter) -> None:
    feature = letter.feature
    with wire(target.tls_port if feature.implicit else target.port) as link:
        with world.connect(
            (HOST, link.port), protocol=peer.protocol, **OUR_CLIENT[feature]
        ) as client:
            expect_session(client.session, feature)
            delivery = client.send(envelope(letter), letter.content)
            assert delivery.complete, delivery
        until(lambda: letter.content in target.stored(), 20, "the message as it was sent")
        problem = feature.problem(link.said())
        assert problem is None, problem
