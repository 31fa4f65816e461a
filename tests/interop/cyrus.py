"""A user database of Cyrus SASL's, and the settings that make a Postfix use it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.interop.peers import folder, program

USER, PASSWORD = "alice", "secret"
REALM = "local.test"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")

CONFIGURATION = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {database}
mech_list: {mechanisms}
"""


@contextlib.contextmanager
def cyrus() -> Iterator[Path]:
    """The database, with `USER` in it."""
    command = [program("saslpasswd2"), "-c", "-p", "-u", REALM]
    with folder() as home:
        database = home / "sasldb2"
        subprocess.run(
            [*command, "-f", str(database), USER],
            input=PASSWORD,
            encoding="utf-8",
            timeout=30,
            check=True,
        )
        # Postfix reads it as its own user.
        database.chmod(0o644)
        yield database


MAIN = {
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sasl_type": "cyrus",
    "smtpd_sasl_local_domain": REALM,
    # Debian's Postfix looks in the folder "sasl" beside main.cf, and nowhere else.
    "cyrus_sasl_config_path": "{home}/etc/sasl",
}


def files(database: Path) -> dict[str, str]:
    """What a Postfix with `MAIN` needs besides."""
    text = CONFIGURATION.format(database=database, mechanisms=" ".join(MECHANISMS))
    return {"etc/sasl/smtpd.conf": text}
