"""What all tests need: Django, and its settings for the throw-away mail server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import django
import pytest
from django.test import override_settings
from django.test.utils import setup_test_environment, teardown_test_environment

from smtpproto.testing import SinkServer


@pytest.fixture(scope="session", autouse=True)
def _django() -> Iterator[None]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "invitations.settings"
    django.setup()
    setup_test_environment()
    yield
    teardown_test_environment()


@pytest.fixture
def mail(smtp_server: SinkServer, smtp_environment: object) -> Iterator[SinkServer]:
    """The server, with Django's settings for it; `smtp_environment` has Python trust it."""
    with override_settings(**smtp_server.django_settings):
        yield smtp_server
