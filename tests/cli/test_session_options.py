"""The options for beginning a session."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from smtpproto.cli.common import CannotRun
from smtpproto.cli.session_options import add_session, connection_settings
from smtpproto.sasl import Credentials


def credentials(file: Path) -> Credentials | None:
    parser = argparse.ArgumentParser()
    parser.set_defaults(server=("mx.example", None))
    add_session(parser)
    options = parser.parse_args(["--user", "ann", "--password-file", str(file)])
    return connection_settings(options).credentials


def test_a_password_is_the_first_line(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes("sécret word \r\nnot this\n".encode())
    assert credentials(file) == Credentials(username="ann", password="sécret word ")


@pytest.mark.parametrize(
    "content, complaint",
    [(b"\nx\n", "found none"), (b"", "found none"), (b"\xff", "expected UTF-8")],
)
def test_a_password_that_is_none(content: bytes, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(CannotRun, match=complaint):
        credentials(file)
    with pytest.raises(CannotRun, match="No such file"):
        credentials(tmp_path / "missing")
