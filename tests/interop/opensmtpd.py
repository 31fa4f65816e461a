"""An OpenSMTPD of one's own: unpacked, private configuration, spool and mailboxes.

Built in are the paths of its spool, of its programs and of the authorities that it trusts.  A mount
namespace of its own puts private folders there, so that several can run, and nothing is left on the
machine.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.interop.maildir import Delivering
from tests.interop.peers import (
    UNPACKED,
    folder,
    free_ports,
    program,
    running,
    shown_if_failed,
)
from tests.programs import HOST

DOMAIN = "open.test"
ACCOUNTS = ("alice", "bob", "postmaster")
NOBODY = 65534
# "secret", as crypt(3) keeps it with SHA-512.
CRYPTED = (
    "$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0O8FHE00"
)

CONFIGURATION = """\
queue ttl 1h
table accounts {{ {accounts} }}
table secrets {{ {secrets} }}
{tls}
listen on {host} port {port} {starttls} hostname mx.{domain}
action "store" maildir "{home}/mail/%{{user.username}}" userbase <accounts>
action "next hop" relay helo mx.{domain} host {scheme}://{label}{host}:{next_port} {login}
match from any for domain "{domain}" action "store"
match from any for any action "next hop"
"""

TLS = """\
pki {domain} cert "{key}"
pki {domain} key "{key}"
table logins {{ "alice" = "{password}" }}
listen on {host} port {tls_port} smtps pki {domain} auth-optional <logins> hostname mx.{domain}
"""

START = """\
set -e
for place in /usr/libexec /var/lib /var/spool /run /etc/ssl/certs; do
  mount -t tmpfs none $place
done
mkdir -p /usr/libexec/opensmtpd /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
mount --bind "$1" /usr/libexec/opensmtpd
if [ -n "$4" ]; then cp "$4" /etc/ssl/certs/ca-certificates.crt; fi
exec "$2" -d -f "$3"
"""


class OpenSMTPD(Delivering):
    """A running OpenSMTPD.

    It takes mail for `ACCOUNTS` at `DOMAIN` (other local-parts there get 550), and hands all other
    mail to the next hop's port.  At `tls_port` TLS comes first, if it has a certificate.
    """


@contextlib.contextmanager
def opensmtpd(
    next_port: int = 9,
    scheme: str = "smtp",
    *,
    certificate: Path | None = None,
    authority: Path | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[OpenSMTPD]:
    """An OpenSMTPD for the length of a `with` block.

    Arguments:
        next_port: the port on loopback that gets all mail for other domains.
        scheme: how to speak there: "smtp" for TLS where it is offered, "smtp+notls", "smtp+tls" for
            STARTTLS, or "smtps".
        certificate: its own, with the key, PEM.
        authority: that of the next hop's certificate.
        login: user name and password for the next hop.
    """
    binary = program("opensmtpd")
    with folder() as home:
        (home / "mail").mkdir()
        shutil.chown(home / "mail", NOBODY, NOBODY)
        port, tls_port = free_ports(2)
        tls = ""
        if certificate is not None:
            # It wants no key that others can read.
            key = home / "key.pem"
            key.touch(0o600)
            key.write_bytes(certificate.read_bytes())
            tls = TLS.format(key=key, host=HOST, tls_port=tls_port, domain=DOMAIN, password=CRYPTED)
        text = CONFIGURATION.format(
            home=home,
            host=HOST,
            port=port,
            domain=DOMAIN,
            tls=tls,
            starttls=f"tls pki {DOMAIN} auth-optional <logins>" if tls else "",
            accounts=", ".join(
                f'"{name}" = "{NOBODY}:{NOBODY}:{home}/mail/{name}"' for name in ACCOUNTS
            ),
            secrets='"next" = "{}:{}"'.format(*login) if login else '"none" = "none:none"',
            scheme=scheme,
            label="next@" if login else "",
            next_port=next_port,
            login="auth <secrets>" if login else "",
        )
        (home / "smtpd.conf").write_text(text, encoding="utf-8")
        server = OpenSMTPD(home, port, tls_port)
        programs = UNPACKED / "opensmtpd/usr/libexec/opensmtpd"
        start = ["unshare", "--mount", "sh", "-c", START, "sh"]
        arguments = [str(programs), binary, str(home / "smtpd.conf"), str(authority or "")]
        with (
            running([*start, *arguments], home / "log"),
            shown_if_failed(server),
        ):
            yield server
