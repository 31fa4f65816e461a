from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from smtpproto import sync
from smtpproto.adapters.tls_contexts import server_context
from smtpproto.cli import main
from smtpproto.conversations import ServerTLS
from smtpproto.extensions import Extension, Size, StartTls
from tests.cli.certificates import Files, throw_away
from tests.cli.inboxes import Forgetting
from tests.programs import HOST


class Private(Extension):
    """Nobody knows it."""

    __slots__ = ()
    keyword = "X-PRIVATE"

    def arguments(self) -> str:
        return "a b"


@pytest.fixture
def authority() -> Iterator[Files]:
    with throw_away("localhost") as files:
        yield files


def test_a_plain_server(capsys: pytest.CaptureFixture[str]) -> None:
    offers = [Size(1_000), Private()]
    with sync.serve(Forgetting(), hostname="mx.example", extensions=offers) as server:
        assert main(["probe", f"{HOST}:{server.port}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        f"{HOST} port {server.port}",
        "greeting: 220 mx.example ESMTP",
        "offered:",
        "  SIZE 1000      Message size declaration (RFC 1870)",
        "  X-PRIVATE a b  (not known here)",
        "times:",
    ]
    steps = lines[6 : lines.index("findings:")]
    assert [re.sub(r" +[0-9]+ ms", "", line) for line in steps] == [
        "  connection and greeting",
        "  EHLO",
        "  QUIT",
    ]
    assert any(line.startswith("  note  no PIPELINING: ") for line in lines)


def test_what_a_server_says_cannot_harm_a_terminal(
    scripted: tuple[int, list[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    port, lines = scripted
    lines += [b"220 \x1b]0;gotcha\x07\r\n", b"250-mx\r\n250 X-\x1b[31mRED\r\n", b"221 bye\r\n"]
    main(["probe", f"{HOST}:{port}"])
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "\x07" not in shown.out + shown.err


def test_within_tls(authority: Files, capsys: pytest.CaptureFixture[str]) -> None:
    trusted, certificate, key = authority
    context = server_context(certificate, key)
    with sync.serve(
        Forgetting(), tls=ServerTLS.STARTTLS, tls_context=context, extensions=[StartTls(), Size(1)]
    ) as server:
        where = f"localhost:{server.port}"
        assert main(["probe", where, "--ca", str(trusted)]) == 0
        known = capsys.readouterr().out
        assert main(["probe", where]) == 0
        unknown = capsys.readouterr().out
    assert re.search(r"^TLS: TLSv1\.[23], \S+; the certificate is trusted$", known, re.MULTILINE)
    assert re.search(
        r"^  1  OU=.* for localhost; issued by OU=.* days left\)$", known, re.MULTILINE
    )
    assert "  before TLS  STARTTLS  TLS within a session (RFC 3207)\n" in known
    assert "  always      SIZE 1    Message size declaration (RFC 1870)\n" in known
    assert "the certificate is not trusted" in unknown
    assert "  warning  TLS with localhost: the certificate comes from an authority that" in unknown


def test_tls_from_the_start(authority: Files, capsys: pytest.CaptureFixture[str]) -> None:
    trusted, certificate, key = authority
    context = server_context(certificate, key)
    with sync.serve(Forgetting(), tls=ServerTLS.IMPLICIT, tls_context=context) as server:
        where = f"localhost:{server.port}"
        assert main(["probe", where, "--implicit", "--ca", str(trusted)]) == 0
    shown = capsys.readouterr().out
    assert "the certificate is trusted" in shown
    assert "offered:\n  SIZE " in shown


def test_json(authority: Files, capsys: pytest.CaptureFixture[str]) -> None:
    _, certificate, key = authority
    context = server_context(certificate, key)
    with sync.serve(Forgetting(), tls=ServerTLS.STARTTLS, tls_context=context) as server:
        assert main(["probe", f"localhost:{server.port}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["server"], found["port"]) == ("localhost", server.port)
    assert found["tls"]["trusted"] is False
    assert found["tls"]["chain"][0]["names"] == ["localhost"]
    assert {"when": "before TLS", "line": "STARTTLS"}.items() <= found["extensions"][0].items()
    assert "TLS handshake" in found["times"]
    assert "warning" in {each["severity"] for each in found["findings"]}
    assert main(["probe", f"{HOST}:1", "--json"]) == 2
    assert "Connection refused" in json.loads(capsys.readouterr().out)["error"]


def test_a_status_by_severity(capsys: pytest.CaptureFixture[str]) -> None:
    with sync.serve(Forgetting(), hostname="mx.example", extensions=[Size(1_000)]) as server:
        where = f"{HOST}:{server.port}"
        assert main(["probe", where, "--fail-on", "note"]) == 1
        assert main(["probe", where, "--fail-on", "warning"]) == 0
