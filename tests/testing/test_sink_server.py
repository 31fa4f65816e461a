"""The throw-away server over real sockets, used by smtplib as applications use it."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from smtpproto.extensions import Pipelining
from smtpproto.testing.sink_server import SinkServer, sink
from tests.programs import until

TEXT = "Subject: hi\n\nhello\n"
TO = ["bob@mx.example", "eve@mx.example"]


@pytest.fixture
def server() -> Iterator[SinkServer]:
    with sink() as server:
        yield server


def send(server: SinkServer, recipients: list[str] = TO, text: str = TEXT) -> object:
    with smtplib.SMTP(server.host, server.port, local_hostname="client.example") as client:
        return client.sendmail("a@client.example", recipients, text)


# --- what it receives ---------------------------------------------------------------------------


def test_a_message_is_kept_as_it_was_received(server: SinkServer) -> None:
    send(server, TO, "Subject: hi\n\n.dot\nlast")
    (message,) = server.messages
    assert message.content == b"Subject: hi\r\n\r\n.dot\r\nlast\r\n"
    assert (message.sender, message.recipients) == ("a@client.example", TO)
    assert message.parsed["Subject"] == "hi"
    assert message.parsed is message.parsed
    assert str(message.session.name) == "client.example"
    assert message.session.tls is None
    assert message.session.identity is None
    assert message.envelope.mail.parameters


def test_messages_are_forgotten_on_request(server: SinkServer) -> None:
    send(server)
    before = server.messages
    server.clear()
    assert (len(before), server.messages, server.conversation) == (1, [], "")


def test_messages_of_another_thread_are_waited_for(server: SinkServer) -> None:
    thread = threading.Thread(target=lambda: [send(server) for _ in range(3)])
    thread.start()
    assert len(server.wait_for(3, timeout=30)) == 3
    thread.join()


def test_what_does_not_come_is_told_with_the_conversation(server: SinkServer) -> None:
    with pytest.raises(TimeoutError, match=r"messages: expected 1 within 0 seconds, found 0\n\(no"):
        server.wait_for(timeout=0)
    send(server)
    with pytest.raises(TimeoutError, match=r"within 0.01 seconds, found 1\n(.*\n)*C: MAIL FROM"):
        server.wait_for(2, timeout=0.01)


def test_the_largest_size_is_set() -> None:
    with sink(size=10) as server:
        with pytest.raises(smtplib.SMTPSenderRefused, match="552"):
            send(server)
        assert server.messages == []


def test_extensions_are_set() -> None:
    with (
        sink(extensions=[Pipelining()]) as server,
        smtplib.SMTP(server.host, server.port) as client,
    ):
        client.ehlo()
        assert set(client.esmtp_features) == {"pipelining"}


def test_users_log_in() -> None:
    with sink(users={"me": "secret"}) as server:
        with smtplib.SMTP(server.host, server.port) as client:
            with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
                client.sendmail("a@client.example", TO, TEXT)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("me", "wrong")
            client.login("me", "secret")
            client.sendmail("a@client.example", TO, TEXT)
        assert server.messages[0].session.identity == "me"
        assert "secret" not in server.conversation + repr(server.settings)


# --- TLS ----------------------------------------------------------------------------------------


def test_starttls_comes_before_mail() -> None:
    with sink(tls="starttls", users={"me": "secret"}) as server:
        with smtplib.SMTP(server.host, server.port) as client:
            with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
                client.sendmail("a@client.example", TO, TEXT)
            assert not client.has_extn("auth") or "PLAIN" not in client.esmtp_features["auth"]
            client.starttls(context=server.client_context)
            client.login("me", "secret")
            client.sendmail("a@client.example", TO, TEXT)
        session = server.messages[0].session
        assert session.tls is not None
        assert session.tls.version == "TLSv1.3"


def test_tls_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with sink(tls="implicit") as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
        context = ssl.create_default_context()
        with smtplib.SMTP_SSL("localhost", server.port, context=context) as client:
            client.sendmail("a@client.example", TO, TEXT)
        assert server.messages[0].session.secure
        assert server.environment["SSL_CERT_FILE"] == str(server.authority)
        assert "TLSv1.3" in server.conversation
        assert server.authority.exists()
    assert not server.authority.exists()


def test_without_tls_there_is_nothing_to_trust(server: SinkServer) -> None:
    with pytest.raises(ValueError, match="no TLS"):
        _ = server.client_context
    with pytest.raises(ValueError, match="no TLS"):
        _ = server.authority


@pytest.mark.parametrize(
    "how, error",
    [
        ("expired", "certificate has expired"),
        ("wrong name", "not valid for"),
        ("untrusted", "unable to get local issuer certificate"),
    ],
)
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls_fails(tls: str, how: str, error: str) -> None:
    with sink(tls=tls) as server:  # type: ignore[arg-type]
        fault = server.fail_tls(how, times=1)  # type: ignore[arg-type]
        with pytest.raises(ssl.SSLCertVerificationError, match=error):
            send_with_tls(server)
        send_with_tls(server)
        assert (fault.happened, len(server.messages)) == (1, 1)
        assert "(the TLS handshake failed:" in server.conversation


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_the_handshake_is_broken_off(tls: str) -> None:
    with sink(tls=tls) as server:  # type: ignore[arg-type]
        server.fail_tls()
        with pytest.raises(OSError, match=r"EOF|reset|closed"):
            send_with_tls(server)
        assert "(the TLS handshake failed: the test lets this" in server.conversation


def send_with_tls(server: SinkServer) -> None:
    context = server.client_context
    if server.settings.tls == "implicit":
        with smtplib.SMTP_SSL(server.host, server.port, context=context) as client:
            client.sendmail("a@client.example", TO, TEXT)
        return
    with smtplib.SMTP(server.host, server.port) as client:
        client.starttls(context=context)
        client.sendmail("a@client.example", TO, TEXT)


# --- faults -------------------------------------------------------------------------------------


def test_a_short_delay_changes_nothing_else(server: SinkServer) -> None:
    server.delay("content", 0.05)
    began = time.monotonic()
    send(server)
    assert time.monotonic() - began >= 0.05
    assert len(server.messages) == 1


def test_each_client_sender_and_recipient_is_greylisted_once(server: SinkServer) -> None:
    server.greylist()
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(server)
    assert send(server) == {}
    assert len(server.messages) == 1


def test_the_same_recipients_are_refused_as_often_as_was_asked(server: SinkServer) -> None:
    fault = server.reject("rcpt", "bob@*", 550, "5.1.1", "no such mailbox", times=2)
    refused = {"bob@mx.example": (550, b"5.1.1 no such mailbox")}
    assert [send(server), send(server), send(server)] == [refused, refused, {}]
    assert fault.happened == 2


def test_no_thread_is_left_when_the_server_has_stopped() -> None:
    before = set(threading.enumerate())
    for _ in range(20):
        with sink() as server:
            send(server)
        assert set(threading.enumerate()) == before


def test_a_server_that_stops_complains_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with sink() as server:
        late = server.delay("connect", 60)
        with socket.create_connection((server.host, server.port)):
            until(lambda: late.happened, 20, "the delay")
            server.stop()
    assert caplog.records == []
