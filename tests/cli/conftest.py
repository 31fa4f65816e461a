from __future__ import annotations

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
def message_file(tmp_path: Path) -> str:
    path = tmp_path / "message"
    path.write_bytes(MESSAGE)
    return str(path)
