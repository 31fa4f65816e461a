"""Less common uses of both engines, without a socket: wrong clients, HELO, LMTP, AUTH.

Run it as `python examples/in_memory.py`.
"""

from __future__ import annotations

from smtpproto import (
    AuthResponse,
    Client,
    Command,
    Deviation,
    Domain,
    Ehlo,
    Explanation,
    ForwardPath,
    Helo,
    Lhlo,
    Mail,
    Need,
    NoDomain,
    Offered,
    Protocol,
    Rcpt,
    Rejected,
    RemoteProtocolError,
    Reply,
    ReversePath,
    Server,
    Session,
    Syntax,
    explain,
)
from smtpproto.conversations import Envelope, Hooks, ServerSettings, SessionFactory
from smtpproto.conversations.conversation_steps import Steps
from smtpproto.conversations.io_requests import Call, CallWithContent, Receive, Send
from smtpproto.extensions import Auth, AuthCommand

ME = Domain("client.example.org")


def a_device_that_gets_it_wrong() -> None:
    """A lenient server repairs a wrong command whose meaning is clear, and reports it."""
    server = Server("mx.example.com", syntax=Syntax.LENIENT)
    server.accept()
    server.receive_data(b"HELO my_printer\r\nMAIL FROM: <scan@example.org>\r\n")
    while not isinstance(event := server.next_event(), Need):
        match event:
            case Deviation(reason, command):
                print("mended:", reason, "in", command)
            case Helo(NoDomain() as name):
                print("calls itself:", name)
                server.accept()
            case Command():
                server.accept()
            case Rejected(reply, _):
                print("refused:", reply)


def a_server_that_breaks_the_protocol() -> None:
    client = Client()
    client.receive_data(b"SSH-2.0-OpenSSH_9.2\r\n")
    try:
        client.next_event()
    except RemoteProtocolError as error:
        print("not a mail server:", error)


def converse(client: Client, server: Server, *commands: Command) -> list[Reply]:
    """Send several commands at once, and return the replies."""
    for command in commands:
        client.send(command)
    server.receive_data(client.data_to_send())
    while not isinstance(server.next_event(), Need) or server.owed:
        if server.owed:
            server.accept()
    client.receive_data(server.data_to_send())
    replies = []
    while isinstance(event := client.next_event(), Reply):
        replies.append(event)
    return replies


def lmtp() -> None:
    """Both engines speak LMTP (RFC 2033), which begins with LHLO."""
    server = Server("mx.example.com", protocol=Protocol.LMTP)
    client = Client(protocol=Protocol.LMTP)
    server.accept()
    client.receive_data(server.data_to_send())
    print("greeting:", client.next_event())
    path = ForwardPath.of("alice@example.com")
    said = converse(client, server, Lhlo(ME))
    said += converse(client, server, Mail(ReversePath.of("")), Rcpt(path))
    print("LMTP:", *said, sep="\n  ")


def an_exchange_by_hand() -> None:
    """To the engines AUTH is an exchange of octets; `smtpproto.sasl` knows their meaning."""
    auth = Auth(("PLAIN",), allow_plaintext=("PLAIN",))
    server, client = Server("mx.example.com", [auth]), Client()
    server.accept()
    client.receive_data(server.data_to_send())
    client.next_event()
    converse(client, server, Ehlo(ME))
    offered: Offered = client.offered
    print("offered:", offered.get(Auth))
    client.send(AuthCommand("PLAIN"))
    server.receive_data(client.data_to_send())
    print("server is asked:", server.next_event())
    server.send(Reply(334, "", ""))
    client.receive_data(server.data_to_send())
    client.next_event()
    client.send(AuthResponse(b"\0ann\0open sesame"))
    server.receive_data(client.data_to_send())
    print("server gets:", server.next_event())
    server.send(Reply(235, "2.7.0", "welcome"))
    client.receive_data(server.data_to_send())
    print("client is told:", client.next_event())


class Inbox:
    """A handler; `Hooks.of` finds the methods that it has."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        print(f"received {len(content)} octets from {session.peer} for", *envelope.forward_paths)


def a_whole_session_from_a_script(script: bytes) -> None:
    """A `SessionFactory` makes the conversation of each session; this loop brings the octets."""
    assert Hooks.of(Inbox()).message is not None
    factory = SessionFactory(Inbox(), ServerSettings(hostname="mx.example.com"))
    session = Session(peer="192.0.2.9")
    flow = factory.open(session)
    assert flow is not None
    steps = Steps(flow)
    for request in steps:
        match request:
            case Send(data):
                print(data.decode(), end="")
            case Receive():
                # All octets at once, and then the end of the input.
                steps.result, script = script, b""
            case Call(function, arguments):
                steps.result = function(*arguments)
            case CallWithContent():
                raise NotImplementedError("this handler has no method 'content'")
    factory.close(session)


def main() -> None:
    a_device_that_gets_it_wrong()
    a_server_that_breaks_the_protocol()
    lmtp()
    an_exchange_by_hand()
    a_whole_session_from_a_script(
        b"EHLO client.example.org\r\nMAIL FROM:<eve@example.org>\r\n"
        b"RCPT TO:<alice@example.com>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
    )
    meaning: Explanation = explain(550, "5.1.1", "RCPT")
    print(meaning)


if __name__ == "__main__":
    main()
