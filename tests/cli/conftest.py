from __future__ import annotations

import socket
import threading
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


@pytest.fixture
def scripted() -> Iterator[tuple[int, list[bytes]]]:
    """A server that says the lines of a list, one after each line of the client, and closes."""
    lines: list[bytes] = []
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer, peer.makefile("rwb", buffering=0) as stream:
                for line in lines:
                    stream.write(line)
                    stream.readline()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], lines
        thread.join(20)
