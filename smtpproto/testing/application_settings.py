"""Tells an application where a test server is: a URL, the environment, settings of frameworks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal
from urllib.parse import quote

__all__ = ["ApplicationSettings"]

_DJANGO_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


@dataclass(frozen=True, slots=True)
class ApplicationSettings:
    """Where a test server is, and how to talk to it.

    Arguments:
        host, port: where it listens.
        tls: when TLS begins, see `SinkSettings`.
        lmtp: whether it speaks LMTP.
        username, password: of the first user; empty without users.
        authority: the path of the certificate to trust; empty without TLS.
    """

    host: str
    port: int
    tls: Literal["starttls", "implicit"] | None = None
    lmtp: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    authority: str = ""

    @property
    def url(self) -> str:
        """Such as "smtp://user:password@127.0.0.1:2525"; "smtps" with implicit TLS, or "lmtp"."""
        scheme = "lmtp" if self.lmtp else "smtps" if self.tls == "implicit" else "smtp"
        user = ""
        if self.username:
            user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{user}{host}:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return variables of the environment.

        `SMTP_HOST`, `SMTP_PORT`, `SMTP_URL`; with users `SMTP_USERNAME` and `SMTP_PASSWORD`; with
        TLS `SMTP_TLS` and `SSL_CERT_FILE`, by which OpenSSL, and so Python, trusts the server.
        """
        found = {"SMTP_HOST": self.host, "SMTP_PORT": str(self.port), "SMTP_URL": self.url}
        if self.username:
            found |= {"SMTP_USERNAME": self.username, "SMTP_PASSWORD": self.password}
        if self.tls is not None:
            found |= {"SMTP_TLS": self.tls, "SSL_CERT_FILE": self.authority}
        return found

    def django(self) -> dict[str, Any]:
        """Return Django's settings for mail, for `override_settings`.

        From Django 6.1 on this is `MAILERS`, with the one mailer "default"; before, and without
        Django, `EMAIL_HOST` and so on.  Django's test runner replaces the backend by one that
        sends nothing, so the backend is among them.
        """
        if self._django_version() >= (6, 1):
            options = {
                "host": self.host,
                "port": self.port,
                "username": self.username,
                "password": self.password,
                "use_tls": self.tls == "starttls",
                "use_ssl": self.tls == "implicit",
            }
            return {"MAILERS": {"default": {"BACKEND": _DJANGO_BACKEND, "OPTIONS": options}}}
        return {
            "EMAIL_BACKEND": _DJANGO_BACKEND,
            "EMAIL_HOST": self.host,
            "EMAIL_PORT": self.port,
            "EMAIL_HOST_USER": self.username,
            "EMAIL_HOST_PASSWORD": self.password,
            "EMAIL_USE_TLS": self.tls == "starttls",
            "EMAIL_USE_SSL": self.tls == "implicit",
        }

    @staticmethod
    def _django_version() -> tuple[int, ...]:
        try:
            version = metadata.version("django")
        except metadata.PackageNotFoundError:
            return (0,)
        return tuple(int(part) for part in re.findall(r"\d+", version)[:2])

    def flask(self) -> dict[str, Any]:
        """Return the configuration for Flask-Mail and flask-mailman.

        With `TESTING` both send nothing, unless their settings say otherwise.
        """
        return {
            "MAIL_SUPPRESS_SEND": False,
            "MAIL_BACKEND": "smtp",
            "MAIL_SERVER": self.host,
            "MAIL_PORT": self.port,
            "MAIL_USERNAME": self.username or None,
            "MAIL_PASSWORD": self.password or None,
            "MAIL_USE_TLS": self.tls == "starttls",
            "MAIL_USE_SSL": self.tls == "implicit",
        }
