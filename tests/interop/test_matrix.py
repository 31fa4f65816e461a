"""docs/interop.md, which `make interop` writes, and the recorder that it relies on."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from tests.interop.matrix import page
from tests.interop.matrix.features import AUTH, DSN, FEATURES, PIPELINING, PLAIN, STARTTLS
from tests.interop.matrix.rows import CANNOT, FAILED, NOT_HERE, YES, Cell, Row, all_rows, fill
from tests.interop.matrix.table import CLIENTS, Cannot
from tests.interop.matrix.wire import wire
from tests.interop.sink import sink
from tests.programs import HOST


def test_the_page_has_a_row_for_each_peer_and_adapter() -> None:
    found = [line for line in page.PATH.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = all_rows()
    assert len(rows) == 54
    for row in rows:
        (line, *_) = [line for line in found if line.startswith(page.start(row.peer, row.adapter))]
        outcomes = [cell.strip() for cell in line.strip("|").split("|")][3:]
        assert len(outcomes) == len(FEATURES)
        assert set(outcomes) <= {YES, CANNOT, NOT_HERE}


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
    assert "| nc | sync | 1.0 | FAILED | yes | yes | cannot | yes |" in text
    assert "- nc: plain: AssertionError: nothing came; AUTH, DSN: it is dumb." in text


@pytest.mark.parametrize("commands", [[b"EHLO a\r\n", b"NOOP\r\n"], [b"EHLO a\r\nNOOP\r\n"]])
def test_the_wire_tells_lock_step_from_pipelining(commands: list[bytes]) -> None:
    with sink() as server, wire(server.port) as link:
        with socket.create_connection((HOST, link.port), 20) as client:
            replies = client.makefile("rb")
            assert replies.readline() == b"220 sink.test ESMTP\r\n"
            for command in commands:
                client.sendall(command)
                for _ in range(command.count(b"\r\n")):
                    assert replies.readline().startswith(b"250")
        assert link.said() == b"\0".join(commands)
