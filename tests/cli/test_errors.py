"""What goes wrong is told in the words of the shell: options, hosts and ports, no Python names."""

from __future__ import annotations

import ast
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import smtpproto
from smtpproto import sync
from smtpproto.adapters.tls_contexts import server_context
from smtpproto.cli import main
from smtpproto.cli.common import IO, OPTIONS, reason
from smtpproto.conversations import ServerTLS, TLSError
from smtpproto.conversations.client.certificate_errors import tls_error
from tests.cli.certificates import throw_away
from tests.cli.inboxes import Forgetting
from tests.programs import HOST

KINDS = pytest.mark.parametrize("io", IO)
# A member of a class or module, a name with an underscore, a class, an error number.
PYTHON = re.compile(
    r"\b[A-Z][A-Za-z]*\.[A-Za-z]\w*\b|\b(?!s_client)[a-z]+_[a-z_]+\b|Errno|_ssl|\b[A-Z][a-z]+[A-Z]"
)


@pytest.fixture
def nowhere() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def private(tmp_path: Path) -> Iterator[int]:
    """A server whose certificate comes from a private authority, which it sends along."""
    with throw_away("localhost", HOST) as files:
        chain = tmp_path / "chain.pem"
        chain.write_bytes(files.certificate.read_bytes() + files.authority.read_bytes())
        context = server_context(chain, files.key)
    with sync.serve(Forgetting(), tls=ServerTLS.STARTTLS, tls_context=context) as server:
        yield server.port


