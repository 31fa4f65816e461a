"""Every service extension: how a server announces it, and what a client can say because of it.

Run it as `python examples/every_extension.py`.  It writes each line, and reads it again as the same
value.
"""

from __future__ import annotations

from datetime import datetime, timezone

from smtpproto import (
    AddressLiteral,
    Command,
    Data,
    Expn,
    ForwardPath,
    Help,
    Limits,
    Mail,
    Mailbox,
    Noop,
    Protocol,
    Rcpt,
    ReversePath,
    Rset,
    Syntax,
    UnknownParameter,
    Vrfy,
)
from smtpproto.engine.compiled_extensions import catalogue, read_offers
from smtpproto.extensions import (
    Auth,
    AuthCommand,
    AuthParameter,
    Bdat,
    BinaryMime,
    Body,
    Burl,
    BurlCommand,
    By,
    Chunking,
    Conneg,
    ConnegParameter,
    Conperm,
    ConpermParameter,
    DeliverBy,
    Dsn,
    EightBitMime,
    EnhancedStatusCodes,
    Envid,
    Etrn,
    EtrnCommand,
    ExpnExtension,
    Extension,
    FutureRelease,
    HelpExtension,
    HoldFor,
    HoldUntil,
    MtPriority,
    MtPriorityParameter,
    Mtrk,
    MtrkParameter,
    NoSoliciting,
    Notify,
    Orcpt,
    Pipelining,
    RequireTls,
    RequireTlsParameter,
    Ret,
    Rrvs,
    RrvsParameter,
    ServerLimits,
    Size,
    SizeParameter,
    SmtpUtf8,
    SmtpUtf8Parameter,
    Solicit,
    StartTls,
    StartTlsCommand,
    XClient,
    XClientCommand,
    XForward,
    XForwardCommand,
)
from smtpproto.extensions.known import KNOWN
from smtpproto.vocabulary.command_parser import parse

NOON = datetime(2030, 1, 2, 12, tzinfo=timezone.utc)
EVE = ReversePath.of("eve@example.org")
ALICE = ForwardPath.of("alice@example.com")

# What a server announces.
OFFERS: tuple[Extension, ...] = (
    Size(50_000_000),
    EightBitMime(),
    BinaryMime(),
    Chunking(),
    Pipelining(),
    EnhancedStatusCodes(),
    SmtpUtf8(),
    StartTls(),
    RequireTls(),
    Auth(("SCRAM-SHA-256", "PLAIN")),
    Dsn(),
    DeliverBy(60),
    MtPriority("MIXER"),
    FutureRelease(86_400, NOON),
    Mtrk(),
    Rrvs(),
    NoSoliciting(("com.example.advert",)),
    ServerLimits(mailmax=100, rcptmax=1_000),
    Conperm(),
    Conneg(),
    Burl(("imap",)),
    Etrn(),
    HelpExtension(),
    ExpnExtension(),
    XClient(),
    XForward(),
)

# What a client can say then.
COMMANDS: tuple[Command, ...] = (
    Mail(EVE, (SizeParameter(1_234), Body("BINARYMIME"), Ret("HDRS"), Envid.of("n+1"))),
    Mail(EVE, (By(120, returned=True, trace=True), MtPriorityParameter(3), RequireTlsParameter())),
    Mail(EVE, (HoldFor(3_600), AuthParameter(Mailbox.parse("eve@example.org")))),
    Mail(EVE, (HoldUntil(NOON), SmtpUtf8Parameter())),
    Mail(EVE, (MtrkParameter("UDBsYXN0ZXI"), Envid.of("n1@example.org"))),
    Mail(EVE, (Solicit(("com.example.advert",)), ConpermParameter())),
    Rcpt(ALICE, (Notify(("FAILURE", "DELAY")), Orcpt.of("a@example.com"))),
    Rcpt(ALICE, (RrvsParameter(NOON), ConnegParameter())),
    Data(),
    Bdat(86, last=True),
    BurlCommand("imap://eve@imap.example.org/drafts;uid=7", last=True),
    Rset(),
    StartTlsCommand(),
    AuthCommand("PLAIN"),
    EtrnCommand("example.com"),
    XClientCommand((("ADDR", "192.0.2.9"), ("HELO", "client.example.org"))),
    XForwardCommand((("ADDR", "192.0.2.9"), ("SOURCE", "REMOTE"))),
    Vrfy("alice"),
    Expn("staff"),
    Help("MAIL"),
    Noop(),
)


def main() -> None:
    everything = catalogue(KNOWN, Protocol.SMTP, Limits(), Syntax.STRICT)

    lines = [f"{offer.keyword} {offer.arguments()}".rstrip() for offer in OFFERS]
    print("mx.example.com", AddressLiteral.parse("[192.0.2.1]"), "announces:")
    print(*(f"  {line}" for line in lines), sep="\n")
    read = read_offers(lines, everything)
    assert {type(offer) for offer in read} == {type(offer) for offer in OFFERS}

    print("and a client may say:")
    for command in COMMANDS:
        print(f"  {command}")
        grammar = everything.utf8_grammar
        assert parse(command.line().encode(), grammar) == command

    # An unknown parameter keeps its text; a server refuses it with 555.
    unknown = Mail(EVE, (UnknownParameter("X-COLOUR", "red"),))
    print("and with an extension of your own:", unknown, sep="\n  ")


if __name__ == "__main__":
    main()
