"""Clients that are not ours, each logging in in every way it has, to deliver one message.

A client is a function of a `Login`; it raises unless the server took the message.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.interop import clients
from tests.interop.certificates import Files, client_context
from tests.programs import HOST

FROM, TO = "tim@client.test", "dora@else.test"
CONTENT = f"From: <{FROM}>\r\nTo: <{TO}>\r\nSubject: hello\r\n\r\nhello\r\n".encode()


@dataclass(frozen=True)
class Login:
    """How to log in.

    Arguments:
        port: of the server, on loopback.
        implicit: whether TLS comes first, rather than after STARTTLS.
        mechanism: the SASL mechanism to use.
        files: certificates.
        message: `CONTENT` as a file.
        username, secret: the secret is a password or a token.
    """

    port: int
    implicit: bool
    mechanism: str
    files: Files
    message: Path
    username: str
    secret: str


def swaks(login: Login) -> None:
    tls = "--tls-on-connect" if login.implicit else "--tls"
    # It ends the content with a line end of its own.
    login.message.write_bytes(CONTENT.removesuffix(b"\r\n"))
    clients.swaks(
        login.port,
        FROM,
        [TO],
        *("--data", f"@{login.message}", tls, "--tls-verify"),
        *("--tls-ca-path", str(login.files.authority), "--auth", login.mechanism),
        *("--auth-user", login.username, "--auth-password", login.secret),
    )


def curl(login: Login) -> None:
    secret = ["--user", f"{login.username}:{login.secret}"]
    if login.mechanism in {"XOAUTH2", "OAUTHBEARER"}:
        secret = ["--user", f"{login.username}:", "--oauth2-bearer", login.secret]
    clients.curl(
        login.port,
        FROM,
        [TO],
        login.message,
        *("--ssl-reqd", "--cacert", str(login.files.authority)),
        *("--login-options", f"AUTH={login.mechanism}", *secret),
        scheme="smtps" if login.implicit else "smtp",
    )


def msmtp(login: Login) -> None:
    login.message.write_bytes(CONTENT.replace(b"\r\n", b"\n"))
    options = [f"--tls-starttls={'off' if login.implicit else 'on'}"]
    if login.mechanism == "EXTERNAL":
        options += [f"--tls-{kind}-file={login.files.client}" for kind in ("cert", "key")]
    clients.msmtp(
        login.port,
        FROM,
        [TO],
        login.message,
        *("--tls=on", f"--tls-trust-file={login.files.authority}", *options),
        *(f"--auth={login.mechanism.lower()}", f"--user={login.username}"),
        f"--passwordeval=echo {login.secret}",
    )


def nodemailer(login: Login) -> None:
    kind = "OAuth2" if login.mechanism == "XOAUTH2" else "login"
    secret = {"accessToken": login.secret} if kind == "OAuth2" else {"pass": login.secret}
    clients.nodemailer(
        login.port,
        FROM,
        [TO],
        login.message,
        ignoreTLS=False,
        secure=login.implicit,
        requireTLS=not login.implicit,
        tls={"ca": login.files.authority.read_text()},
        authMethod=login.mechanism,
        auth={"type": kind, "user": login.username, **secret},
    )


def gsasl(login: Login) -> None:
    assert not login.implicit
    # It says STARTTLS where that is offered; told to say it, it does so before EHLO.  And where it
    # can bind to the channel, it insists on that.
    options = [] if login.mechanism.endswith("-PLUS") else ["--no-cb"]
    if login.mechanism == "EXTERNAL":
        options += [f"--x509-{kind}-file={login.files.client}" for kind in ("cert", "key")]
    said = clients.gsasl(
        login.port,
        login.mechanism,
        *(f"--x509-ca-file={login.files.authority}", *options),
        *(f"--authentication-id={login.username}", f"--authorization-id={login.username}"),
        f"--password={login.secret}",
    )
    assert "\n235 " in said


def standard_library(login: Login) -> None:
    context = client_context()
    link: smtplib.SMTP
    if login.implicit:
        link = smtplib.SMTP_SSL(HOST, login.port, "smtplib.test", timeout=20, context=context)
    else:
        link = smtplib.SMTP(HOST, login.port, "smtplib.test", timeout=20)
    with link:
        if not login.implicit:
            link.starttls(context=context)
        link.ehlo()
        # It chooses out of what the server offers.
        assert link.esmtp_features["auth"].split() == [login.mechanism]
        link.login(login.username, login.secret)
        link.sendmail(FROM, [TO], CONTENT)


def aio(login: Login) -> None:
    async def send() -> None:
        start_tls = None if login.implicit else True
        async with clients.aio(
            login.port, use_tls=login.implicit, start_tls=start_tls, tls_context=client_context()
        ) as link:
            await link.login(login.username, login.secret)
            await link.sendmail(FROM, [TO], CONTENT)

    asyncio.run(send())


PASSWORDS = ("PLAIN", "LOGIN", "CRAM-MD5")
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256")
TOKENS = ("XOAUTH2", "OAUTHBEARER")
# What has to be installed for it; the others come with the environment.
PROGRAMS: dict[Callable[[Login], None], tuple[str, ...]] = {
    client: (client.__name__,) for client in (swaks, curl, msmtp, nodemailer, gsasl)
}
ALL: dict[Callable[[Login], None], tuple[str, ...]] = {
    swaks: PASSWORDS,
    curl: (*PASSWORDS, *TOKENS),
    msmtp: (*PASSWORDS, *SCRAM, *TOKENS, "EXTERNAL"),
    nodemailer: (*PASSWORDS, "XOAUTH2"),
    gsasl: (*PASSWORDS, *SCRAM, *(f"{name}-PLUS" for name in SCRAM), "EXTERNAL"),
    standard_library: PASSWORDS,
    aio: PASSWORDS,
}
