"""The pytest plugin, by pytest runs within a test."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

# An application that sends one message to the server that it is given.
APPLICATION = """
    import smtplib

    def send(server, *recipients, user=None):
        with smtplib.SMTP(server.host, server.port) as client:
            if user:
                client.login(*user)
            return client.sendmail(
                "a@client.example", recipients or ["bob@mx.example"], "Subject: hi\\n\\nhello\\n"
            )
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Runs are processes: a run in this one would import lazy modules, and forget them."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.plugins = ["_smtpproto_pytest"]
    pytester.makepyfile(application=APPLICATION)
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers")
    pytester.syspathinsert()
    return pytester


def test_the_fixture_is_a_server(run: pytest.Pytester) -> None:
    run.makepyfile("""
        from application import send

        def test_it(smtp_server):
            send(smtp_server)
            (message,) = smtp_server.wait_for(1)
            assert message.recipients == ["bob@mx.example"]
            assert message.parsed["Subject"] == "hi"

        def test_each_test_has_its_own(smtp_server):
            assert smtp_server.messages == []
    """)
    run.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_marker_has_the_settings_and_the_nearest_one_counts(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import pytest
        from application import send

        pytestmark = pytest.mark.smtp_server(size=1000, hostname="mx.example")

        @pytest.mark.smtp_server(size=2000, users={"me": "secret"})
        class TestIt:
            @pytest.mark.smtp_server(size=3000)
            def test_it(self, smtp_server):
                send(smtp_server, user=("me", "secret"))
                assert smtp_server.messages[0].session.identity == "me"
                assert smtp_server.settings.size == 3000
                assert smtp_server.settings.hostname == "mx.example"
    """)
    run.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "marker, complaint",
    [
        ("tsl='starttls'", "*smtp_server: *has no option tsl*"),
        ("tls='ssl'", "*smtp_server: tls: expected 'starttls', 'implicit' or None, found 'ssl'*"),
        ("'starttls'", "*smtp_server: give settings by name*"),
    ],
)
def test_a_wrong_marker_is_explained(run: pytest.Pytester, marker: str, complaint: str) -> None:
    run.makepyfile(f"""
        import pytest

        @pytest.mark.smtp_server({marker})
        def test_it(smtp_server): ...
    """)
    result = run.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([complaint])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_without_trustme_the_marker_says_what_to_install(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import sys
        import pytest

        @pytest.fixture(autouse=True)
        def no_trustme(monkeypatch):
            from smtpproto.testing.certificates import certificates
            certificates.cache_clear()
            monkeypatch.setitem(sys.modules, "trustme", None)

        @pytest.mark.smtp_server(tls="starttls")
        def test_it(smtp_server): ...
    """)
    result = run.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*smtp_server: *trustme: pip install trustme*"])
    result.stdout.no_fnmatch_line("*another exception*")


def test_several_servers_in_one_test(run: pytest.Pytester) -> None:
    run.makepyfile("""
        from application import send

        def test_it(smtp_server, make_smtp_server):
            other = make_smtp_server(hostname="other.example", users={"me": "secret"})
            send(smtp_server)
            send(other, user=("me", "secret"))
            assert smtp_server.port != other.port
            assert len(smtp_server.messages) == len(other.messages) == 1
            assert other.messages[0].session.identity == "me"
    """)
    run.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_environment_tells_the_application(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import os, smtplib, ssl
        import pytest

        @pytest.mark.smtp_server(tls="implicit", users={"me": "secret"})
        def test_it(smtp_environment, smtp_server):
            context = ssl.create_default_context()
            host, port = os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])
            with smtplib.SMTP_SSL(host, port, context=context) as client:
                client.login(os.environ["SMTP_USERNAME"], os.environ["SMTP_PASSWORD"])
                client.sendmail("a@client.example", ["b@mx.example"], "hi")
            assert smtp_server.messages[0].session.tls is not None
            assert os.environ["SMTP_URL"] == f"smtps://me:secret@{host}:{port}"

        def test_it_is_gone_afterwards():
            assert "SMTP_HOST" not in os.environ
    """)
    run.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_failed_test_shows_the_conversation_without_secrets(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import pytest
        from application import send

        @pytest.mark.smtp_server(users={"me": "xyzzy-secret"})
        def test_it(smtp_server, make_smtp_server):
            make_smtp_server()
            smtp_server.reject("rcpt", "bob@*", 550, "5.1.1", "no such mailbox")
            send(smtp_server, user=("me", "".join(["xyzzy", "-secret"])))
    """)
    result = run.runpytest_subprocess("--tb=line")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- smtp_server -*",
            "--- session 1, 127.0.0.1:*",
            "S: 220 localhost ESMTP",
            "C: EHLO *",
            "C: AUTH *(response)",
            "S: 235 2.7.0 *",
            "C: RCPT TO:<bob@mx.example>",
            "S: 550 5.1.1 no such mailbox",
            "*- smtp_server 2 -*",
            "(no client has connected)",
        ]
    )
    result.stdout.no_fnmatch_line("*xyzzy-secret*")


