"""The command line and servers that are not ours."""

from __future__ import annotations

import re
from pathlib import Path

from tests.interop import clients
from tests.interop.peers import needs
from tests.interop.postfix import Postfix
from tests.programs import HOST, serve, smtpproto


@needs("postfix", "swaks")
def test_swaks_and_postfix_are_heard_and_repeated_to_our_server(
    postfix_inbound: Postfix, tmp_path: Path
) -> None:
    server = f"{HOST}:{postfix_inbound.port}"
    options = ["--server", server, "--save", str(tmp_path), "--count", "1"]
    with serve(*options, verb="proxy") as proxy:
        clients.swaks(proxy.port, "carol@far.test", ["alice@local.test"], "--body", "hello")
        assert proxy.process.wait(20) == 0
        shown = proxy.stdout
    assert "1 C: EHLO swaks.test\n" in shown
    assert re.search(r"^1 S: 250 2\.0\.0 Ok: queued as \w+$", shown, re.MULTILINE)
    (delivered,) = postfix_inbound.delivered("alice")
    assert b"hello" in delivered
    with serve("--print") as ours:
        repeated = smtpproto(
            "talk", ours.server, "--script", str(tmp_path / "1.txt"), "--match", "class"
        )
        assert (repeated.returncode, repeated.stderr) == (0, "")
        assert ours.stop() == 0
        assert (
            delivered.decode().replace("\r\n", "\n").splitlines()[-3:]
            == (ours.stdout.splitlines()[-3:])
        )


@needs("postfix")
def test_postfix_says_what_became_of_messages(postfix_inbound: Postfix) -> None:
    server = f"{HOST}:{postfix_inbound.port}"
    options = ["--server", server, "--from", "carol@far.test", "--subject", "hi"]
    sent = smtpproto("send", *options, "--to", "alice@local.test, nobody@local.test")
    assert sent.returncode == 1
    assert re.fullmatch(
        r"accepted  <alice@local\.test>  250 2\.0\.0 Ok: queued as \w+\n", sent.stdout
    )
    assert sent.stderr.startswith("refused   <nobody@local.test>  550 5.1.1 ")
    load = smtpproto("send", *options, "--to", "bob@local.test", "--repeat", "9", "--parallel", "3")
    assert load.stdout.startswith("9 of 9 messages accepted")
    assert len(postfix_inbound.delivered("bob", 9)) == 9


@needs("postfix")
def test_postfix_answers_what_is_typed(postfix_inbound: Postfix) -> None:
    server = f"{HOST}:{postfix_inbound.port}"
    lines = b"FOO\nMAIL FROM:<>\nRCPT TO:<nobody@local.test>\n= NOOP\\r\\nNOOP\\r\\n\nQUIT\n"
    done = smtpproto("talk", server, stdin=lines)
    assert done.returncode == 0
    assert "C: FOO\nS: 500 5.5.2 " in done.stdout
    assert "C: NOOP\nC: NOOP\nS: 250 2.0.0 Ok\nS: 250 2.0.0 Ok\n" in done.stdout
    probed = smtpproto("probe", server)
    assert probed.returncode == 0
    assert "  DSN                  Delivery status notifications (RFC 3461)\n" in probed.stdout
    assert probed.stdout.endswith("findings: none\n")
