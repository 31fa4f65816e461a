"""Direct delivery, with a name server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smtpproto import sync
from smtpproto.cli import main
from smtpproto.extensions import EightBitMime, SmtpUtf8
from tests.cli.inboxes import Inbox
from tests.programs import HOST

pytest.importorskip("dns", reason="dnspython is not installed")

from examples.names import Records, name_server
from smtpproto.cli.mail_exchangers import (
    NoMailExchanger,
    mail_exchangers,
    resolver,
)

OTHER = "127.0.0.2"
ZONE: dict[tuple[str, str], Records] = {
    ("one.example", "MX"): "10 localhost.",
    ("two.example", "MX"): ["20 localhost.", "10 gone.invalid."],
    ("null.example", "MX"): "0 .",
    ("without.example", "A"): HOST,
}


@pytest.fixture
def names() -> Iterator[str]:
    """HOST:PORT of a name server that knows `ZONE`."""
    with name_server(ZONE) as server:
        yield f"{HOST}:{server.port}"


def test_the_hosts_of_a_domain(names: str) -> None:
    host, _, port = names.partition(":")
    asked = resolver((host, int(port)))
    assert mail_exchangers("one.example", asked) == ["localhost"]
    assert mail_exchangers("two.example", asked) == ["gone.invalid", "localhost"]
    assert mail_exchangers("without.example", asked) == ["without.example"]
    with pytest.raises(NoMailExchanger, match=r"null.example accepts no mail"):
        mail_exchangers("null.example", asked)
    with pytest.raises(NoMailExchanger, match=r"there is no domain none.example"):
        mail_exchangers("none.example", asked)


def test_a_name_server_has_an_address(
    message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", message_file, "--mx", "--name-server", "localhost"]) == 2
    assert "--name-server localhost: expected an IP address" in capsys.readouterr().err


def test_each_domain_has_its_host(
    names: str, sink: str, mails: Inbox, message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipients = "a@one.example, b@null.example, c@one.example, d@two.example, e@none.example"
    arguments = ["--mx", "--name-server", names, "--port", sink.partition(":")[2]]
    assert main(["send", *arguments, "--to", recipients, message_file]) == 1
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines()] == [
        "<a@one.example>",
        "<c@one.example>",
        "<d@two.example>",
    ]
    assert "failed    <b@null.example>  null.example accepts no mail" in err
    assert "failed    <e@none.example>  there is no domain none.example" in err
    assert [len(envelope.recipients) for envelope, _ in mails.mails] == [2, 1]
    assert len(set(mails.contents)) == 1


def test_an_address_literal_is_its_own_host(
    names: str, sink: str, mails: Inbox, message_file: str
) -> None:
    arguments = ["--mx", "--name-server", names, "--port", sink.partition(":")[2]]
    assert main(["send", *arguments, "--to", "a@[127.0.0.1]", message_file]) == 0
    assert len(mails.mails) == 1


def test_a_recipient_without_a_domain(
    names: str, message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--mx", "--name-server", names, "--to", "postmaster", message_file]
    assert main(["send", *arguments]) == 2
    assert "the recipient postmaster has no domain" in capsys.readouterr().err


@pytest.fixture
def two_servers(mails: Inbox) -> Iterator[str]:
    """The port of a server at 127.0.0.1 with SMTPUTF8, and of one at 127.0.0.2 without extensions.

    Both keep their mail in `mails`.
    """
    rich = [EightBitMime(), SmtpUtf8()]
    with sync.serve(mails, host=HOST, received=False, extensions=rich) as first:
        try:
            second = sync.serve(mails, host=OTHER, port=first.port, received=False, extensions=[])
        except OSError as error:
            pytest.skip(f"{OTHER} is no address of this host: {error}")
        with second:
            yield str(first.port)


def test_each_server_gets_a_header_that_it_can_accept(
    names: str, two_servers: str, mails: Inbox, tmp_path: Path
) -> None:
    path = tmp_path / "message"
    path.write_text("From: eve@example.org\nSubject: grüß\n\nHello.\n", "utf-8")
    arguments = ["--mx", "--name-server", names, "--port", two_servers]
    assert main(["send", *arguments, "--to", f"a@[{HOST}], b@[{OTHER}]", str(path)]) == 0
    first, second = mails.contents
    assert "Subject: grüß\r\n".encode() in first
    assert second.isascii()
    assert [each.partition(b"\r\n\r\n")[2] for each in (first, second)] == [b"Hello.\r\n"] * 2


def test_a_server_that_cannot_accept_the_message_is_one_outcome(
    names: str,
    two_servers: str,
    mails: Inbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "message"
    path.write_text("From: eve@example.org\nTo: grüß@example.org\n\nHello.\n", "utf-8")
    arguments = ["--mx", "--name-server", names, "--port", two_servers]
    recipients = f"a@[{HOST}], b@[{OTHER}], c@[{HOST}]"
    assert main(["send", *arguments, "--to", recipients, str(path)]) == 1
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines()] == [f"<a@[{HOST}]>", f"<c@[{HOST}]>"]
    assert f"failed    <b@[{OTHER}]>  " in err
    assert "SMTPUTF8" in err
    assert len(mails.mails) == 1
