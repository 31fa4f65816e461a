from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from smtpproto.cli.common import CannotRun
from smtpproto.cli.serve_options import add_arguments, check, server_settings
from smtpproto.conversations import ServerTLS
from smtpproto.extensions import Auth, Size, StartTls
from smtpproto.vocabulary.command_base import Syntax
from smtpproto.vocabulary.session_facts import Protocol
from smtpproto.wire import LineEndings
from tests.cli.certificates import Files, throw_away


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def checked(*arguments: str) -> argparse.Namespace:
    options = parse(*arguments)
    check(options)
    return options


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    with throw_away("mx.example") as made:
        kept = Files(*(tmp_path_factory.mktemp("tls") / path.name for path in made))
        for path, copy in zip(made, kept, strict=True):
            assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
            copy.write_bytes(path.read_bytes())
    assert not made.key.exists()
    return kept


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--listen", "host"], "expected a port of 0 to 65535, found 'host'"),
        (["--listen", "80250"], "expected a port of 0 to 65535, found '80250'"),
        (["--listen", "127.0.0.1:0", "--unix", "x"], "not allowed with argument --listen"),
        (["--maildir", "a", "--mbox", "b"], "not allowed with argument --maildir"),
        (["--print", "--discard"], "not allowed with argument --print"),
        (["--size", "0"], "expected a number of at least 1, found '0'"),
        (["--size", "much"], "expected octets such as 10M or 500k, found 'much'"),
        (["--workers", "-1"], "expected a number of at least 1, found '-1'"),
        (["--workers", "²"], "expected a number of at least 1, found '²'"),
        (["--tls", "sometimes"], "invalid choice: 'sometimes'"),
        (["--io", "twisted"], "invalid choice: 'twisted'"),
        (["--grace", "long"], "expected seconds, found 'long'"),
    ],
)
def test_an_option_that_cannot_be(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--cert", "a", "--self-signed"], "--cert and --self-signed exclude each other"),
        (["--key", "a"], "--key needs --cert"),
        (["--tls", "starttls"], "--tls starttls needs --cert FILE or --self-signed"),
        (["--tls", "implicit"], "--tls implicit needs --cert FILE or --self-signed"),
        (["--require-tls"], "--require-tls needs --tls"),
        (["--require-auth"], "--require-auth needs --user or --users"),
        (["--hostname", "my_host"], "--hostname my_host: domain: expected"),
    ],
)
def test_options_that_do_not_fit_together(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CannotRun, match=complaint):
        checked(*arguments)


def test_what_is_the_default() -> None:
    found = server_settings(checked())
    assert found.tls is None
    assert found.users is None
    assert found.protocol is Protocol.SMTP
    assert found.line_endings is LineEndings.REFUSE
    assert found.syntax is Syntax.STRICT
    assert found.received is False
    assert found.grace == 30


def test_what_is_spoken() -> None:
    options = ["--lmtp", "--lenient", "--hostname", "mx.example", "--grace", "1.5"]
    found = server_settings(checked(*options, "--size", "1000", "--proxy-protocol", "10.0.0.0/8"))
    assert found.protocol is Protocol.LMTP
    assert found.line_endings is LineEndings.NORMALIZE
    assert found.syntax is Syntax.LENIENT
    assert found.hostname == "mx.example"
    assert found.grace == 1.5
    assert Size(1000) in list(found.extensions or ())
    assert found.proxy is not None
    assert "10.1.2.3" in found.proxy
    assert "127.0.0.1" not in found.proxy


def test_a_network_that_is_none() -> None:
    with pytest.raises(CannotRun, match=r"expected an address or a network: 10\.1\.2\.3/8"):
        server_settings(checked("--proxy-protocol", "10.1.2.3/8"))


def test_tls(files: Files) -> None:
    pair = ["--cert", str(files.certificate), "--key", str(files.key)]
    found = server_settings(checked(*pair, "--require-tls"))
    assert found.tls is ServerTLS.STARTTLS
    assert StartTls(required=True) in list(found.extensions or ())
    found = server_settings(checked(*pair, "--tls", "implicit"))
    assert found.tls is ServerTLS.IMPLICIT
    assert not any(isinstance(each, StartTls) for each in found.extensions or ())


def test_a_certificate_without_its_key(files: Files) -> None:
    with pytest.raises(CannotRun, match="expected a certificate and its private key in PEM"):
        server_settings(checked("--cert", str(files.certificate)))


def test_users(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("# who\n\nann:pass:with colons \nbob:secret\n", encoding="utf-8")
    options = checked("--users", str(file), "--user", "eve:other", "--require-auth")
    found = server_settings(options)
    assert Auth(required=True) in list(found.extensions or ())
    users: Any = found.users
    assert users.check_password("ann", "pass:with colons ")
    assert users.check_password("bob", "secret")
    assert users.check_password("eve", "other")
    assert not users.check_password("bob", "secret ")
    # Another worker reads the same file, and salts come out the same.
    again: Any = server_settings(options).users
    assert again.fetch_secret("SCRAM-SHA-256", "x") == users.fetch_secret("SCRAM-SHA-256", "x")


@pytest.mark.parametrize(
    "lines, complaint",
    [
        ("ann:secret\nhunter2\n", r"users line 2: expected NAME:PASSWORD$"),
        ("ann:\n", r"users line 1: expected NAME:PASSWORD$"),
        (":hunter2\n", r"users line 1: expected NAME:PASSWORD$"),
        ("# nobody\n", "expected NAME:PASSWORD lines, found none"),
        ("ann:hunter2\x07\n", "a user cannot be used"),
        ("\udcff", "expected UTF-8"),
    ],
)
def test_users_that_are_none(lines: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_bytes(lines.encode("utf-8", "surrogateescape"))
    with pytest.raises(CannotRun, match=complaint) as error:
        server_settings(checked("--users", str(file)))
    assert "hunter2" not in str(error.value)


def test_a_user_without_a_password() -> None:
    with pytest.raises(CannotRun, match="--user: expected NAME:PASSWORD"):
        server_settings(checked("--user", "hunter2"))


def test_a_host_without_a_proper_name_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smtpproto.adapters.host.hostname", lambda: "my_host")
    assert server_settings(checked()).hostname == "localhost"
