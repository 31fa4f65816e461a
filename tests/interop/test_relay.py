"""examples/relay with Postfix's load generator before it, and Postfix itself."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue

from examples.mail_authentication.handler import Authenticating
from examples.mail_authentication.signing import Key, signed
from examples.names import name_server
from smtpproto import sync
from tests.effort import effort
from tests.interop.peers import needs, program
from tests.interop.postfix import Postfix
from tests.programs import HOST
from tests.relay.lives import KILLS, Unfriendly, check, new_dice, number_in, world
from tests.relay.world import LETTER, relay, zone


@needs("smtp-source")
def test_kills_after_many_sessions_at_once(tmp_path: Path) -> None:
    sessions, messages = effort((50, 300), (200, 1500))
    dice = new_dice()
    behind = Unfriendly(dice)
    with world(tmp_path, behind) as here:
        with here.relay() as (process, port):
            command = [
                program("smtp-source"),
                "-s",
                str(sessions),
                "-m",
                str(messages),
                "-l",
                "2000",
            ]
            command += ["-N", "-f", "load@example.org", "-t", "n@example.com", f"{HOST}:{port}"]
            subprocess.run(command, check=True, timeout=120, cwd=tmp_path)
            process.kill()
        for _ in range(KILLS - 1):
            with here.relay() as (process, _):
                time.sleep(dice.uniform(0.1, 0.5))
                process.kill()
        here.finish()
    there = {number_in(each) for each in [*behind.delivered, *behind.told]}
    assert len(there) == messages
    check(behind, there, set(), "{}n@example.com")


@needs("postfix")
def test_a_signed_message_through_the_relay_and_postfix(
    tmp_path: Path, postfix_relay: Callable[[int], Postfix]
) -> None:
    """Neither changes what was signed."""
    key = Key.rsa("here.example", "main")
    records = {
        **zone("there.example"),
        ("_dmarc.here.example", "TXT"): '"v=DMARC1; p=reject"',
        (key.name, "TXT"): key.txt,
    }
    arrived: Queue[bytes] = Queue()
    with name_server(records) as resolver:
        handler = Authenticating("mx.example", resolver, lambda *each: arrived.put(each[2]))
        with sync.serve(handler, hostname="mx.example") as server:
            postfix = postfix_relay(server.port)
            with relay(tmp_path, records, behind=[], port=postfix.port) as here:
                here.send("bob@there.example", content=signed(LETTER, key))
                stored = arrived.get(timeout=20)
    assert stored.count(b"\r\nReceived: ") == 3
    assert b"\tdkim=pass " in stored.partition(b"\r\nReceived:")[0]
