from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from smtpproto import sync
from tests.cli.inboxes import Inbox
from tests.programs import HOST, MESSAGE


@pytest.fixture
def mails() -> Inbox:
    return Inbox()


@pytest.fixture
def sink(mails: Inbox) -> Iterator[str]:
    """HOST:PORT of a server that keeps its mail in `mails`."""
    with sync.serve(mails, hostname="mx.example", received=False) as running:
        yield f"{HOST}:{running.port}"


@pytest.fixture
def full() -> Iterator[str]:
    """HOST:PORT of a server that lets nobody in."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        address = listener.getsockname()
        # The system now ignores further clients, so that they wait.
        with socket.create_connection(address, 20):
            yield "{}:{}".format(*address)


@pytest.fixture
def message_file(tmp_path: Path) -> str:
    path = tmp_path / "message"
    path.write_bytes(MESSAGE)
    return str(path)
