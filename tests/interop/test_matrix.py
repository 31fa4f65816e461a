"""docs/interop.md, which `make interop` writes, and the recorder that it relies on."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from smtpproto import sync
from tests.interop.inbox import Inbox
from tests.interop.matrix import page
from tests.interop.matrix.features import AUTH, DSN, FEATURES, PIPELINING, PLAIN, STARTTLS
from tests.interop.matrix.rows import CANNOT, FAILED, NOT_HERE, YES, Cell, Row, fill
from tests.interop.matrix.table import CLIENTS, SERVERS, Cannot
from tests.interop.matrix.wire import wire
from tests.programs import HOST


def test_the_page_has_a_row_for_each_peer() -> None:
    """Both tables in their order, and nothing but what all adapters agree on."""
    lines = [line.split(" | ") for line in page.PATH.read_text("utf-8").splitlines()]
    rows = [line for line in lines if len(line) == 2 + len(FEATURES) and line[0] != "| peer"]
    assert [line[0].removeprefix("| ") for line in rows] == [*CLIENTS, *SERVERS]
    for line in rows:
        assert {cell.removesuffix(" |") for cell in line[2:]} <= {YES, CANNOT, NOT_HERE}


def test_the_page_is_what_a_run_would_write() -> None:
    """But for what the run alone finds out: the versions and the outcomes."""
    text = page.PATH.read_text("utf-8")
    around = page.TEXT.partition("{clients}")
    assert text.startswith(around[0])
    assert around[2].partition("{servers}")[0] in text


def test_a_row_that_says_what_is_not_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell is "yes" or "cannot" if that has been seen, and not because the table says so."""
    peer = CLIENTS["smtplib"]
    wrong = {DSN: Cannot("it is said"), PIPELINING: peer.cells[PLAIN], AUTH: peer.cells[STARTTLS]}
    monkeypatch.setitem(CLIENTS, "smtplib", replace(peer, cells={**peer.cells, **wrong}))
    row = fill(Row("smtplib", True, "sync"))
    failed = {name: cell.why for name, cell in row.cells.items() if cell.outcome == FAILED}
    assert failed.keys() == {"AUTH", "DSN", "PIPELINING"}
    assert "identity: expected 'alice', found None" in failed["AUTH"]
    assert "it can, after all" in failed["DSN"]
    assert "on the wire" in failed["PIPELINING"]
    assert {row.cells[each].outcome for each in ("plain", "STARTTLS", "8BITMIME")} == {YES}


def test_a_missing_peer_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTPPROTO_NO_PEERS", "1")
    row = fill(Row("Exim", False, "trio"))
    assert len(row.cells) == len(FEATURES)
    assert set(row.cells.values()) == {Cell(NOT_HERE, "exim4 is hidden by SMTPPROTO_NO_PEERS")}


def test_each_reason_once() -> None:
    row = Row("nc", True, "sync", "1.0", {each.name: Cell(YES) for each in FEATURES})
    row.cells |= {name: Cell(CANNOT, "it is dumb") for name in ("AUTH", "DSN")}
    row.cells["plain"] = Cell(FAILED, "Traceback\nAssertionError: nothing came")
    text = page.text([row])
    assert "| nc | 1.0 | FAILED | yes | yes | cannot | yes |" in text
    assert "- plain, nc: AssertionError: nothing came." in text
    assert text.count("- AUTH, nc: it is dumb.") == 1


def test_adapters_that_differ_are_named() -> None:
    sync = Row("nc", False, "sync", "1.0", {each.name: Cell(YES) for each in FEATURES})
    trio = replace(sync, adapter="trio", cells={**sync.cells, "plain": Cell(CANNOT, "it is dumb")})
    text = page.text([sync, trio])
    assert "| nc | 1.0 | sync: yes, trio: cannot | yes |" in text


@pytest.mark.parametrize("commands", [[b"EHLO a\r\n", b"NOOP\r\n"], [b"EHLO a\r\nNOOP\r\n"]])
def test_the_wire_tells_lock_step_from_pipelining(commands: list[bytes]) -> None:
    with (
        sync.serve(Inbox(), hostname="mx.test", extensions=()) as server,
        wire(server.port) as link,
    ):
        with socket.create_connection((HOST, link.port), 20) as client:
            replies = client.makefile("rb")
            assert replies.readline() == b"220 mx.test ESMTP\r\n"
            for command in commands:
                client.sendall(command)
                for _ in range(command.count(b"\r\n")):
                    assert replies.readline().startswith(b"250")
        assert link.said() == b"\0".join(commands)
