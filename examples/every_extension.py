"""Every service extension: how a server announces it, and what a client can say because of it.

Run it as `python examples/every_extension.py`.  Each line is written, and read again as the same
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
from smtpproto.commands import parse
from smtpproto.extensions import (
    KNOWN,
    Auth,
    Authenticate,
    Bdat,
    BinaryMime,
    Body,
    Burl,
    By,
    CapabilitiesWanted,
    Chunking,
    ClientForwarding,
    ClientOverriding,
    ContentByUrl,
    ContentNegotiation,
    ConversionPermission,
    ConversionPermitted,
    DeclaredSize,
    DeliverBy,
    Dsn,
    EightBitMime,
    EnhancedStatusCodes,
    EnvelopeId,
    Etrn,
    Expansion,
    Extension,
    FutureRelease,
    HelpTexts,
    HoldFor,
    HoldUntil,
    Internationalized,
    MessageTracking,
    MtPriority,
    NoSoliciting,
    Notify,
    OriginalRecipient,
    Pipelining,
    Priority,
    QueueStarting,
    RequireTls,
    Return,
    Rrvs,
    ServerLimits,
    Size,
    SmtpUtf8,
    Solicit,
    StartTLS,
    StartTls,
    SubmittedBy,
    TlsRequired,
    Tracking,
    ValidSince,
    XClient,
    XForward,
    catalogue,
    read_offers,
)

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
    MessageTracking(),
    Rrvs(),
    NoSoliciting(("com.example.advert",)),
    ServerLimits(mailmax=100, rcptmax=1_000),
    ConversionPermission(),
    ContentNegotiation(),
    ContentByUrl(("imap",)),
    QueueStarting(),
    HelpTexts(),
    Expansion(),
    ClientOverriding(),
    ClientForwarding(),
)

# What a client can say then.
COMMANDS: tuple[Command, ...] = (
    Mail(EVE, (DeclaredSize(1_234), Body("BINARYMIME"), Return("HDRS"), EnvelopeId.of("n+1"))),
    Mail(EVE, (By(120, returned=True, trace=True), Priority(3), TlsRequired())),
    Mail(EVE, (HoldFor(3_600), SubmittedBy(Mailbox.parse("eve@example.org")))),
    Mail(EVE, (HoldUntil(NOON), Internationalized())),
    Mail(EVE, (Tracking("UDBsYXN0ZXI"), EnvelopeId.of("n1@example.org"))),
    Mail(EVE, (Solicit(("com.example.advert",)), ConversionPermitted())),
    Rcpt(ALICE, (Notify(("FAILURE", "DELAY")), OriginalRecipient.of("a@example.com"))),
    Rcpt(ALICE, (ValidSince(NOON), CapabilitiesWanted())),
    Data(),
    Bdat(86, last=True),
    Burl("imap://eve@imap.example.org/drafts;uid=7", last=True),
    Rset(),
    StartTLS(),
    Authenticate("PLAIN"),
    Etrn("example.com"),
    XClient((("ADDR", "192.0.2.9"), ("HELO", "client.example.org"))),
    XForward((("ADDR", "192.0.2.9"), ("SOURCE", "REMOTE"))),
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

    # What nobody knows is kept as it was written; a server refuses it with 555.
    unknown = Mail(EVE, (UnknownParameter("X-COLOUR", "red"),))
    print("and whatever an extension of your own adds:", unknown, sep="\n  ")


if __name__ == "__main__":
    main()
