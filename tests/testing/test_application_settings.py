"""How an application learns where the test server is."""

from __future__ import annotations

from importlib import metadata

import pytest

from smtpproto.testing.application_settings import ApplicationSettings


@pytest.mark.parametrize(
    "settings, url",
    [
        (ApplicationSettings("127.0.0.1", 2525), "smtp://127.0.0.1:2525"),
        (ApplicationSettings("::1", 2525, "starttls"), "smtp://[::1]:2525"),
        (ApplicationSettings("127.0.0.1", 2525, "implicit"), "smtps://127.0.0.1:2525"),
        (ApplicationSettings("127.0.0.1", 2525, lmtp=True), "lmtp://127.0.0.1:2525"),
        (
            ApplicationSettings("127.0.0.1", 2525, None, False, "me@x", "s/e:c"),
            "smtp://me%40x:s%2Fe%3Ac@127.0.0.1:2525",
        ),
    ],
)
def test_the_url(settings: ApplicationSettings, url: str) -> None:
    assert settings.url == url


def test_the_environment() -> None:
    assert ApplicationSettings("127.0.0.1", 2525).environment() == {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": "2525",
        "SMTP_URL": "smtp://127.0.0.1:2525",
    }
    full = ApplicationSettings("127.0.0.1", 2525, "starttls", False, "me", "secret", "/ca.pem")
    assert full.environment() == {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": "2525",
        "SMTP_URL": "smtp://me:secret@127.0.0.1:2525",
        "SMTP_USERNAME": "me",
        "SMTP_PASSWORD": "secret",
        "SMTP_TLS": "starttls",
        "SSL_CERT_FILE": "/ca.pem",
    }
    assert "secret" not in repr(full)


@pytest.mark.parametrize(
    "tls, starttls, implicit",
    [(None, False, False), ("starttls", True, False), ("implicit", False, True)],
)
def test_frameworks(
    monkeypatch: pytest.MonkeyPatch, tls: str | None, starttls: bool, implicit: bool
) -> None:
    settings = ApplicationSettings("127.0.0.1", 2525, tls)  # type: ignore[arg-type]
    monkeypatch.setattr(metadata, "version", lambda name: "6.0.1")
    django, flask = settings.django(), settings.flask()
    assert (django["EMAIL_HOST"], django["EMAIL_PORT"]) == ("127.0.0.1", 2525)
    assert (flask["MAIL_SERVER"], flask["MAIL_PORT"]) == ("127.0.0.1", 2525)
    assert (django["EMAIL_USE_TLS"], django["EMAIL_USE_SSL"]) == (starttls, implicit)
    monkeypatch.setattr(metadata, "version", lambda name: "6.1rc1")
    options = settings.django()["MAILERS"]["default"]["OPTIONS"]
    assert (options["host"], options["port"]) == ("127.0.0.1", 2525)
    assert (options["use_tls"], options["use_ssl"]) == (starttls, implicit)
    assert (flask["MAIL_USE_TLS"], flask["MAIL_USE_SSL"]) == (starttls, implicit)
    assert flask["MAIL_USERNAME"] is None
    assert (flask["MAIL_SUPPRESS_SEND"], flask["MAIL_BACKEND"]) == (False, "smtp")


def test_without_django_there_are_its_older_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert ApplicationSettings("127.0.0.1", 2525).django()["EMAIL_HOST"] == "127.0.0.1"
