"""Who the client is: told by HAProxy, nginx and Postfix to our server, by our client to them.

And ETRN, which Postfix knows too.
"""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from smtpproto import Domain, Ehlo, TLSFacts
from smtpproto.conversations import Envelope, ServerTLS, TLSMode
from smtpproto.extensions import (
    ClientOverride,
    EtrnCommand,
    ForwardedClient,
    XClient,
    XClientCommand,
    XForward,
    XForwardCommand,
)
from smtpproto.extensions.known import standard
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from smtpproto.wire.proxy_header_value import Endpoint, ProxyFamily, ProxyHeader
from tests.adapters.worlds import World
from tests.commands import mail, rcpt
from tests.interop.certificates import Files, client_context, server_context
from tests.interop.clients import MESSAGE, submit
from tests.interop.conftest import Peers
from tests.interop.haproxy import haproxy
from tests.interop.inbox import Inbox
from tests.interop.nginx import Nginx
from tests.interop.peers import free_port, needs
from tests.interop.postfix import postfix
from tests.programs import HOST, until

TRUSTED = TrustedNetworks([HOST])
# All of 127.0.0.0/8 is this machine, so a client can come from an address of its own.
CLIENT = "127.0.0.9"
ENVELOPE = Envelope.of("carol@far.test", ["alice@local.test"])
CONTENT = b"From: <carol@far.test>\r\nTo: <alice@local.test>\r\nSubject: hello\r\n\r\nhello\r\n"
NAME, ADDRESS = ("NAME", "spike.test"), ("ADDR", "192.0.2.2")


def header(version: int) -> ProxyHeader:
    """Our client is itself a proxy, for somebody from far away."""
    return ProxyHeader(
        version=version,
        family=ProxyFamily.TCP4,
        source=Endpoint("192.0.2.9", 4711),
        destination=Endpoint("192.0.2.25", 25),
    )


# --- HAProxy ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("mode", [TLSMode.NONE, TLSMode.STARTTLS, TLSMode.IMPLICIT])
@needs("haproxy")
def test_haproxy_tells_our_server(
    world: World, files: Files, peers: Peers, version: int, mode: TLSMode
) -> None:
    """Before all else, TLS from the start included; and still after STARTTLS."""
    inbox = Inbox()
    ours = ServerTLS.IMPLICIT if mode is TLSMode.IMPLICIT else ServerTLS.STARTTLS
    with world.serve(inbox, proxy=TRUSTED, tls=ours, tls_context=server_context(files)) as server:
        option = "send-proxy" if version == 1 else "send-proxy-v2"
        proxy = peers.start(haproxy([server.port], option))
        with world.connect(
            (HOST, proxy.port), tls=mode, tls_context=client_context(), source_address=CLIENT
        ) as client:
            assert client.send(ENVELOPE, CONTENT).complete
    session = inbox.one().session
    assert session.peer == CLIENT
    assert session.secure is (mode is not TLSMode.NONE)
    fact = session.get(ProxyHeader)
    assert fact is not None
    assert fact.version == version
    assert fact.destination == Endpoint(HOST, proxy.port)


@needs("haproxy")
def test_haproxy_ends_tls_before_our_server(world: World, files: Files, peers: Peers) -> None:
    """It says so, and whom the client expected."""
    inbox = Inbox()
    with world.serve(inbox, proxy=TRUSTED) as server:
        options = "send-proxy-v2-ssl-cn proxy-v2-options ssl,ssl-cipher,authority"
        proxy = peers.start(haproxy([server.port], options, f"ssl crt {files.server}"))
        with world.connect(
            (HOST, proxy.port),
            tls=TLSMode.IMPLICIT,
            tls_context=client_context(),
            server_hostname="mx.example.org",
        ) as client:
            assert client.send(ENVELOPE, CONTENT).complete
            cipher = client.session.tls.cipher
    session = inbox.one().session
    assert session.secure
    assert session.tls == TLSFacts("TLSv1.3", cipher, "mx.example.org")


@needs("haproxy")
def test_health_checks_are_no_sessions_of_clients(world: World, peers: Peers) -> None:
    """HAProxy then speaks for itself, and goes without a word."""
    inbox = Inbox()
    with world.serve(inbox, proxy=TRUSTED) as server:
        options = "send-proxy-v2 check inter 100ms"
        proxy = peers.start(haproxy([server.port], options))
        checks = until(lambda: inbox.over, 20, "the end of a check")
        assert checks[0].peer == HOST
        fact = checks[0].get(ProxyHeader)
        assert fact is not None
        assert fact.local
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(proxy.control))
            control.sendall(b"show stat\n")
            state = control.makefile("rb").read()
        submit(proxy.port, "dora@else.test")
    assert b",UP," in state
    assert inbox.one().content == MESSAGE


@pytest.mark.parametrize("version", [1, 2])
@needs("haproxy")
def test_our_client_tells_haproxy(world: World, peers: Peers, version: int) -> None:
    inbox = Inbox()
    with world.serve(inbox, proxy=TRUSTED) as server:
        proxy = peers.start(haproxy([server.port], bind="accept-proxy"))
        with world.connect((HOST, proxy.port), proxy=header(version)) as client:
            assert client.send(ENVELOPE, CONTENT).complete
    assert inbox.one().session.peer == "192.0.2.9"


