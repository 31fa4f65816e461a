"""Settings; for mail those of Django suffice: a mail server on this machine."""

from __future__ import annotations

SECRET_KEY = "for an example only"
ROOT_URLCONF = "invitations.urls"
INSTALLED_APPS: list[str] = []
ALLOWED_HOSTS = ["localhost"]
USE_TZ = True
