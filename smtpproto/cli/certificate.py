"""The certificate of a server: its options, and throw-away certificates, which need trustme."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..adapters.tls_contexts import CertificateFiles
from ..testing.certificates import Certificates
from .common import CannotRun, file_of, need
from .terminal import complain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..adapters.tls_contexts import Context


def add_certificate(parser: argparse._ActionsContainer) -> None:
    """Declare the options."""
    parser.add_argument(
        "--cert", metavar="FILE", help="the server's certificate and its chain, PEM"
    )
    parser.add_argument(
        "--key", metavar="FILE", help="its private key, PEM; default: also in --cert"
    )
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
    options.made = None
    return bool(options.cert or options.self_signed)


@contextlib.contextmanager
def self_signed(options: argparse.Namespace, *names: str) -> Iterator[None]:
    """Create the certificate that `--self-signed` asks for, if it does, for a block.

    Arguments:
        options: after `check_certificate`.
        names: the names of the server, in addition to those of this host.
    """
    if not options.self_signed:
        yield
        return
    options.made = Certificates(*names)
    authority = options.made.write_authority()
    complain(f"clients can trust the certificate: send --ca {authority}")
    try:
        yield
    finally:
        authority.unlink(missing_ok=True)


def certificate(options: argparse.Namespace) -> Context:
    """Return the certificate for handshakes.

    Raises:
        CannotRun: a file cannot be read, or has something else.
    """
    if options.made is not None:
        context: Context = options.made.server_context()
        return context
    with file_of("--cert", options.cert, "a certificate and its private key in PEM"):
        return CertificateFiles(options.cert, options.key)
