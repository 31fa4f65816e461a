"""A Dovecot of one's own that speaks LMTP and delivers into Maildirs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.interop import maildir
from tests.interop.peers import (
    HOST,
    folder,
    free_port,
    greets,
    need_root,
    program,
    read_log,
    running,
    until,
)

ACCOUNTS = ("alice", "bob", "postmaster")
NOBODY = 65534

CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = lmtp
ssl = no
hostname = lmtp.test
postmaster_address = postmaster@lmtp.test
first_valid_uid = {nobody}
last_valid_uid = {nobody}
first_valid_gid = {nobody}
mail_location = maildir:{home}/mail/%n
auth_username_format = %Ln
lmtp_rcpt_check_quota = no
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = passwd-file
  args = {home}/users
  override_fields = uid={nobody} gid={nobody} home={home}/mail/%n
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
}}
"""


class Dovecot:
    """A running Dovecot: LMTP for `ACCOUNTS` in any domain; others get 550."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port

    def maildir(self, account: str) -> Path:
        return self.home / "mail" / account

    def delivered(self, account: str, count: int = 1, timeout: float = 20) -> list[bytes]:
        """What the account got, without the trace that delivery added, lines with CRLF."""
        stored = maildir.wait_for(self.maildir(account), count, timeout)
        return [maildir.sent(message) for message in stored]

    def log(self) -> str:
        return read_log(self.home / "log")


@contextlib.contextmanager
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot for the length of a `with` block."""
    binary = program("dovecot")
    need_root("dovecot")
    with folder() as home:
        (home / "mail").mkdir()
        shutil.chown(home / "mail", NOBODY, NOBODY)
        users = "".join(f"{account}:{{PLAIN}}secret::::::\n" for account in ACCOUNTS)
        (home / "users").write_text(users, encoding="utf-8")
        (home / "users").chmod(0o644)
        port = free_port()
        text = CONFIGURATION.format(home=home, host=HOST, port=port, nobody=NOBODY)
        (home / "dovecot.conf").write_text(text, encoding="utf-8")
        server = Dovecot(home, port)
        with running([binary, "-F", "-c", str(home / "dovecot.conf")], home / "log"):
            try:
                until(lambda: greets(port), 20, f"a greeting from Dovecot at port {port}")
                yield server
            except BaseException:
                print(server.log())
                raise
