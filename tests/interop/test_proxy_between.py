"""A client and a server that are not ours, with `proxy` between them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.interop import clients
from tests.interop.peers import HOST, needs
from tests.interop.postfix import Postfix
from tests.programs import serve, smtpproto


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
