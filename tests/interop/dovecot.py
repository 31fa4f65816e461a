"""A Dovecot of one's own: LMTP into Maildirs, and authentication for a Postfix.

Users have passwords in several forms, since what a server keeps decides over which mechanisms it
can do.  Tokens are verified by asking an HTTP service (RFC 7662), as Dovecot has it in the field; a
few lines here answer.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import urllib.parse
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

from smtpproto.sasl import scram_keys
from tests.interop.maildir import Delivering
from tests.interop.peers import (
    folder,
    free_ports,
    http_service,
    program,
    running,
    shown_if_failed,
)
from tests.programs import HOST

ACCOUNTS = ("alice", "bob", "postmaster")
PASSWORD = "secret"
# SSHA256: what only PLAIN and LOGIN can be verified with; the password again, salted with "salt".
SALTED = "{SSHA256}+E+iFJ27Yu1ODPH1UNKUmzOmUT06dwfghQJRHHnMsO5zYWx0"
TOKENS = {"alice-has-a-token": "alice"}
MECHANISMS = (
    *("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"),
    *("XOAUTH2", "OAUTHBEARER"),
)
NOBODY = 65534

CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = lmtp
{tls}
hostname = lmtp.test
postmaster_address = postmaster@lmtp.test
first_valid_uid = {nobody}
last_valid_uid = {nobody}
first_valid_gid = {nobody}
mail_location = maildir:{home}/mail/%n
auth_username_format = %Ln
lmtp_rcpt_check_quota = no
auth_mechanisms = {mechanisms}
disable_plaintext_auth = no
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2
}}
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = passwd-file
  args = {home}/users
  override_fields = uid={nobody} gid={nobody} home={home}/mail/%n
}}
service auth {{
  unix_listener {home}/auth {{
    mode = 0666
  }}
}}
# Otherwise each wrong password from an address makes the next answer later.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
  {tls_listener}
}}
"""

NO_TLS = ("ssl = no", "")
TLS = (
    "ssl = yes\nssl_cert = <{certificate}\nssl_key = <{certificate}",
    "inet_listener lmtps {{\n address = {host}\n port = {tls_port}\n ssl = yes\n }}",
)

OAUTH2 = """\
introspection_mode = post
introspection_url = http://{host}:{port}/
username_attribute = username
active_attribute = active
active_value = true
scope = mail
openid_configuration_url = https://tokens.test/.well-known/openid-configuration
"""


class Dovecot(Delivering):
    """A running Dovecot: LMTP for `ACCOUNTS` in any domain; others get 550.

    Attributes:
        auth: the socket where a Postfix has users authenticated: `ACCOUNTS` with `PASSWORD` in
            plain text, "scrammed" with keys for SCRAM-SHA-256, "salted" with a hash; and with
            tokens those of `TOKENS`.
    """

    def __init__(self, home: Path, port: int, tls_port: int) -> None:
        super().__init__(home, port, tls_port)
        self.auth = home / "auth"


@contextlib.contextmanager
def dovecot(certificate: Path | None = None) -> Iterator[Dovecot]:
    """A Dovecot for the length of a `with` block.

    Arguments:
        certificate: its own, with the key, PEM; with one, LMTP has STARTTLS, and TLS comes first at
            `tls_port`.
    """
    binary = program("dovecot")
    with folder() as home, introspection(TOKENS) as tokens:
        (home / "mail").mkdir()
        shutil.chown(home / "mail", NOBODY, NOBODY)
        passwords = dict.fromkeys(ACCOUNTS, f"{{PLAIN}}{PASSWORD}")
        passwords |= {"scrammed": scrammed(PASSWORD), "salted": SALTED}
        users = "".join(f"{name}:{kept}::::::\n" for name, kept in passwords.items())
        (home / "users").write_text(users, encoding="utf-8")
        (home / "users").chmod(0o644)
        (home / "oauth2").write_text(OAUTH2.format(host=HOST, port=tokens), encoding="utf-8")
        port, tls_port = free_ports(2)
        tls = [
            text.format(certificate=certificate, host=HOST, tls_port=tls_port)
            for text in (TLS if certificate is not None else NO_TLS)
        ]
        text = CONFIGURATION.format(
            home=home,
            host=HOST,
            port=port,
            nobody=NOBODY,
            mechanisms=" ".join(MECHANISMS),
            tls=tls[0],
            tls_listener=tls[1],
        )
        (home / "dovecot.conf").write_text(text, encoding="utf-8")
        server = Dovecot(home, port, tls_port)
        with (
            running([binary, "-F", "-c", str(home / "dovecot.conf")], home / "log"),
            shown_if_failed(server),
        ):
            yield server


def scrammed(password: str) -> str:
    """A password as Dovecot keeps it for SCRAM-SHA-256, made by our own key derivation."""
    keys = scram_keys(password, b"a salt for tests", 4096, "sha256")
    octets = (keys.salt, keys.stored_key, keys.server_key)
    fields = [str(keys.iterations), *(b64encode(each).decode() for each in octets)]
    return "{SCRAM-SHA-256}" + ",".join(fields)


@contextlib.contextmanager
def introspection(tokens: Mapping[str, str]) -> Iterator[int]:
    """The port of a service that tells whose a token is (RFC 7662)."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            token = urllib.parse.parse_qs(body).get("token", [""])[0]
            found: dict[str, object] = {"active": False}
            if token in tokens:
                found = {"active": True, "username": tokens[token], "scope": "mail"}
            answer = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    with http_service(Answer) as port:
        yield port
