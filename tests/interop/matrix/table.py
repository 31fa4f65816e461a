"""The matrix: which peers there are, and how each of them does each of the features."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from smtpproto import Protocol
from smtpproto.conversations import TLSMode
from smtpproto.sasl import Credentials
from tests.interop.certificates import client_context
from tests.interop.matrix import receiving, versions
from tests.interop.matrix.features import (
    AUTH,
    CHUNKING,
    DSN,
    EIGHT_BIT,
    IMPLICIT,
    PASSWORD,
    PIPELINING,
    PLAIN,
    STARTTLS,
    USER,
    UTF8,
    Feature,
)
from tests.interop.matrix.sending import (
    Way,
    aio,
    curl,
    exim,
    msmtp,
    net_smtp,
    nodemailer,
    open_smtpd,
    postfix,
    standard_library,
    swaks,
)


@dataclass(frozen=True)
class Cannot:
    """A peer cannot do it, for this reason."""

    reason: str


@dataclass(frozen=True)
class ClientPeer:
    """A client that sends to our server.

    Arguments:
        cells: how it does each feature.  The run checks that it does not what it cannot.
        version: asks it for its version.
        needs: what has to be installed.
        relays: whether it is a mail server, which puts trace fields before the message.
        protocol: SMTP or LMTP.
    """

    cells: Mapping[Feature, Way | Cannot]
    version: Callable[[], str]
    needs: tuple[str, ...] = ()
    relays: bool = False
    protocol: Protocol = Protocol.SMTP

    @property
    def plain(self) -> Way:
        """How it sends a message in the plainest way."""
        way = self.cells[PLAIN]
        assert not isinstance(way, Cannot)
        return way

    def over_lmtp(self, cells: Mapping[Feature, Way | Cannot]) -> ClientPeer:
        """The same client over LMTP; `cells` are those that differ."""
        return replace(self, cells={**self.cells, **cells}, protocol=Protocol.LMTP)


@dataclass(frozen=True)
class ServerPeer:
    """A server, or a proxy before a server of ours, to which our client sends.

    Arguments:
        start: starts it.
        version: asks it for its version.
        needs: what has to be installed.
        cannot: the features that it has not.  The run checks that these fail.
        protocol: SMTP or LMTP.
    """

    start: receiving.Start
    version: Callable[[], str]
    needs: tuple[str, ...] = ()
    cannot: Mapping[Feature, Cannot] = field(default_factory=dict)
    protocol: Protocol = Protocol.SMTP


DATA_ALONE = Cannot("it sends content with DATA alone")
LOCK_STEP = Cannot("it waits for each reply before the next command")
NO_UTF8 = Cannot("it sends addresses outside ASCII without SMTPUTF8, or not at all")
NO_BODY = Cannot("it sends eight-bit content without BODY=8BITMIME")
NO_DSN = Cannot("this version has no options for parameters of RCPT")

# swaks
TRUST = ("--tls-verify", "--tls-ca-path", "{authority}")
# curl
REQUIRED = ("--ssl-reqd", "--cacert", "{authority}")
# msmtp
TLS = ("--tls=on", "--tls-trust-file={authority}")
# Postfix: only to a server whose certificate is good.
SECURE = {
    "smtp_tls_security_level": "secure",
    "smtp_tls_secure_cert_match": "mx.example.org",
    "smtp_tls_CAfile": "{authority}",
}
SASL = {
    "smtp_sasl_auth_enable": "yes",
    # `postfix` puts the folder of its files in.
    "smtp_sasl_password_maps": "texthash:{{home}}/etc/passwords",
    "smtp_sasl_tls_security_options": "noanonymous",
}
# Exim: the host is known by its IP address, which is no name in a certificate.
VERIFY = (
    "hosts_require_tls = *",
    "tls_verify_hosts = *",
    "tls_verify_certificates = {authority}",
    "tls_verify_cert_hostnames =",
)

CLIENTS: dict[str, ClientPeer] = {
    "swaks": ClientPeer(
        {
            PLAIN: swaks(),
            STARTTLS: swaks("--tls", *TRUST),
            IMPLICIT: swaks("--tls-on-connect", *TRUST),
            AUTH: swaks(
                *("--tls", *TRUST, "--auth", "PLAIN"),
                *("--auth-user", "{user}", "--auth-password", "{password}"),
            ),
            EIGHT_BIT: NO_BODY,
            UTF8: NO_UTF8,
            CHUNKING: DATA_ALONE,
            DSN: NO_DSN,
            PIPELINING: swaks("--pipeline"),
        },
        versions.of("swaks", "--version"),
        ("swaks",),
    ),
    "curl": ClientPeer(
        {
            PLAIN: curl(),
            STARTTLS: curl(*REQUIRED),
            IMPLICIT: curl(*REQUIRED, scheme="smtps"),
            AUTH: curl(*REQUIRED, "--user", "{user}:{password}"),
            EIGHT_BIT: NO_BODY,
            UTF8: curl(),
            CHUNKING: DATA_ALONE,
            DSN: NO_DSN,
            PIPELINING: LOCK_STEP,
        },
        versions.of("curl", "--version"),
        ("curl",),
    ),
    "msmtp": ClientPeer(
        {
            PLAIN: msmtp(),
            STARTTLS: msmtp(*TLS),
            IMPLICIT: msmtp(*TLS, "--tls-starttls=off"),
            AUTH: msmtp(*TLS, "--auth=plain", "--user={user}", "--passwordeval=echo {password}"),
            EIGHT_BIT: NO_BODY,
            UTF8: NO_UTF8,
            CHUNKING: DATA_ALONE,
            DSN: msmtp("--dsn-notify=failure", "--dsn-return=headers"),
            PIPELINING: msmtp(),
        },
        versions.of("msmtp", "--version"),
        ("msmtp",),
    ),
    "smtplib": ClientPeer(
        {
            PLAIN: standard_library(),
            STARTTLS: standard_library(start_tls=True),
            IMPLICIT: standard_library(implicit=True),
            AUTH: standard_library(start_tls=True, login=True),
            EIGHT_BIT: standard_library(),
            UTF8: standard_library(),
            CHUNKING: DATA_ALONE,
            DSN: standard_library(),
            PIPELINING: LOCK_STEP,
        },
        versions.python,
    ),
    "aiosmtplib": ClientPeer(
        {
            PLAIN: aio(),
            STARTTLS: aio(start_tls=True),
            IMPLICIT: aio(use_tls=True),
            AUTH: aio(start_tls=True, login=True),
            EIGHT_BIT: aio(),
            UTF8: aio(),
            CHUNKING: DATA_ALONE,
            DSN: aio(),
            PIPELINING: LOCK_STEP,
        },
        versions.python_package("aiosmtplib"),
    ),
    "nodemailer": ClientPeer(
        {
            PLAIN: nodemailer(),
            STARTTLS: nodemailer(ignoreTLS=False, requireTLS=True),
            IMPLICIT: nodemailer(secure=True),
            AUTH: nodemailer(
                ignoreTLS=False, requireTLS=True, auth={"user": USER, "pass": PASSWORD}
            ),
            EIGHT_BIT: nodemailer(envelope={"use8BitMime": True}),
            UTF8: nodemailer(),
            CHUNKING: DATA_ALONE,
            DSN: nodemailer(envelope={"dsn": {"ret": "hdrs", "notify": "failure"}}),
            PIPELINING: nodemailer(),
        },
        versions.node_package("nodemailer"),
        ("nodemailer",),
    ),
    "Net::SMTP": ClientPeer(
        {
            PLAIN: net_smtp(),
            STARTTLS: net_smtp(start_tls=True),
            IMPLICIT: net_smtp(SSL=1),
            AUTH: net_smtp(start_tls=True, login=True),
            EIGHT_BIT: net_smtp(mail={"Bits": "8"}),
            UTF8: NO_UTF8,
            CHUNKING: net_smtp(mail={"Bits": "binary"}, chunks=True),
            DSN: net_smtp(mail={"Return": "HDRS"}, rcpt={"Notify": ["FAILURE"]}),
            PIPELINING: LOCK_STEP,
        },
        versions.perl_module("Net::SMTP"),
        ("Net::SMTP",),
    ),
    "Postfix": ClientPeer(
        {
            PLAIN: postfix(),
            STARTTLS: postfix(**SECURE),
            IMPLICIT: postfix(**SECURE, smtp_tls_wrappermode="yes"),
            AUTH: postfix(**SECURE, **SASL),
            EIGHT_BIT: postfix(),
            UTF8: postfix(),
            CHUNKING: Cannot("its client sends content with DATA alone"),
            DSN: postfix(),
            PIPELINING: postfix(),
        },
        versions.postfix,
        ("postfix",),
        relays=True,
    ),
    "Exim": ClientPeer(
        {
            PLAIN: exim("hosts_avoid_tls = *"),
            STARTTLS: exim(*VERIFY),
            IMPLICIT: exim(*VERIFY, "protocol = smtps"),
            AUTH: exim(*VERIFY, "hosts_require_auth = *", login=True),
            EIGHT_BIT: NO_BODY,
            UTF8: exim("hosts_avoid_tls = *"),
            CHUNKING: exim("hosts_avoid_tls = *"),
            DSN: exim("hosts_avoid_tls = *"),
            PIPELINING: exim("hosts_avoid_tls = *"),
        },
        versions.exim,
        ("exim4",),
        relays=True,
    ),
    "OpenSMTPD": ClientPeer(
        {
            PLAIN: open_smtpd("smtp+notls"),
            STARTTLS: open_smtpd("smtp+tls"),
            IMPLICIT: open_smtpd("smtps"),
            AUTH: open_smtpd("smtp+tls", login=True),
            EIGHT_BIT: NO_BODY,
            UTF8: NO_UTF8,
            CHUNKING: DATA_ALONE,
            DSN: open_smtpd("smtp+notls"),
            PIPELINING: LOCK_STEP,
        },
        versions.opensmtpd,
        ("opensmtpd",),
        relays=True,
    ),
}

NO_LMTPS = Cannot("over LMTP it begins TLS by STARTTLS only")

# Clients that speak LMTP, too, each with the cells that differ then.
LMTP: Mapping[str, Mapping[Feature, Way | Cannot]] = {
    "swaks": {},
    "msmtp": {},
    "smtplib": {IMPLICIT: NO_LMTPS},
    "nodemailer": {},
    "Postfix": {},
    "Exim": {IMPLICIT: NO_LMTPS},
    "OpenSMTPD": {
        PLAIN: open_smtpd("lmtp"),
        **dict.fromkeys((STARTTLS, IMPLICIT, AUTH), Cannot("over LMTP it begins no TLS")),
        DSN: Cannot("over LMTP it hands no parameters on"),
    },
}
CLIENTS |= {f"{name} LMTP": CLIENTS[name].over_lmtp(cells) for name, cells in LMTP.items()}

NOT_OFFERED = Cannot("it does not offer it")
BROKEN_TLS = Cannot(
    "as a server, Debian's build fails every TLS handshake with the OpenSSL 3 it is linked to"
)

SERVERS: dict[str, ServerPeer] = {
    "Postfix": ServerPeer(receiving.postfix, versions.postfix, ("postfix", "dovecot")),
    "Exim": ServerPeer(receiving.exim, versions.exim, ("exim4",)),
    "OpenSMTPD": ServerPeer(
        receiving.open_smtpd,
        versions.opensmtpd,
        ("opensmtpd",),
        {
            STARTTLS: BROKEN_TLS,
            IMPLICIT: BROKEN_TLS,
            AUTH: Cannot("it offers AUTH inside TLS only"),
            UTF8: NOT_OFFERED,
            CHUNKING: NOT_OFFERED,
            PIPELINING: NOT_OFFERED,
        },
    ),
    "aiosmtpd": ServerPeer(
        receiving.aiosmtpd,
        versions.python_package("aiosmtpd"),
        cannot={CHUNKING: NOT_OFFERED, DSN: NOT_OFFERED, PIPELINING: NOT_OFFERED},
    ),
    "smtp-server": ServerPeer(
        receiving.smtp_server,
        versions.node_package("smtp-server"),
        ("smtp-server",),
        {CHUNKING: NOT_OFFERED},
    ),
    "Dovecot LMTP": ServerPeer(
        receiving.dovecot,
        versions.of("dovecot", "--version"),
        ("dovecot",),
        {AUTH: NOT_OFFERED, UTF8: NOT_OFFERED, DSN: NOT_OFFERED},
        Protocol.LMTP,
    ),
    "aiosmtpd LMTP": ServerPeer(
        functools.partial(receiving.aiosmtpd, kind=receiving.LmtpController),
        versions.python_package("aiosmtpd"),
        cannot={CHUNKING: NOT_OFFERED, DSN: NOT_OFFERED, PIPELINING: NOT_OFFERED},
        protocol=Protocol.LMTP,
    ),
    "smtp-server LMTP": ServerPeer(
        functools.partial(receiving.smtp_server, lmtp=True),
        versions.node_package("smtp-server"),
        ("smtp-server",),
        {CHUNKING: NOT_OFFERED},
        Protocol.LMTP,
    ),
    "HAProxy": ServerPeer(receiving.haproxy, versions.of("haproxy", "-v"), ("haproxy",)),
    "nginx": ServerPeer(receiving.nginx, versions.of("nginx", "-v"), ("nginx",)),
}

# The settings of our client.
TRUSTING = {"tls_context": client_context()}
OUR_CLIENT: Mapping[Feature, Mapping[str, Any]] = {
    PLAIN: {"tls": TLSMode.NONE},
    STARTTLS: {"tls": TLSMode.STARTTLS, **TRUSTING},
    IMPLICIT: {"tls": TLSMode.IMPLICIT, **TRUSTING},
    AUTH: {
        "tls": TLSMode.STARTTLS,
        "credentials": Credentials(username=USER, password=PASSWORD),
        **TRUSTING,
    },
    EIGHT_BIT: {"tls": TLSMode.NONE},
    UTF8: {"tls": TLSMode.NONE},
    CHUNKING: {"tls": TLSMode.NONE, "chunking": True},
    DSN: {"tls": TLSMode.NONE},
    PIPELINING: {"tls": TLSMode.NONE},
}