def test_the_server_of_a_whole_session_is_shown_too(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import pytest
        from application import send
        from smtpproto.testing import sink

        @pytest.fixture(scope="session")
        def mail_server():
            with sink() as server:
                yield server

        @pytest.fixture
        def mail(mail_server):
            yield mail_server
            mail_server.clear()

        def test_first(mail):
            send(mail, "first@mx.example")

        def test_second(mail):
            for _ in range(20):
                send(mail, "second@mx.example")
            assert mail.messages == []
    """)
    result = run.runpytest_subprocess("--tb=line")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*- smtp_server -*", "... * lines before ...", "C: RCPT TO:<second@mx.example>"]
    )
    result.stdout.no_fnmatch_line("*first@mx.example*")
    result.stdout.no_fnmatch_line("*smtp_server 2*")


def test_a_passed_test_shows_nothing(run: pytest.Pytester) -> None:
    run.makepyfile("from application import send\ndef test_it(smtp_server): send(smtp_server)")
    result = run.runpytest_subprocess("-rA")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*session 1*")


def test_nothing_is_left_when_the_test_ends(run: pytest.Pytester) -> None:
    """Not even by an application that keeps its connection, nor while a reply is late."""
    run.makepyfile("""
        import gc, math, os, smtplib, socket, threading, time
        import pytest

        @pytest.fixture(autouse=True)
        def nothing_is_left():
            threads, numbers = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
            yield
            gc.collect()
            assert set(threading.enumerate()) <= threads
            assert len(os.listdir("/proc/self/fd")) == numbers

        @pytest.fixture
        def idle(smtp_server):
            client = smtplib.SMTP(smtp_server.host, smtp_server.port)
            yield client
            client.close()

        def test_idle(idle, make_smtp_server):
            idle.ehlo()

        def test_late(make_smtp_server):
            server = make_smtp_server()
            late = server.delay("connect", math.inf)
            with socket.create_connection((server.host, server.port)):
                began = time.monotonic()
                while not late.happened:
                    assert time.monotonic() < began + 20
                    time.sleep(0.001)
    """)
    run.runpytest_subprocess().assert_outcomes(passed=2)


def test_with_xdist(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import pytest
        from application import send

        @pytest.mark.parametrize("number", range(6))
        def test_it(smtp_server, number):
            send(smtp_server, f"bob{number}@mx.example")
            assert smtp_server.messages[0].recipients == [f"bob{number}@mx.example"]

        def test_that_fails(smtp_server):
            send(smtp_server)
            assert smtp_server.messages == []
    """)
    result = run.runpytest_subprocess("-p", "xdist.plugin", "-n", "2")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["C: RCPT TO:<bob@mx.example>"])


def test_a_run_without_a_server_does_not_import_smtpproto(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("smtpproto")
            assert [name for name in sys.modules if name.startswith("smtpproto")] == []
    """)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(pytester.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
