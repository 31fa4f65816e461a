"""Our client logs in to Postfix and Exim, whose users Dovecot, Cyrus SASL or Exim itself knows."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto.conversations import AuthenticationError, Envelope, TLSMode
from smtpproto.sasl import Credentials
from tests.adapters.worlds import World
from tests.interop import cyrus, dovecot, exim
from tests.interop.certificates import Files, client_context
from tests.interop.conftest import Peers
from tests.interop.exim import Exim
from tests.interop.peers import needs
from tests.interop.postfix import Postfix, postfix
from tests.programs import HOST

MODES = [TLSMode.STARTTLS, TLSMode.IMPLICIT]
ENVELOPE = Envelope.of("carol@far.test", ["alice@local.test"])
CONTENT = b"From: <carol@far.test>\r\nTo: <alice@local.test>\r\nSubject: hello\r\n\r\nhello\r\n"
# Nobody delivers mail without logging in.
RESTRICTED = {
    "smtpd_tls_security_level": "may",
    "smtpd_tls_auth_only": "yes",
    "smtpd_sasl_security_options": "noanonymous",
    "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
}


@pytest.fixture(scope="module")
def users_in_dovecot(shared_peers: Peers, files: Files) -> Postfix:
    main = {
        **RESTRICTED,
        "smtpd_tls_chain_files": str(files.server),
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": str(shared_peers.start(dovecot.dovecot()).auth),
    }
    return shared_peers.start(postfix(main=main))


@pytest.fixture(scope="module")
def users_in_cyrus(shared_peers: Peers, files: Files) -> Iterator[Postfix]:
    main = {**RESTRICTED, **cyrus.MAIN, "smtpd_tls_chain_files": str(files.server)}
    with cyrus.cyrus() as database:
        yield shared_peers.start(postfix(main=main, files=cyrus.files(database)))


@pytest.fixture(scope="module")
def users_in_exim(shared_peers: Peers, files: Files) -> Exim:
    return shared_peers.start(exim.exim(certificate=files.server, authority=files.authority))


def connect(
    world: World,
    server: Postfix | Exim,
    mode: TLSMode,
    credentials: Credentials,
    mechanism: str | None = None,
    **options: Any,
) -> Any:
    port = server.tls_port if mode is TLSMode.IMPLICIT else server.port
    return world.connect(
        (HOST, port),
        tls=mode,
        credentials=credentials,
        mechanisms=(mechanism,) if mechanism is not None else None,
        **{"tls_context": client_context(), **options},
    )


def refused(world: World, server: Postfix | Exim, credentials: Credentials, name: str) -> str:
    """What the user is told."""
    with (
        pytest.raises(AuthenticationError) as caught,
        connect(world, server, TLSMode.STARTTLS, credentials, name),
    ):
        raise AssertionError("there is no session")
    error = caught.value
    assert error.reply is not None
    assert error.reply.code == 535
    text = str(error)
    assert f"{name}: 535" in text
    assert "Check the user name" in text
    for secret in (credentials.password, credentials.token):
        assert not secret or secret not in text
    return text


ALICE = Credentials(username="alice", password=dovecot.PASSWORD)
WRONG = Credentials(username="alice", password="a-wrong-secret")
TOKEN = Credentials(username="alice", token="alice-has-a-token")
STALE = Credentials(username="alice", token="a-stale-token")
TOKENS = ("XOAUTH2", "OAUTHBEARER")


@needs("postfix", "dovecot")
class TestDovecot:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("mechanism", dovecot.MECHANISMS)
    def test_logs_in(
        self, world: World, users_in_dovecot: Postfix, mechanism: str, mode: TLSMode
    ) -> None:
        credentials = TOKEN if mechanism in TOKENS else ALICE
        with connect(world, users_in_dovecot, mode, credentials, mechanism) as client:
            assert client.session.identity == "alice"
            assert client.send(ENVELOPE, CONTENT).complete
        users_in_dovecot.logs(f"sasl_method={mechanism}, sasl_username=alice")

    @pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
    def test_a_wrong_password(
        self, world: World, users_in_dovecot: Postfix, mechanism: str
    ) -> None:
        assert "app password" in refused(world, users_in_dovecot, WRONG, mechanism)

    @pytest.mark.parametrize(
        "mechanism, status", [("XOAUTH2", "401"), ("OAUTHBEARER", "invalid_token")]
    )
    def test_a_token_that_is_refused(
        self, world: World, users_in_dovecot: Postfix, mechanism: str, status: str
    ) -> None:
        """The server explains it within the exchange, and the user gets to know."""
        text = refused(world, users_in_dovecot, STALE, mechanism)
        assert f"status '{status}'" in text
        assert "https://tokens.test/.well-known/openid-configuration" in text

    @pytest.mark.parametrize(
        "username, mechanism", [("alice", "SCRAM-SHA-256"), ("scrammed", "SCRAM-SHA-256")]
    )
    def test_the_strongest_is_used(
        self, world: World, users_in_dovecot: Postfix, username: str, mechanism: str
    ) -> None:
        """With keys that we derived, too."""
        credentials = Credentials(username=username, password=dovecot.PASSWORD)
        with connect(world, users_in_dovecot, TLSMode.STARTTLS, credentials) as client:
            assert client.send(ENVELOPE, CONTENT).complete
        users_in_dovecot.logs(f"sasl_method={mechanism}, sasl_username={username}")

    def test_a_server_that_has_only_what_plain_needs(
        self, world: World, users_in_dovecot: Postfix
    ) -> None:
        """It offers SCRAM to all, and can do it for some: common in the field."""
        salted = Credentials(username="salted", password=dovecot.PASSWORD)
        with connect(world, users_in_dovecot, TLSMode.STARTTLS, salted) as client:
            assert client.send(ENVELOPE, CONTENT).complete
        users_in_dovecot.logs("sasl_method=PLAIN, sasl_username=salted")

    def test_no_password_for_who_is_not_known(
        self, world: World, users_in_dovecot: Postfix
    ) -> None:
        """The same, but anybody may have shown that certificate."""
        anybody = client_context()
        anybody.check_hostname = False
        anybody.verify_mode = ssl.CERT_NONE
        salted = Credentials(username="salted", password=dovecot.PASSWORD)
        with (
            pytest.raises(AuthenticationError, match="SCRAM-SHA-256: 535"),
            connect(world, users_in_dovecot, TLSMode.STARTTLS, salted, tls_context=anybody),
        ):
            raise AssertionError("there is no session")

    def test_nothing_is_sent_without_tls(self, world: World, users_in_dovecot: Postfix) -> None:
        with (
            pytest.raises(AuthenticationError, match="inside TLS only"),
            connect(world, users_in_dovecot, TLSMode.NONE, ALICE),
        ):
            raise AssertionError("there is no session")


@needs("postfix", "saslpasswd2")
class TestCyrus:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("mechanism", cyrus.MECHANISMS)
    def test_logs_in(
        self, world: World, users_in_cyrus: Postfix, mechanism: str, mode: TLSMode
    ) -> None:
        alice = Credentials(username=cyrus.USER, password=cyrus.PASSWORD)
        with connect(world, users_in_cyrus, mode, alice, mechanism) as client:
            assert client.send(ENVELOPE, CONTENT).complete
        log = users_in_cyrus.log()
        assert f"sasl_method={mechanism}, sasl_username=alice" in log

    @pytest.mark.parametrize("mechanism", cyrus.MECHANISMS)
    def test_a_wrong_password(self, world: World, users_in_cyrus: Postfix, mechanism: str) -> None:
        refused(world, users_in_cyrus, WRONG, mechanism)


@needs("exim4")
class TestExim:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL"])
    def test_logs_in(
        self, world: World, users_in_exim: Exim, files: Files, mechanism: str, mode: TLSMode
    ) -> None:
        credentials, context = ALICE, client_context()
        if mechanism == "EXTERNAL":
            credentials, context = Credentials(external=True), client_context(files.client)
        to = Envelope.of("carol@far.test", ["alice@exim.test"])
        with connect(
            world, users_in_exim, mode, credentials, mechanism, tls_context=context
        ) as client:
            assert client.send(to, CONTENT).complete
        who = "tim@client.test" if mechanism == "EXTERNAL" else "alice"
        users_in_exim.logs(f" A={mechanism.lower().replace('-', '_')}:{who} ")

    @pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
    def test_a_wrong_password(self, world: World, users_in_exim: Exim, mechanism: str) -> None:
        refused(world, users_in_exim, WRONG, mechanism)
