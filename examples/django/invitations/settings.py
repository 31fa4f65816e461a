"""Settings; the mail server comes from the environment."""

from __future__ import annotations

import os

SECRET_KEY = "for an example only"
ROOT_URLCONF = "invitations.urls"
INSTALLED_APPS: list[str] = []
ALLOWED_HOSTS = ["localhost"]
USE_TZ = True

EMAIL_HOST = os.environ.get("SMTP_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("SMTP_PORT", "25"))
EMAIL_TIMEOUT = 10
