"""XCLIENT, XFORWARD and ETRN as Postfix and nginx have them, who defined or use them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from smtpproto import (
    Client,
    Command,
    Domain,
    Ehlo,
    ForwardPath,
    Need,
    Quit,
    Rcpt,
    Reply,
    Server,
    Session,
    State,
)
from smtpproto.extensions import (
    ClientOverride,
    Etrn,
    EtrnCommand,
    Pipelining,
    XClient,
    XClientCommand,
    XForward,
    XForwardCommand,
)
from smtpproto.vocabulary.events import Rejected
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from tests.commands import mail, rcpt
from tests.interop.conftest import Peers
from tests.interop.nginx import nginx
from tests.interop.peers import needs
from tests.interop.postfix import postfix
from tests.programs import HOST

if TYPE_CHECKING:
    from typing_extensions import Self

NAME, ADDRESS = ("NAME", "spike.test"), ("ADDR", "192.0.2.2")
AUTHORIZED = {
    "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
    "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
}


class Talk:
    """A client with its socket; one command, one reply."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=20)
        self.client = Client()
        assert self.reply().code == 220
        assert self.say(Ehlo(Domain("proxy.test"))).code == 250

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, command: Command) -> Reply:
        self.client.send(command)
        self.socket.sendall(self.client.data_to_send())
        return self.reply()

    def reply(self) -> Reply:
        while (event := self.client.next_event()) is Need.DATA:
            self.client.receive_data(self.socket.recv(65536))
        assert isinstance(event, Reply)
        return event


@needs("postfix")
def test_postfix_takes_our_client_for_another(peers: Peers) -> None:
    server = peers.start(postfix(main=AUTHORIZED))
    with Talk(server.port) as talk:
        offer = talk.client.offered.get(XClient)
        assert offer is not None
        assert {"NAME", "ADDR", "LOGIN", "DESTADDR"} <= set(offer.names)
        # Without EHLO between them: what does not fit one line.  The address comes last, as Postfix
        # asks afterwards whether that one is authorized.
        assert talk.say(XClientCommand((("HELO", "a+b=c"), ("PROTO", "ESMTP")))).code == 220
        assert talk.say(XClientCommand((NAME, ADDRESS, ("PORT", "4711")))).code == 220
        assert talk.client.state is State.GREETED
        assert talk.say(Ehlo(Domain("spike.test"))).code == 250
        assert talk.say(mail()).code == 250
        refused = talk.say(rcpt())
        assert (refused.code, refused.enhanced) == (454, "4.7.1")
        talk.say(Quit())
    server.logs("from spike.test[192.0.2.2]")


@needs("postfix")
def test_postfix_logs_whose_message_we_pass_on(peers: Peers) -> None:
    server = peers.start(postfix(main=AUTHORIZED))
    with Talk(server.port) as talk:
        assert XForward in talk.client.offered
        said = (NAME, ADDRESS, ("HELO", "spike.test"), ("SOURCE", "REMOTE"))
        assert talk.say(XForwardCommand(said)).code == 250
        assert talk.say(mail()).code == 250
        assert talk.say(Rcpt(ForwardPath.of("alice@local.test"))).code == 250
        talk.say(Quit())
    server.logs("orig_client=spike.test[192.0.2.2]")


@needs("postfix")
def test_postfix_does_not_trust_everybody(peers: Peers) -> None:
    with Talk(peers.start(postfix()).port) as talk:
        assert XClient not in talk.client.offered
        assert XForward not in talk.client.offered


@needs("postfix")
def test_postfix_is_asked_for_mail(peers: Peers) -> None:
    server = peers.start(postfix(main={"fast_flush_domains": "customer.test"}))
    with Talk(server.port) as talk:
        assert Etrn in talk.client.offered
        assert talk.say(EtrnCommand("customer.test")).code == 250
        assert talk.say(EtrnCommand("stranger.test")).code == 459


@pytest.mark.parametrize("hello", ["EHLO", "HELO"])
@needs("nginx")
def test_nginx_says_for_whom_it_speaks(peers: Peers, hello: str) -> None:
    seen: list[Session] = []

    def serve(link: socket.socket) -> None:
        server = Server(
            "mx.test",
            [Pipelining(), XClient(TrustedNetworks(["127.0.0.0/8"]))],
            session=Session(peer=link.getpeername()[0]),
        )
        while server.state is not State.CLOSED:
            event = server.next_event()
            assert not isinstance(event, Rejected), event
            if server.owed:
                server.accept()
            elif event is Need.DATA:
                link.sendall(server.data_to_send())
                server.receive_data(link.recv(65536))
            if server.state in (State.MAIL, State.RCPT):
                seen.append(server.session)
        link.sendall(server.data_to_send())

    with behind(serve) as port:
        proxy = peers.start(nginx(port))
        with socket.create_connection((HOST, proxy.port), timeout=20) as link:
            answers = link.makefile("rb")
            assert answers.readline().startswith(b"220 ")
            link.sendall(f"{hello} client.test\r\n".encode())
            while answers.readline()[3:4] == b"-":
                pass
            link.sendall(b"MAIL FROM:<a@client.test>\r\n")
            assert answers.readline().startswith(b"250")
            link.sendall(b"RCPT TO:<b@mx.test>\r\n")
            assert answers.readline().startswith(b"250")
            link.sendall(b"QUIT\r\n")
            assert answers.readline().startswith(b"221")
    fact = seen[-1].get(ClientOverride)
    assert fact is not None
    assert fact.get("ADDR") == "127.0.0.1"
    assert str(seen[-1].name) == "client.test"


class behind:  # noqa: N801  reads as the function it stands for
    """A port where one session is served in a thread."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server((HOST, 0))
        self.serve = serve
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            link, _ = self.listener.accept()
            with link:
                link.settimeout(20)
                self.serve(link)
        except BaseException as error:  # noqa: BLE001  raised again where the test runs
            self.error = error

    def __enter__(self) -> int:
        self.thread.start()
        port: int = self.listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self.thread.join(30)
        self.listener.close()
        if self.error is not None:
            raise self.error
