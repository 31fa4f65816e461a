"""TLS between us and Postfix or Exim, in both directions; certificates nobody should trust."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from smtpproto import NameKind
from smtpproto.conversations import ServerTLS, TLSError, TLSMode
from smtpproto.extensions import Auth
from smtpproto.extensions.known import standard
from tests.adapters.worlds import World
from tests.interop.certificates import WRONG, Files, client_context, server_context
from tests.interop.clients import MESSAGE, submit
from tests.interop.conftest import Peers
from tests.interop.exim import exim
from tests.interop.inbox import Inbox
from tests.interop.matrix.features import PASSWORD, USER
from tests.interop.peers import needs
from tests.interop.postfix import Postfix, postfix
from tests.interop.test_auth_from_clients import OTHERS, USERS
from tests.interop.test_auth_to_servers import CONTENT, ENVELOPE, MODES
from tests.programs import HOST

TO = "dora@else.test"
OURS = [ServerTLS.STARTTLS, ServerTLS.IMPLICIT]
EXPECTED = {
    "self-signed": "self-signed",
    "of an unknown authority": "authority that is not trusted",
    "of another host": "for another name",
    "expired": "has expired",
}


# --- our client to Postfix --------------------------------------------------------------------


@pytest.fixture(scope="module")
def offering(shared_peers: Peers, files: Files) -> dict[str, Postfix]:
    """Servers that offer TLS, by what is wrong with their certificates."""
    certificates = {"nothing": files.server, **{what: files.wrong(what) for what in WRONG}}
    return {
        what: shared_peers.start(
            postfix(
                main={
                    "smtpd_tls_security_level": "may",
                    "smtpd_tls_chain_files": str(certificate),
                    # So that the log has the version.
                    "smtpd_tls_loglevel": "1",
                }
            )
        )
        for what, certificate in certificates.items()
    }


def connect(world: World, server: Postfix, mode: TLSMode, **options: Any) -> Any:
    port = server.tls_port if mode is TLSMode.IMPLICIT else server.port
    return world.connect((HOST, port), tls=mode, **{"tls_context": client_context(), **options})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@needs("postfix")
def test_we_deliver_inside_tls(
    world: World, offering: dict[str, Postfix], mode: TLSMode, version: ssl.TLSVersion
) -> None:
    context = client_context()
    context.maximum_version = version
    with connect(world, offering["nothing"], mode, tls_context=context) as client:
        assert client.session.tls.version == version.name.replace("_", ".")
        assert HOST in map(str, client.session.tls.peer_names)
        assert client.send(ENVELOPE, CONTENT).complete
    assert f"{client.session.tls.version} with cipher {client.session.tls.cipher}" in (
        offering["nothing"].log()
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", WRONG)
@needs("postfix")
def test_a_certificate_is_refused(
    world: World, offering: dict[str, Postfix], what: str, mode: TLSMode
) -> None:
    with (
        pytest.raises(TLSError, match=EXPECTED[what]) as caught,
        connect(world, offering[what], mode),
    ):
        raise AssertionError("there is no session")
    # What it is, and what to check.
    assert str(caught.value).startswith(f"TLS with {HOST}: ")
    assert "\n- " in str(caught.value)


@pytest.mark.parametrize("what", WRONG)
@needs("postfix")
def test_any_certificate_is_better_than_none(
    world: World, offering: dict[str, Postfix], what: str
) -> None:
    """Opportunistic TLS (RFC 7435): nobody asked for security."""
    with world.connect((HOST, offering[what].port), tls=TLSMode.OPPORTUNISTIC) as client:
        assert client.session.secure
        assert client.session.tls.peer_names == ()
        assert client.send(ENVELOPE, CONTENT).complete


@needs("postfix")
def test_tls_at_the_wrong_port(world: World, offering: dict[str, Postfix]) -> None:
    server, context = offering["nothing"], client_context()
    with (
        pytest.raises(TLSError, match=r"TLSMode\.STARTTLS"),
        world.connect((HOST, server.port), tls=TLSMode.IMPLICIT, tls_context=context),
    ):
        raise AssertionError("there is no session")


@needs("postfix")
def test_starttls_that_is_not_offered(world: World, postfix_inbound: Postfix) -> None:
    with (
        pytest.raises(TLSError, match="does not offer STARTTLS; it offers PIPELINING"),
        connect(world, postfix_inbound, TLSMode.STARTTLS),
    ):
        raise AssertionError("there is no session")


# --- Postfix to our server --------------------------------------------------------------------


def postfix_client(files: Files, port: int, mode: ServerTLS, **settings: str) -> Any:
    """A Postfix that hands on what it gets inside TLS, and only to whom it can verify."""
    main = {
        "smtp_tls_security_level": "secure",
        "smtp_tls_secure_cert_match": "mx.example.org",
        "smtp_tls_CAfile": str(files.authority),
        "smtp_tls_loglevel": "1",
        "smtp_tls_wrappermode": "yes" if mode is ServerTLS.IMPLICIT else "no",
        **settings,
    }
    passwords = f"[{HOST}]:{port} {USER}:{PASSWORD}\n"
    return postfix(f"smtp:[{HOST}]:{port}", main=main, files={"etc/passwords": passwords})


@pytest.mark.parametrize("what", WRONG)
@needs("postfix")
def test_postfix_refuses_our_certificate(
    world: World, files: Files, peers: Peers, what: str
) -> None:
    inbox, context = Inbox(), server_context(files, files.wrong(what))
    with world.serve(inbox, tls=ServerTLS.STARTTLS, tls_context=context) as server:
        relay = peers.start(postfix_client(files, server.port, ServerTLS.STARTTLS))
        submit(relay.port, TO)
        relay.logs("Server certificate not")
    assert inbox.mails == []


@pytest.mark.parametrize("mode", OURS)
@pytest.mark.parametrize(
    "mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
)
@needs("postfix")
def test_postfix_logs_in(
    world: World, files: Files, peers: Peers, mechanism: str, mode: ServerTLS
) -> None:
    inbox = Inbox()
    with world.serve(
        inbox,
        tls=mode,
        tls_context=server_context(files),
        users=USERS,
        extensions=[*standard(), Auth((mechanism, "LOGIN", "PLAIN"), required=True)],
    ) as server:
        relay = peers.start(
            postfix_client(
                files,
                server.port,
                mode,
                smtp_sasl_auth_enable="yes",
                smtp_sasl_password_maps="texthash:{home}/etc/passwords",
                smtp_sasl_tls_security_options="noanonymous",
                smtp_sasl_mechanism_filter=mechanism,
            )
        )
        submit(relay.port, TO)
        relay.wait_until_empty()
    assert inbox.one().session.identity == USER
    assert inbox.one().content.endswith(MESSAGE)
    assert inbox.rejected_by_core == []


@needs("postfix")
def test_postfix_keeps_what_our_server_takes_from_nobody(
    world: World, files: Files, peers: Peers
) -> None:
    """A wrong password is a reason to wait, for Postfix."""
    inbox = Inbox()
    with world.serve(
        inbox, tls=ServerTLS.STARTTLS, tls_context=server_context(files), users=OTHERS
    ) as server:
        relay = peers.start(
            postfix_client(
                files,
                server.port,
                ServerTLS.STARTTLS,
                smtp_sasl_auth_enable="yes",
                smtp_sasl_password_maps="texthash:{home}/etc/passwords",
                smtp_sasl_tls_security_options="noanonymous",
            )
        )
        submit(relay.port, TO)
        relay.logs("SASL authentication failed")
        assert [entry["queue_name"] for entry in relay.mailq()] != []
    assert inbox.mails == []
    assert {refusal.reply.code for refusal in inbox.rejected_by_core} == {535}


# --- Exim to our server -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", OURS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL"])
@needs("exim4")
def test_exim_logs_in(
    world: World, files: Files, peers: Peers, mechanism: str, mode: ServerTLS
) -> None:
    inbox = Inbox()
    transport = ["hosts_require_tls = *", "hosts_require_auth = *", "tls_verify_hosts = *"]
    transport += [f"tls_verify_certificates = {files.authority}"]
    transport += [f"tls_certificate = {files.client}", f"tls_privatekey = {files.client}"]
    # The host's name is an IP address here, which is no name in a certificate.
    transport += ["tls_verify_cert_hostnames ="]
    if mode is ServerTLS.IMPLICIT:
        transport += ["protocol = smtps"]
    with world.serve(
        inbox,
        tls=mode,
        tls_context=server_context(files),
        users=USERS,
        external=NameKind.EMAIL,
        extensions=[*standard(), Auth((mechanism,), required=True)],
    ) as server:
        lines = "".join(f"  {line}\n" for line in transport)
        relay = peers.start(exim(server.port, transport=lines, login=(USER, PASSWORD)))
        submit(relay.port, TO)
        relay.wait_until_empty()
    assert inbox.one().session.identity == USER
    assert inbox.one().content.endswith(MESSAGE)
    assert inbox.rejected_by_core == []