# --- nginx ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hello", ["ehlo", "helo"])
@needs("nginx")
def test_nginx_tells_our_server(
    world: World, nginx_before: Callable[[int], Nginx], hello: str
) -> None:
    inbox = Inbox()
    extensions = [*standard(), XClient(TRUSTED)]
    arguments: dict[str, Any] = {"source_address": (CLIENT, 0), "timeout": 20}
    with world.serve(inbox, extensions=extensions) as server:
        proxy = nginx_before(server.port)
        with smtplib.SMTP(HOST, proxy.port, "client.test", **arguments) as link:
            getattr(link, hello)()
            link.sendmail("carol@far.test", ["alice@local.test"], CONTENT)
    session = inbox.one().session
    assert session.peer == CLIENT
    assert str(session.name) == "client.test"
    assert session.extended is (hello == "ehlo")
    fact = session.get(ClientOverride)
    assert fact is not None
    assert fact.get("ADDR") == CLIENT
    assert inbox.one().content == CONTENT
    assert inbox.rejected_by_core == []


# --- Postfix ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("mode", [TLSMode.NONE, TLSMode.STARTTLS])
@needs("postfix")
def test_our_client_tells_postfix(
    world: World, files: Files, peers: Peers, version: int, mode: TLSMode
) -> None:
    # Beside a port where it greets without a header.
    port = free_port()
    proxied = "smtpd -o smtpd_upstream_proxy_protocol=haproxy"
    main = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": str(files.server)}
    server = peers.start(postfix(main=main, master=f"{HOST}:{port} inet n - n - - {proxied}\n"))
    with world.connect(
        (HOST, port), proxy=header(version), tls=mode, tls_context=client_context()
    ) as client:
        assert client.send(ENVELOPE, CONTENT).complete
    assert server.delivered("alice") == [CONTENT]
    server.logs("client=unknown[192.0.2.9]")


@needs("postfix")
def test_our_client_takes_the_place_of_another(world: World, peers: Peers) -> None:
    server = peers.start(postfix(main={"smtpd_authorized_xclient_hosts": "127.0.0.0/8"}))
    with world.connect((HOST, server.port)) as client:
        assert {"NAME", "ADDR", "LOGIN", "DESTADDR"} <= set(client.offered.get(XClient).names)
        # Without EHLO between them: what does not fit one line.  The address comes last, as Postfix
        # asks afterwards whether that one is authorized.
        for said in (("HELO", "a+b=c"), ("PROTO", "ESMTP")), (NAME, ADDRESS, ("PORT", "4711")):
            assert client.command(XClientCommand(said)).code == 220
        assert client.command(Ehlo(Domain("spike.test"))).code == 250
        assert client.send(ENVELOPE, CONTENT).complete
        # Postfix relays for its own network, of which the client is no part.
        assert client.command(mail()).code == 250
        refused = client.command(rcpt())
        assert (refused.code, refused.enhanced) == (454, "4.7.1")
    assert server.delivered("alice") == [CONTENT]
    server.logs("client=spike.test[192.0.2.2]")


@needs("postfix")
def test_our_client_tells_whose_message_it_passes_on(world: World, peers: Peers) -> None:
    server = peers.start(postfix(main={"smtpd_authorized_xforward_hosts": "127.0.0.0/8"}))
    said = (NAME, ADDRESS, ("HELO", "spike.test"), ("SOURCE", "REMOTE"))
    with world.connect((HOST, server.port)) as client:
        assert client.command(XForwardCommand(said)).code == 250
        assert client.send(ENVELOPE, CONTENT).complete
    server.logs("orig_client=spike.test[192.0.2.2]")


@needs("postfix")
def test_postfix_trusts_whom_it_is_told_to(world: World, peers: Peers) -> None:
    server = peers.start(postfix(main={"fast_flush_domains": "customer.test"}))
    with world.connect((HOST, server.port)) as client:
        assert XClient not in client.offered
        assert XForward not in client.offered
        # Nor does it send the mail of every domain that is asked for.
        assert client.command(EtrnCommand("customer.test")).code == 250
        assert client.command(EtrnCommand("stranger.test")).code == 459


@needs("postfix")
def test_postfix_tells_our_server_whose_message_it_is(world: World, peers: Peers) -> None:
    inbox = Inbox()
    extensions = [*standard(), XForward(TRUSTED)]
    with world.serve(inbox, extensions=extensions) as server:
        next_hop = f"smtp:[{HOST}]:{server.port}"
        relay = peers.start(postfix(next_hop, main={"smtp_send_xforward_command": "yes"}))
        arguments: dict[str, Any] = {"source_address": (CLIENT, 0), "timeout": 20}
        with smtplib.SMTP(HOST, relay.port, "spike.test", **arguments) as link:
            link.sendmail("carol@far.test", ["dora@else.test"], MESSAGE, ["BODY=8BITMIME"])
        relay.wait_until_empty()
    fact = inbox.one().session.get(ForwardedClient)
    assert fact is not None
    assert fact.get("ADDR") == CLIENT
    assert fact.get("HELO") == "spike.test"
    assert fact.get("SOURCE") == "REMOTE"
    assert inbox.one().session.peer == HOST
    assert inbox.rejected_by_core == []
