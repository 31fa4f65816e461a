"""The pytest plugin of smtpproto: a throw-away mail server as a fixture.

It stands outside the package, because pytest imports it in every run: so a run without a mail
server does not pay for importing smtpproto.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from smtpproto.testing.sink_server import SinkServer

__all__ = ["make_smtp_server", "smtp_environment", "smtp_server"]

_MARKER = "smtp_server"
# Lines of a conversation in a report.
_MOST_LINES = 300
_SERVERS: pytest.StashKey[list[SinkServer]] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Have pytest import smtpproto as it is.

    pytest rewrites the asserts of all modules that are installed together with a plugin, which
    doubles the time to import them.  It offers no way to say no, so without this attribute the
    package is rewritten.
    """
    rewritten = getattr(early_config.pluginmanager.rewrite_hook, "_must_rewrite", None)
    if isinstance(rewritten, set):
        rewritten.discard("smtpproto")


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(tls=None, users=None, size=..., extensions=None, lmtp=False, "
        "hostname='localhost'): the settings of the fixture smtp_server, see "
        "smtpproto.testing.SinkSettings",
    )


@pytest.fixture
def make_smtp_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., SinkServer]]:
    """A function that starts a mail server with the settings it gets; all stop after the test."""
    # Only a test that uses a server pays for this.
    from smtpproto.testing.sink_server import sink  # noqa: PLC0415

    with ExitStack() as servers:

        def make(**settings: Any) -> SinkServer:
            server = servers.enter_context(sink(**settings))
            request.node.stash.setdefault(_SERVERS, []).append(server)
            return server

        yield make


@pytest.fixture
def smtp_server(
    request: pytest.FixtureRequest, make_smtp_server: Callable[..., SinkServer]
) -> SinkServer:
    """A mail server on a free port; `@pytest.mark.smtp_server(...)` has its settings."""
    settings: dict[str, Any] = {}
    # The marker of a test comes before those of its class and module.
    for marker in request.node.iter_markers(_MARKER):
        if marker.args:
            pytest.fail(f"@pytest.mark.{_MARKER}: give settings by name", pytrace=False)
        settings = {**marker.kwargs, **settings}
    try:
        return make_smtp_server(**settings)
    except (ModuleNotFoundError, TypeError, ValueError) as error:
        complaint = str(error)
    # Outside of `except`, so that the report has nothing but this.
    pytest.fail(f"@pytest.mark.{_MARKER}: {complaint}", pytrace=False)


@pytest.fixture
def smtp_environment(smtp_server: SinkServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set `SMTP_HOST`, `SMTP_PORT` and more for the test; what it set.

    With TLS, `SSL_CERT_FILE` is among them: Python then trusts the server by default.
    """
    environment = smtp_server.environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the conversations with the servers of a test that failed."""
    report = yield
    if report.failed:
        for number, server in enumerate(_servers(item), 1):
            title = _MARKER if number == 1 else f"{_MARKER} {number}"
            report.sections.append((title, _said(server)))
    return report


def _servers(item: pytest.Item) -> list[SinkServer]:
    """The servers of a test, those of other fixtures too, such as one for the whole session."""
    found = [*item.stash[_SERVERS]] if _SERVERS in item.stash else []
    module = sys.modules.get("smtpproto.testing.sink_server")
    if module is not None:
        values = getattr(item, "funcargs", {}).values()
        others = [value for value in values if isinstance(value, module.SinkServer)]
        found += [server for server in dict.fromkeys(others) if server not in found]
    return found


def _said(server: SinkServer) -> str:
    lines = server.conversation.splitlines() or ["(no client has connected)"]
    if len(lines) > _MOST_LINES:
        lines[:-_MOST_LINES] = [f"... {len(lines) - _MOST_LINES} lines before ..."]
    return "\n".join(lines)
