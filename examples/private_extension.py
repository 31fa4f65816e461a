"""A private service extension, used between our own client and server, in memory.

Run it as `python examples/private_extension.py`.  The extension has everything that one can
have: a keyword with arguments, a parameter of MAIL, a verb with its transition, and a fact that it
keeps.  No file of the package knows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from smtpproto import (
    Client,
    Command,
    Domain,
    Ehlo,
    LocalProtocolError,
    Mail,
    Need,
    Parameter,
    Quit,
    Reply,
    ReversePath,
    Server,
    Session,
    State,
    Transaction,
)
from smtpproto.extensions import (
    KNOWN,
    Answered,
    Extension,
    SessionEvent,
    TLSBegun,
    TransactionOver,
    Transition,
)

# --- the extension ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Colour(Parameter):
    """MAIL FROM:<...> X-COLOUR=name"""

    keyword = "X-COLOUR"
    name: str

    def value(self) -> str:
        return self.name

    @classmethod
    def parse(cls, value: str | None) -> Colour:
        if not value:
            raise LocalProtocolError("X-COLOUR: expected a colour")
        return cls(value)


@dataclass(frozen=True, slots=True)
class Paint(Command):
    """XPAINT, possible between mail transactions."""

    verb = "XPAINT"
    accepted = (250, "2.0.0", "painted")


@dataclass(frozen=True, slots=True)
class Colours(Extension):
    """Announced as `250 X-COLOURS red green`."""

    keyword = "X-COLOURS"
    parameters = {Mail: (Colour,)}
    commands = (Paint,)
    transitions = {State.READY: {"XPAINT": Transition()}}
    names: tuple[str, ...] = ()

    def arguments(self) -> str:
        return " ".join(self.names)

    @classmethod
    def parse_offer(cls, arguments: str) -> Colours:
        return cls(tuple(arguments.split()))

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        colour = command.get(Colour) if isinstance(command, Mail) else None
        if colour is None or colour.name in self.names:
            return None
        return Reply(555, "5.5.4", f"no {colour.name} here")

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """Remember, on both sides, that XPAINT came, for one mail transaction."""
        if isinstance(event, (TransactionOver, TLSBegun)):
            return session.without_fact(Painted)
        assert isinstance(event, Answered)
        return session.with_fact(Painted()) if event.positive else session


@dataclass(frozen=True, slots=True)
class Painted:
    """A fact of a session."""


# --- both roles use it ------------------------------------------------------------------------


def talk(client: Client, server: Server) -> None:
    """Carry octets between client and server until both have no more."""
    while True:
        said = client.data_to_send()
        if said:
            server.receive_data(said)
        while not isinstance(server.next_event(), Need) or server.owed:
            if server.owed:
                server.accept()
        answered = server.data_to_send()
        if answered:
            client.receive_data(answered)
        while not isinstance(client.next_event(), Need):
            pass
        if not said and not answered:
            return


def show(sender: str, octets: bytes, *_: bool) -> None:
    """Print a transcript."""
    print(f"{sender}: {octets.decode()}")


def main() -> None:
    server = Server("mx.example", [Colours(("red", "green"))])
    client = Client((*KNOWN, Colours), observer=show)
    talk(client, server)
    author = ReversePath.of("author@example.org")

    client.send(Ehlo(Domain("client.example")))
    talk(client, server)
    print("   the client found:", client.offered.get(Colours))

    client.send(Paint())
    talk(client, server)
    print("   both sides remember:", client.session.get(Painted), server.session.get(Painted))
    try:
        client.send(Mail(author, (Colour("blue"),)))
    except LocalProtocolError as error:
        print("   the client will not say it:", error)

    client.send(Mail(author, (Colour("green"),)))
    talk(client, server)
    assert server.transaction is not None
    print("   the server was told:", server.transaction.mail.get(Colour))

    client.send(Quit())
    talk(client, server)


if __name__ == "__main__":
    main()
