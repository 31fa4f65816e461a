"""How the clients of the matrix log in, with each mechanism that they have."""

from __future__ import annotations

from collections.abc import Callable

from tests.interop import clients
from tests.interop.matrix import sending
from tests.interop.matrix.features import PASSWORD, USER
from tests.interop.matrix.sending import Job, Way
from tests.interop.matrix.table import REQUIRED, TLS, TRUST

TOKEN = "a-token-of-alice"
PASSWORDS = ("PLAIN", "LOGIN", "CRAM-MD5")
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256")
TOKENS = ("XOAUTH2", "OAUTHBEARER")

LogIn = Callable[[str, bool], Way]
"""Takes the mechanism, and whether TLS comes first rather than after STARTTLS."""


def swaks(mechanism: str, implicit: bool) -> Way:
    tls = "--tls-on-connect" if implicit else "--tls"
    who = ("--auth-user", USER, "--auth-password", PASSWORD)
    return sending.swaks(tls, *TRUST, "--auth", mechanism, *who)


def curl(mechanism: str, implicit: bool) -> Way:
    secret = ["--user", f"{USER}:{PASSWORD}"]
    if mechanism in TOKENS:
        secret = ["--user", f"{USER}:", "--oauth2-bearer", TOKEN]
    options = (*REQUIRED, "--login-options", f"AUTH={mechanism}", *secret)
    return sending.curl(*options, scheme="smtps" if implicit else "smtp")


def msmtp(mechanism: str, implicit: bool) -> Way:
    options = [f"--tls-starttls={'off' if implicit else 'on'}", f"--auth={mechanism.lower()}"]
    if mechanism == "EXTERNAL":
        options += [f"--tls-{kind}-file={{client}}" for kind in ("cert", "key")]
    secret = TOKEN if mechanism in TOKENS else PASSWORD
    return sending.msmtp(*TLS, f"--user={USER}", f"--passwordeval=echo {secret}", *options)


def nodemailer(mechanism: str, implicit: bool) -> Way:
    secret = {"type": "login", "pass": PASSWORD}
    if mechanism in TOKENS:
        secret = {"type": "OAuth2", "accessToken": TOKEN}
    return sending.nodemailer(
        ignoreTLS=False,
        secure=implicit,
        requireTLS=not implicit,
        authMethod=mechanism,
        auth={"user": USER, **secret},
    )


def gsasl(mechanism: str, implicit: bool) -> Way:
    """It says STARTTLS where that is offered; told to say it, it does so before EHLO.

    Where it can bind to the channel, it insists on that.
    """
    assert not implicit
    options = [] if mechanism.endswith("-PLUS") else ["--no-cb"]
    if mechanism == "EXTERNAL":
        options += [f"--x509-{kind}-file={{client}}" for kind in ("cert", "key")]
    options += ["--x509-ca-file={authority}", f"--password={PASSWORD}"]
    options += [f"--authentication-id={USER}", f"--authorization-id={USER}"]

    def log_in(job: Job) -> None:
        assert "\n235 " in clients.gsasl(job.port, mechanism, *map(job.filled, options))

    return log_in


def standard_library(_: str, implicit: bool) -> Way:
    """It chooses out of what the server offers."""
    return sending.standard_library(start_tls=not implicit, implicit=implicit, login=True)


def aio(_: str, implicit: bool) -> Way:
    """It chooses too."""
    return sending.aio(start_tls=not implicit, use_tls=implicit, login=True)


# What has to be installed for it; the others come with the environment.
PROGRAMS: dict[LogIn, tuple[str, ...]] = {
    client: (client.__name__,) for client in (swaks, curl, msmtp, nodemailer, gsasl)
}
ALL: dict[LogIn, tuple[str, ...]] = {
    swaks: PASSWORDS,
    curl: (*PASSWORDS, *TOKENS),
    msmtp: (*PASSWORDS, *SCRAM, *TOKENS, "EXTERNAL"),
    nodemailer: (*PASSWORDS, "XOAUTH2"),
    gsasl: (*PASSWORDS, *SCRAM, *(f"{name}-PLUS" for name in SCRAM), "EXTERNAL"),
    standard_library: PASSWORDS,
    aio: PASSWORDS,
}
