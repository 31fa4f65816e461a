"""The certificate of a server: its options, and throw-away certificates, which need trustme."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..adapters.tls_contexts import CertificateFiles
from .common import CannotRun, in_file, need
from .terminal import complain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = [
    "Files",
    "add_certificate",
    "certificate_files",
    "check_certificate",
    "self_signed",
    "throw_away",
]


def add_certificate(parser: argparse._ActionsContainer) -> None:
    """Declare the options."""
    parser.add_argument("--cert", metavar="FILE", help="certificate and its chain, PEM")
    parser.add_argument("--key", metavar="FILE", help="private key, PEM; default: also in --cert")
    parser.add_argument(
        "--self-signed", action="store_true", help="a throw-away certificate (package trustme)"
    )


def check_certificate(options: argparse.Namespace) -> bool:
    """Check the options together; return whether there is a certificate.

    Raises:
        CannotRun: they contradict each other, or need a package that is not installed.
    """
    if options.cert and options.self_signed:
        raise CannotRun("--cert and --self-signed exclude each other")
    if options.key and not options.cert:
        raise CannotRun("--key needs --cert")
    if options.self_signed:
        need("trustme", "--self-signed")
    return bool(options.cert or options.self_signed)


@contextlib.contextmanager
def self_signed(options: argparse.Namespace, *names: str) -> Iterator[None]:
    """Create the certificate that `--self-signed` asks for, for a block: `--cert` becomes its file.

    Arguments:
        options: the options.
        names: the names of the server, in addition to those of this host.
    """
    if not options.self_signed:
        yield
        return
    with throw_away(*dict.fromkeys([*names, "localhost", "127.0.0.1", "::1"])) as files:
        options.cert, options.key = str(files.certificate), str(files.key)
        complain(f"clients that are to trust the certificate: send --ca {files.authority}")
        yield


def certificate_files(options: argparse.Namespace) -> CertificateFiles:
    """Return the files of the certificate, for handshakes.

    Raises:
        CannotRun: a file cannot be read, or has something else.
    """
    try:
        return CertificateFiles(options.cert, options.key)
    except OSError as error:
        what = in_file(options.cert, error, "a certificate and its private key in PEM")
        raise CannotRun(f"--cert {what}") from None


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
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert(*names)
    with tempfile.TemporaryDirectory(prefix="smtpproto-") as folder:
        files = Files(*(Path(folder, f"{name}.pem") for name in ("authority", "cert", "key")))
        authority.cert_pem.write_to_path(str(files.authority))
        certificate.private_key_pem.write_to_path(str(files.key))
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(str(files.certificate), append=True)
        yield files