def errors(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    text = shown.out + shown.err
    # The names in certificates are random, and now and then look like Python.
    assert PYTHON.search(re.sub(r"#\S+", "", text)) is None, text
    return text


# --- host and port ------------------------------------------------------------------------------


@KINDS
def test_no_connection(
    nowhere: int, message_file: str, io: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", message_file, "--server", f"{HOST}:{nowhere}", "--io", io]) == 2
    assert errors(capsys) == (
        f"not sent: no connection to {HOST} port {nowhere}: Connection refused\n"
    )


@KINDS
def test_no_unix_socket(message_file: str, io: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", message_file, "--unix", "/nowhere/at/all", "--io", io]) == 2
    assert "no connection to /nowhere/at/all: No such file or directory" in errors(capsys)


@pytest.mark.parametrize("verb", ["probe", "talk"])
def test_no_session(nowhere: int, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, f"{HOST}:{nowhere}"]) == 2
    assert f"no connection to {HOST} port {nowhere}: Connection refused\n" in errors(capsys)


@pytest.mark.parametrize("said", [[], [b"554 go away\r\n"], [b"what?\r\n"]])
@pytest.mark.parametrize("verb", ["probe", "talk", "send"])
def test_a_session_that_fails(
    scripted: tuple[int, list[bytes]],
    verb: str,
    said: list[bytes],
    message_file: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port, lines = scripted
    lines += said
    where = f"{HOST}:{port}"
    assert main([verb, where] if verb != "send" else [verb, message_file, "--server", where]) == 2
    assert f": {HOST} port {port}: " in errors(capsys)


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says of arguments that it refuses."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", "a" * 64, "mx." + "a" * 64 + ".example"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["probe", "{}"],
        ["talk", "{}"],
        ["send", "x", "--server", "{}"],
        ["send", "x", "--mx", "--name-server", "{}"],
        ["serve", "--listen", "{}:0"],
        ["serve", "--forward", "{}:25"],
        ["proxy", "--server", "{}:25"],
    ],
)
def test_what_is_no_name_of_a_host(
    name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal([each.format(name) for each in arguments], capsys)
    assert f"expected the name of a host, found '{name}'" in said


@pytest.mark.parametrize("value", [":25", "127.0.0.1:0", "[]:25"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["send", "x", "--server"],
        ["probe"],
        ["talk"],
        ["serve", "--forward"],
        ["proxy", "--server"],
    ],
)
def test_a_server_has_a_host_and_a_port(
    arguments: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal([*arguments, value], capsys)
    assert f"a host and a port of 1 to 65535, found '{value}'" in said


@pytest.mark.parametrize(
    "options, problem",
    [
        (["--to", "j\udcf6rg@b.example"], "--to: "),
        (["--from", "j\udcf6rg@b.example"], "--from: "),
        (["--to", ""], "expected an address after --to"),
        (["--to", "a@b.example", "--name", "a b"], "name: "),
    ],
)
def test_what_is_no_address_or_name_is_not_sent(
    options: list[str],
    problem: str,
    message_file: str,
    sink: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An octet of Latin-1 in an argument is a lone surrogate in Python."""
    assert main(["send", message_file, "--server", sink, *options]) == 2
    assert f"not sent: {problem}" in errors(capsys)


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e300", "soon", ""])
@pytest.mark.parametrize(
    "arguments",
    [
        ["send", "x", "--timeout"],
        ["probe", "--timeout"],
        ["talk", "x", "--timeout"],
        ["serve", "--grace"],
    ],
)
def test_what_is_no_time(
    arguments: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal([*arguments, value], capsys)
    assert f"expected seconds, found '{value}'" in said


# --- certificates -------------------------------------------------------------------------------


@KINDS
def test_a_private_authority_is_not_called_self_signed(
    private: int, message_file: str, io: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server = ["--server", f"{HOST}:{private}", "--tls", "starttls", "--io", io]
    assert main(["send", message_file, *server]) == 2
    text = errors(capsys)
    assert "the certificate comes from a private authority that is not trusted here" in text
    assert "self-signed" not in text
    assert "trust its certificate (--ca FILE)" in text


def test_probe_says_the_same(private: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", f"{HOST}:{private}"]) == 0
    text = errors(capsys)
    assert "private authority" in text
    assert "self-signed" not in text


@KINDS
def test_another_name_can_be_expected(
    message_file: str, io: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with throw_away("mx.example.org") as files:
        context = server_context(files.certificate, files.key)
        with sync.serve(Forgetting(), tls=ServerTLS.STARTTLS, tls_context=context) as server:
            where = f"{HOST}:{server.port}"
            sending = ["send", message_file, "--server", where, "--tls", "starttls"]
            sending += ["--ca", str(files.authority), "--io", io]
            assert main(sending) == 2
            assert "the name to expect (--tls-name NAME)" in errors(capsys)
            assert main([*sending, "--tls-name", "mx.example.org"]) == 0


class Refused(OSError):
    """Like `ssl.SSLCertVerificationError`."""

    def __init__(self, code: int) -> None:
        super().__init__(1, "certificate verify failed")
        self.verify_code = code


@pytest.mark.parametrize("code", [9, 10, 18, 19, 20, 21, 23, 26, 62, 64, None])
@pytest.mark.parametrize("implicit", ["--tls implicit", "--implicit"])
def test_hints_about_tls_name_options(code: int | None, implicit: str) -> None:
    error = OSError(1, "wrong version number (_ssl.c:1006)") if code is None else Refused(code)
    text = reason(tls_error(error, "mx.example"), "mx.example port 465", implicit=implicit)
    assert text.startswith("mx.example port 465: TLS with mx.example: ")
    assert PYTHON.search(text) is None, text
    if code is None:
        assert f"({implicit})" in text


def test_a_server_without_starttls(message_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with sync.serve(Forgetting()) as server:
        where = f"{HOST}:{server.port}"
        assert main(["send", message_file, "--server", where, "--tls", "starttls"]) == 2
    text = errors(capsys)
    assert "--tls implicit" in text
    assert "--tls opportunistic goes on without TLS" in text


def test_a_server_that_waits_for_tls(
    message_file: str, capsys: pytest.CaptureFixture[str], private: int
) -> None:
    with throw_away("localhost") as files:
        context = server_context(files.certificate, files.key)
    with sync.serve(Forgetting(), tls=ServerTLS.IMPLICIT, tls_context=context) as server:
        where = f"{HOST}:{server.port}"
        assert main(["probe", where, "--timeout", "0.2"]) == 2
        assert "(--implicit)" in errors(capsys)
        assert main(["talk", where, "--timeout", "0.2"]) == 2
        assert "(--tls implicit)" in errors(capsys)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_name_becomes_an_option(name: str) -> None:
    text = reason(TLSError(f"say so ({name})"))
    assert name not in text
    assert "--" in text


def test_the_library_has_each_text_that_becomes_an_option() -> None:
    package = Path(smtpproto.__file__).parent
    trees = [
        ast.parse(path.read_text("utf-8"))
        for path in package.rglob("*.py")
        if package / "cli" not in path.parents
    ]
    texts = [
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [name for name in OPTIONS if not any(name in text for text in texts)] == []


# --- messages and files -------------------------------------------------------------------------


def test_a_message_without_sender_or_recipient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"Subject: hello\n\nhello\n")
    assert main(["send", str(path)]) == 2
    assert "give --from ADDR" in errors(capsys)
    assert main(["send", str(path), "--from", "a@b.example"]) == 2
    assert "give --to ADDR" in errors(capsys)
    path.write_bytes(
        b"Resent-From: a@b.example\nResent-To: c@d.example\nResent-Date: x\n" * 2 + b"\nhello\n"
    )
    assert main(["send", str(path)]) == 2
    assert "give --from and --to" in errors(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["send", "{}"],
        ["send", "x", "--ca", "{}"],
        ["send", "x", "--user", "ann", "--password-file", "{}"],
        ["serve", "--cert", "{}"],
        ["serve", "--users", "{}"],
        ["probe", "--ca", "{}"],
    ],
)
def test_a_file_that_is_not_there(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    assert main([each.format(missing) for each in arguments]) == 2
    assert capsys.readouterr().err.endswith(f"{missing}: No such file or directory\n")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["send", "x", "--ca", "{}"], "expected certificates in PEM ("),
        (["send", "x", "--user", "ann", "--password-file", "{}"], "expected UTF-8, found the"),
        (["serve", "--cert", "{}"], "expected a certificate and its private key in PEM ("),
        (["serve", "--users", "{}"], "expected UTF-8, found the octet 0xff"),
    ],
)
def test_a_file_with_something_else(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "junk"
    path.write_bytes(b"\xff\n")
    assert main([each.format(path) for each in arguments]) == 2
    assert f"{path}: {expected}" in errors(capsys).replace("pytest_of", "")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["demo", "--maildir", "{}/x"], "smtpproto: {}/x/tmp: Not a directory\n"),
        (["serve", "--listen", "0", "--maildir", "{}"], "serve: {}/tmp: Not a directory\n"),
        (["serve", "--listen", "0", "--mbox", "/"], "serve: --mbox /: Is a directory\n"),
        (["proxy", "--server", "x:25", "--save", "{}"], "proxy: --save {}: File exists\n"),
        (["send", "/"], "not sent: /: Is a directory\n"),
    ],
)
def test_a_place_where_nothing_can_be_written(
    arguments: list[str], expected: str, message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([each.format(message_file) for each in arguments]) == 2
    assert capsys.readouterr().err.endswith(expected.format(message_file))


def test_an_address_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert main(["serve", "--listen", f"{HOST}:{port}"]) == 2
    assert f"cannot listen on {HOST} port {port}: Address already in use\n" in errors(capsys)
