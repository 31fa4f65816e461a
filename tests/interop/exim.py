"""An Exim of one's own: unpacked or installed, private configuration, spool and mailboxes."""

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
    run,
    running,
    until,
)

DOMAIN = "exim.test"
ACCOUNTS = ("alice", "bob", "postmaster")
USER = "Debian-exim"

# Everything is done as Exim's own user: root's rights are given up as soon as the port is open.
CONFIGURATION = """\
primary_hostname = mx.{domain}
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
local_interfaces = {host}
daemon_smtp_ports = {port}
exim_user = {user}
exim_group = {user}
deliver_drop_privilege = true
keep_environment =
add_environment =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 50
message_size_limit = 128M
accept_8bitmime = true
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
prdr_enable = true
tls_advertise_hosts =
acl_smtp_rcpt = recipient
acl_smtp_data = accept
{main}

begin acl
recipient:
  deny domains = {domain}
       !local_parts = {accounts}
       message = no such account
  accept

begin routers
here:
  driver = accept
  domains = {domain}
  # A list that matched gives the value that Exim trusts in a file name.
  local_parts = {accounts}
  transport = store
there:
  driver = manualroute
  route_list = * {host}
  self = send
  transport = next_hop

begin transports
store:
  driver = appendfile
  directory = {home}/mail/$local_part_data
  maildir_format
  delivery_date_add
  envelope_to_add
  return_path_add
  user = {user}
next_hop:
  driver = smtp
  port = {next_port}
  allow_localhost
  hosts_try_fastopen =
  hosts_try_dane =
{transport}

begin retry
* * F,1h,1s
"""


class Exim:
    """A running Exim.

    It takes mail for `ACCOUNTS` at `DOMAIN` (other local-parts there get 550), and hands all other
    mail to the next hop's port.
    """

    def __init__(self, home: Path, port: int, binary: str) -> None:
        self.home = home
        self.port = port
        self.binary = binary

    def maildir(self, account: str) -> Path:
        return self.home / "mail" / account

    def delivered(self, account: str, count: int = 1, timeout: float = 20) -> list[bytes]:
        """What the account got, without the trace that delivery added, lines with CRLF."""
        stored = maildir.wait_for(self.maildir(account), count, timeout)
        return [maildir.sent(message) for message in stored]

    def queue(self) -> list[str]:
        """The identifiers of the messages that wait."""
        command = [self.binary, "-C", str(self.home / "exim.conf"), "-bpru"]
        return [line.split()[2] for line in run(command).splitlines() if "<" in line]

    def wait_until_empty(self, timeout: float = 20) -> None:
        until(lambda: not self.queue(), timeout, "an empty queue")

    def log(self) -> str:
        return "".join(
            read_log(self.home / "log" / name) for name in ("mainlog", "paniclog", "out")
        )


@contextlib.contextmanager
def exim(next_port: int = 9, *, main: str = "", transport: str = "") -> Iterator[Exim]:
    """An Exim for the length of a `with` block.

    Arguments:
        next_port: the port on loopback that gets all mail for other domains.
        main: further lines of the main configuration.
        transport: further lines of the transport to the next hop, such as "protocol = lmtp".
    """
    binary = program("exim4", "exim/usr/sbin/exim4")
    need_root("exim4")
    with folder() as home:
        for name in ("spool", "log", "mail"):
            (home / name).mkdir()
            shutil.chown(home / name, USER, USER)
        port = free_port()
        text = CONFIGURATION.format(
            home=home,
            host=HOST,
            port=port,
            user=USER,
            domain=DOMAIN,
            accounts=" : ".join(ACCOUNTS),
            next_port=next_port,
            main=main,
            transport=transport,
        )
        (home / "exim.conf").write_text(text, encoding="utf-8")
        server = Exim(home, port, binary)
        command = [binary, "-C", str(home / "exim.conf"), "-bdf", "-q1s"]
        with running(command, home / "log" / "out"):
            try:
                until(lambda: greets(port), 20, f"a greeting from Exim at port {port}")
                yield server
            except BaseException:
                print(server.log())
                raise
