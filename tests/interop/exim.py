"""An Exim of one's own: unpacked or installed, private configuration, spool and mailboxes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.interop.maildir import Delivering
from tests.interop.peers import (
    folder,
    free_ports,
    program,
    read_log,
    run,
    running,
    shown_if_failed,
)
from tests.programs import HOST, until

DOMAIN = "exim.test"
ACCOUNTS = ("alice", "bob", "postmaster")
PASSWORD = "secret"
USER = "Debian-exim"

NO_TLS = "tls_advertise_hosts ="
TLS = """\
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_try_verify_hosts = *
tls_verify_certificates = {authority}
"""

# Everything is done as Exim's own user: root's rights are given up as soon as the port is open.
CONFIGURATION = """\
primary_hostname = mx.{domain}
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
local_interfaces = {host}
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
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
{tls}
acl_smtp_rcpt = recipient
acl_smtp_data = accept
{main}

begin acl
recipient:
  deny domains = {domain}
       !local_parts = {accounts}
       message = no such account
  accept

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{alice}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
{client[plain]}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = "Username:: : Password::"
  server_condition = ${{if and{{{{eq{{$auth1}}{{alice}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
{client[login]}
cram_md5:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{alice}}{{{password}}}fail}}
  server_set_id = $auth1
{client[cram_md5]}
external:
  driver = external
  public_name = EXTERNAL
  server_param2 = ${{certextract {{subj_altname,mail,>:}}{{$tls_in_peercert}}}}
  server_condition = ${{if def:auth2}}
  server_set_id = $auth2
  server_advertise_condition = $tls_in_certificate_verified
{client[external]}

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

# How it logs in itself, by authenticator.
CLIENT = {
    "plain": "client_send = ^{0}^{1}",
    "login": "client_send = : {0} : {1}",
    "cram_md5": "client_name = {0}\n  client_secret = {1}",
    "external": "client_send = {0}",
}


class Exim(Delivering):
    """A running Exim.

    It takes mail for `ACCOUNTS` at `DOMAIN` (other local-parts there get 550), and hands all other
    mail to the next hop's port.  With a certificate it offers STARTTLS, and at `tls_port` TLS comes
    first; then "alice" can log in with `PASSWORD`, and anybody with a certificate of the authority.
    """

    def __init__(self, home: Path, ports: tuple[int, int], binary: str) -> None:
        super().__init__(home, *ports)
        self.binary = binary

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
def exim(
    next_port: int = 9,
    *,
    main: str = "",
    transport: str = "",
    certificate: Path | None = None,
    authority: Path | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[Exim]:
    """An Exim for the length of a `with` block.

    Arguments:
        next_port: the port on loopback that gets all mail for other domains.
        main: further lines of the main configuration.
        transport: further lines of the transport to the next hop, such as "protocol = lmtp".
        certificate: its own, with the key, PEM.
        authority: that of the clients' certificates.
        login: user name and password for the next hop.
    """
    binary = program("exim4")
    with folder() as home:
        for name in ("spool", "log", "mail"):
            (home / name).mkdir()
            shutil.chown(home / name, USER, USER)
        port, tls_port = free_ports(2)
        text = CONFIGURATION.format(
            home=home,
            host=HOST,
            port=port,
            tls_port=tls_port,
            tls=TLS.format(certificate=certificate, authority=authority) if certificate else NO_TLS,
            password=PASSWORD,
            client={
                name: f"  {send.format(*login)}" if login else "" for name, send in CLIENT.items()
            },
            user=USER,
            domain=DOMAIN,
            accounts=" : ".join(ACCOUNTS),
            next_port=next_port,
            main=main,
            transport=transport,
        )
        (home / "exim.conf").write_text(text, encoding="utf-8")
        server = Exim(home, (port, tls_port), binary)
        command = [binary, "-C", str(home / "exim.conf"), "-bdf", "-q1s"]
        with (
            running(command, home / "log" / "out"),
            shown_if_failed(server),
        ):
            yield server
