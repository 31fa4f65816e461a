"""A Postfix of one's own: private configuration, queue, log and mailboxes, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.interop.maildir import Delivering
from tests.interop.peers import folder, free_ports, program, run, shown_if_failed
from tests.programs import HOST, until

DOMAIN = "local.test"
ACCOUNTS = ("alice", "bob", "postmaster", "jürgen")
NOBODY = 65534
QUEUE = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"),
    *("private", "saved", "trace"),
)

MAIN = """\
compatibility_level = 3.6
config_directory = {home}/etc
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = {commands}
daemon_directory = {daemons}
meta_directory = {meta}
maillog_file = {home}/log
maillog_file_prefixes = {home}
myhostname = mx.{domain}
inet_interfaces = {host}
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = texthash:{home}/etc/mailboxes
virtual_mailbox_limit = 0
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
message_size_limit = 134217728
biff = no
# What is stored is what was sent: no field is completed, no address rewritten.
local_header_rewrite_clients =
# No waiting, and nobody outside is asked.
in_flow_delay = 0
smtpd_error_sleep_time = 0
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
"""

MASTER = """\
{host}:{port} inet n - n - - smtpd
{host}:{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Delivering):
    """A running Postfix.

    It takes mail for `ACCOUNTS` at `DOMAIN` (other local-parts there get 550), and hands all other
    mail to the next hop that it was started with.  At `tls_port` TLS comes first, if the settings
    give it a certificate.
    """

    def mailq(self) -> list[dict[str, Any]]:
        """The queue, one entry for each message."""
        command = [program("postqueue"), "-c", str(self.home / "etc"), "-j"]
        return [json.loads(line) for line in run(command).splitlines()]

    def wait_until_empty(self, timeout: float = 60) -> None:
        until(self._is_empty, timeout, "an empty queue")

    def _is_empty(self) -> bool:
        """Whether all messages have left, and there was one.

        The queue alone does not tell: a message that moves between its folders, as it does before
        each further attempt, can be missing from the list.
        """
        log = self.log()
        came = set(re.findall(r"/cleanup\[\d+\]: (\w+): message-id=", log))
        left = set(re.findall(r"/qmgr\[\d+\]: (\w+): removed$", log, re.MULTILINE))
        return came == left != set() and not self.mailq()


@contextlib.contextmanager
def postfix(
    next_hop: str = "error:5.1.2 no next hop in this test",
    *,
    main: Mapping[str, str] | None = None,
    master: str = "",
    files: Mapping[str, str] | None = None,
) -> Iterator[Postfix]:
    """A Postfix for the length of a `with` block.

    Arguments:
        next_hop: a transport, such as "smtp:[127.0.0.1]:2525" or "lmtp:inet:127.0.0.1:2424".
        main: further settings for main.cf; "{home}" in a value is the private folder.
        master: further lines for master.cf.
        files: the content of further files, by their path in the private folder.
    """
    command = program("postfix")
    with folder() as home:
        port, tls_port = free_ports(2)
        settings = {"default_transport": next_hop, **(main or {})}
        configure(home, (port, tls_port), settings, master)
        for name, content in (files or {}).items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(content, encoding="utf-8")
        for file in (home / "etc").rglob("*"):
            # Postfix waits with one that is younger than a second, as it may not be complete yet.
            os.utime(file, (0, 0))
        server = Postfix(home, port, tls_port)
        control = [command, "-c", str(home / "etc")]
        run([*control, "start"])
        try:
            with shown_if_failed(server):
                yield server
        finally:
            run([*control, "stop"])


def configure(home: Path, ports: tuple[int, int], main: Mapping[str, str], master: str) -> None:
    built_in = {
        name: run([program("postconf"), "-dh", name]).strip()
        for name in ("command_directory", "daemon_directory", "meta_directory")
    }
    etc = home / "etc"
    for name in ("etc", "data", "mail"):
        (home / name).mkdir()
    shutil.chown(home / "data", "postfix")
    shutil.chown(home / "mail", NOBODY, NOBODY)
    make_queue(home / "queue")
    port, tls_port = ports
    text = MAIN.format(
        home=home,
        host=HOST,
        domain=DOMAIN,
        nobody=NOBODY,
        commands=built_in["command_directory"],
        daemons=built_in["daemon_directory"],
        meta=built_in["meta_directory"],
    )
    for name, value in main.items():
        text += f"{name} = {value.replace('{home}', str(home))}\n"
    (etc / "main.cf").write_text(text, encoding="utf-8")
    services = MASTER.format(host=HOST, port=port, tls_port=tls_port) + master
    (etc / "master.cf").write_text(services, encoding="utf-8")
    mailboxes = "".join(f"{account}@{DOMAIN} {account}/\n" for account in ACCOUNTS)
    (etc / "mailboxes").write_text(mailboxes, encoding="utf-8")


def make_queue(queue: Path) -> None:
    """Lay the queue and mark it as good: Postfix itself takes two seconds for that."""
    queue.mkdir()
    for name in QUEUE:
        (queue / name).mkdir(mode=0o700)
        shutil.chown(queue / name, "postfix")
    (queue / "pid").mkdir()
    for name, mode in (("maildrop", 0o730), ("public", 0o710)):
        (queue / name).mkdir()
        (queue / name).chmod(mode)
        shutil.chown(queue / name, "postfix", "postdrop")
    (queue / "quick-start").touch()
