"""Certificates in files, for the tests of the command line."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import trustme


class Files(NamedTuple):
    """The paths of the files, all in PEM."""

    authority: Path
    certificate: Path
    key: Path


@contextlib.contextmanager
def throw_away(*names: str) -> Iterator[Files]:
    """Create a certificate for some names and addresses, and its authority.

    The files exist during the block, and only this user can read them.
    """
    authority = trustme.CA()
    certificate = authority.issue_cert(*names)
    with tempfile.TemporaryDirectory(prefix="smtpproto-") as folder:
        files = Files(*(Path(folder, f"{name}.pem") for name in ("authority", "cert", "key")))
        authority.cert_pem.write_to_path(str(files.authority))
        certificate.private_key_pem.write_to_path(str(files.key))
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(str(files.certificate), append=True)
        yield files
