"""Fuzz target: whatever is given to a parser, it gives a value that can be written, or refuses.

The first octet of an input chooses the parser; the rest is what it gets.  What was read and is
written again must be read as the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tests.fuzz.campaign import instrumented, main
from tests.fuzz.campaign import lines as crlf_lines

with instrumented():
    from smtpproto import (
        AddressLiteral,
        Domain,
        ForwardPath,
        Limits,
        LineEndings,
        LocalProtocolError,
        Mailbox,
        Protocol,
        RemoteProtocolError,
        Reply,
        ReversePath,
        Session,
        Syntax,
    )
    from smtpproto.conversations.client.message import without_bcc
    from smtpproto.conversations.transcript import Transcript
    from smtpproto.engine.compiled_extensions import catalogue, read_offers
    from smtpproto.extensions import AuthParameter
    from smtpproto.extensions.conneg import capabilities, with_capabilities
    from smtpproto.extensions.known import KNOWN
    from smtpproto.grammar.encodings import decode_base64, decode_xtext, encode_base64, encode_xtext
    from smtpproto.sasl import (
        Challenge,
        ClientExchange,
        Context,
        Credentials,
        Mechanism,
        ServerExchange,
        Users,
    )
    from smtpproto.sasl.mechanism_choice import MECHANISMS
    from smtpproto.vocabulary.command_parser import parse
    from smtpproto.vocabulary.commands import Expn, Mail, Rcpt, Vrfy
    from smtpproto.vocabulary.lenient_commands import NoDomain, read
    from smtpproto.vocabulary.parameters import parse_parameters
    from smtpproto.vocabulary.replies import ReplyReader, format_reply
    from smtpproto.wire import (
        ContentEnd,
        CountedText,
        DotDecoder,
        DotEncoder,
        LineReader,
        ReceiveBuffer,
    )
    from smtpproto.wire.proxy_header_parser import ProxyReader
    from smtpproto.wire.proxy_header_value import ProxyHeader

# Whatever builds a value may raise the first; whatever reads what a peer sent, the second.
REFUSED = LocalProtocolError
BROKEN = RemoteProtocolError

LIMITS = Limits()
CATALOGUE = catalogue(KNOWN, Protocol.SMTP, LIMITS)
GRAMMARS = (
    CATALOGUE.grammar,
    CATALOGUE.utf8_grammar,
    catalogue(KNOWN, Protocol.LMTP, LIMITS, Syntax.LENIENT).utf8_grammar,
)


def text_of(data: bytes) -> str:
    """Any text, surrogates included: what a careless application passes on."""
    return data.decode("utf-8", "surrogateescape")


# --- commands -------------------------------------------------------------------------------------


def commands(data: bytes) -> None:
    for grammar in GRAMMARS:
        with contextlib.suppress(REFUSED):
            command, _ = read(data, grammar)
            line = command.line().encode()
            assert b"\r" not in line
            assert b"\n" not in line
            assert b"\0" not in line
            str(command).encode()
            if not isinstance(getattr(command, "name", None), NoDomain):
                # What was written needs no leniency to be read.
                assert parse(line, grammar) == command


def parameters(data: bytes) -> None:
    text = text_of(data)
    for kind in (Mail, Rcpt, Vrfy, Expn):
        known = CATALOGUE.grammar.parameters[kind]
        for utf8 in (False, True):
            with contextlib.suppress(REFUSED):
                parsed = parse_parameters(text, known, utf8=utf8)
                again = parse_parameters(" ".join(map(str, parsed)), known, utf8=utf8)
                assert again == parsed
        for parameter in known.values():
            # Without the check of what an esmtp-value is: also what a caller passes directly.
            with contextlib.suppress(REFUSED):
                str(parameter.parse(text))


def addresses(data: bytes) -> None:
    text = text_of(data)
    for utf8 in (False, True):
        for kind in (Domain, AddressLiteral, Mailbox, ReversePath, ForwardPath):
            with contextlib.suppress(REFUSED):
                value = kind.parse(text, utf8=utf8)
                assert kind.parse(str(value), utf8=utf8) == value
                hash(value)
                str(value).encode()
                assert utf8 or value.ascii
        for path in (ReversePath, ForwardPath):
            with contextlib.suppress(REFUSED):
                path.parse_prefix(text, len(text) // 2, utf8=utf8)
    for path in (ReversePath, ForwardPath):
        with contextlib.suppress(REFUSED):
            assert path.of(text).address.isprintable() or not text.isascii()
    with contextlib.suppress(REFUSED):
        AddressLiteral(text).address  # noqa: B018  it may not raise
    with contextlib.suppress(REFUSED):
        mailbox = Mailbox(text, Domain("a.example"))
        assert Mailbox.parse(str(mailbox), utf8=True, limits=Limits(local_part=200_000)) == mailbox
    with contextlib.suppress(REFUSED):
        AuthParameter.parse(text)


def encodings(data: bytes) -> None:
    text = text_of(data)
    with contextlib.suppress(REFUSED):
        assert decode_xtext(encode_xtext(text)) == text
    with contextlib.suppress(REFUSED):
        encode_xtext(decode_xtext(text))
    for one in (data, text):
        with contextlib.suppress(REFUSED):
            octets = decode_base64(one)
            assert encode_base64(octets) == text


# --- replies --------------------------------------------------------------------------------------


def replies(data: bytes) -> None:
    reader = ReplyReader(LIMITS)
    with contextlib.suppress(BROKEN):
        for line in data.split(b"\r\n"):
            reply = reader.feed(line)
            if reply is None:
                continue
            str(reply.explain())
            capabilities(reply)
            with contextlib.suppress(REFUSED):
                format_reply(reply, "MAIL", enhanced=True, utf8=True)
            offered = read_offers(reply.lines, CATALOGUE)
            session = Session(offered=offered, secure=True)
            for extension in offered:
                line_again = extension.line()
                assert "\n" not in line_again
                mail = Mail(ReversePath(None))
                CATALOGUE.in_force(offered).rules[Mail].refusal(mail, session, None)


def texts(data: bytes) -> None:
    """Texts that a handler puts into replies."""
    text = text_of(data)
    with contextlib.suppress(REFUSED):
        reply = Reply(250, "", text)
        for utf8 in (False, True):
            with contextlib.suppress(REFUSED, UnicodeEncodeError):
                for line in format_reply(reply, "MAIL", enhanced=True, utf8=utf8):
                    assert b"\r" not in line
                    assert b"\n" not in line
        with_capabilities(Reply(250), text)


# --- content --------------------------------------------------------------------------------------


def pieces(data: bytes) -> Iterator[bytes]:
    """The octets in pieces that they choose themselves."""
    at = 0
    while at < len(data):
        size = 1 + data[at] % 7
        yield data[at : at + size]
        at += size


def content(data: bytes) -> None:
    """What is encoded is one message, whoever reads it, and the same one."""
    for policy in (LineEndings.REFUSE, LineEndings.NORMALIZE):
        encoder = DotEncoder(policy)
        try:
            octets = b"".join([encoder.encode(piece) for piece in pieces(data)]) + encoder.finish()
        except REFUSED:
            assert policy is LineEndings.REFUSE
            continue
        assert octets.find(b"\r\n.\r\n") in (-1, len(octets) - 5)
        assert not octets.startswith(b".\r\n") or octets == b".\r\n"
        assert b"\n" not in octets.replace(b"\r\n", b"")
        assert b"\r" not in octets.replace(b"\r\n", b"")
        for reading in LineEndings:
            assert decoded(octets + b"NOOP\r\n", reading)[1] == b"NOOP\r\n"
    for policy in LineEndings:
        found, rest, bad = decoded(data, policy)
        plain, _, refused = decoded(data, LineEndings.REFUSE)
        if found is not None:
            # The end is where it is, whatever the policy.
            assert plain is not None
            assert rest == decoded(data, LineEndings.REFUSE)[1]
            if policy is LineEndings.NORMALIZE:
                assert b"\n" not in found.replace(b"\r\n", b"")
            assert not bad or policy is LineEndings.REFUSE
            assert refused or found == plain
        counted = CountedText(policy)
        text = b"".join([counted.feed(piece) for piece in pieces(data)]) + counted.finish()
        if policy is LineEndings.NORMALIZE:
            assert b"\r" not in text.replace(b"\r\n", b"")
        else:
            assert text == data


def decoded(data: bytes, policy: LineEndings) -> tuple[bytes | None, bytes, bool]:
    """The content, what follows it, and whether it is to be refused; fed in pieces."""
    buffer = ReceiveBuffer()
    decoder = DotDecoder(buffer, policy)
    found = b""
    rest = pieces(data)
    for piece in rest:
        buffer.feed(piece)
        while (chunk := decoder.read()) is not None:
            if isinstance(chunk, ContentEnd):
                left = buffer.peek(len(buffer)) + b"".join(rest)
                return found, left, decoder.bad is not None
            found += chunk
    return None, b"", False


def lines(data: bytes) -> None:
    buffer = ReceiveBuffer()
    reader = LineReader(buffer, 64)
    whole = []
    buffer.feed(data)
    while (line := reader.read()) is not None:
        whole.append(line)
    dropped = reader.dropped
    buffer = ReceiveBuffer()
    reader = LineReader(buffer, 64)
    for octet in data:
        buffer.feed(bytes([octet]))
        while (line := reader.read()) is not None:
            assert line == whole.pop(0)
        assert len(buffer) <= 64
    assert not whole
    assert reader.dropped == dropped


def proxy(data: bytes) -> None:
    results = []
    for step in (1, len(data) or 1):
        reader = ProxyReader()
        result: ProxyHeader | type[RemoteProtocolError] | None = None
        try:
            for at in range(0, len(data), step):
                reader.feed(data[at : at + step])
                header = reader.read()
                if header is not None:
                    result = header
                    break
                assert reader.wanted > 0
            else:
                reader.feed(b"")
                result = reader.read()
        except BROKEN:
            result = BROKEN
        results.append(result)
        if isinstance(result, ProxyHeader):
            again = ProxyReader()
            again.feed(result.to_bytes())
            assert again.read() == result
            str((result.ssl, result.authority))
    assert results[0] == results[1]


def showing(data: bytes) -> None:
    written: list[str] = []
    transcript = Transcript(written.append, content=20)
    for at, piece in enumerate(pieces(data)):
        transcript("S" if at % 2 else "C", piece, at % 3 > 0)
    transcript("C", b"QUIT", False)
    for line in written:
        assert line.replace("\t", "").isprintable()
    assert b"bcc:" not in without_bcc(b"x: y\r\n" + data.replace(b"\r", b"")).lower().splitlines()


# --- authentication -------------------------------------------------------------------------------

USERS = Users(
    {"a": "b", "anonymous": "c"},
    secret=b"sixteen octets..",
    iterations=1,
    tokens={"t": "a"},
    anonymous=True,
)
CREDENTIALS = Credentials(username="a", password="b", token="t", external=True, anonymous="x")
CONTEXT = Context(
    nonce=lambda: "fyko+d2lbbFgONRv9qkxdawL",
    host="mx.example",
    port=587,
    secure=True,
    channel_bindings={"tls-exporter": b"exported", "tls-unique": b"unique"},
    external=("a",),
    aliases=("mx.example",),
)


def sasl_server(data: bytes) -> None:
    mechanism = chosen(data)
    messages = data[1:].split(b"\xfe")
    with contextlib.suppress(REFUSED):
        exchange = ServerExchange(mechanism, CONTEXT, messages.pop(0) if data[0] & 64 else None)
        while (request := exchange.request) is not None:
            if isinstance(request, Challenge):
                exchange.answer(messages.pop(0) if messages else b"")
            else:
                method = request.asked_of(USERS)
                exchange.answer(None if method is None else method(*request.arguments()))
        identity = exchange.identity
        assert identity is not None
        # No control characters, whoever the client says it is.
        assert identity.authorization.isprintable()
        assert identity.authorization == identity.authentication or mechanism.name == "EXTERNAL"


def sasl_client(data: bytes) -> None:
    mechanism = chosen(data)
    with contextlib.suppress(REFUSED):
        exchange = ClientExchange(mechanism, CREDENTIALS, CONTEXT)
        for message in data[1:].split(b"\xfe"):
            response = exchange.respond(message)
            assert mechanism.plaintext or b"\0b" not in response
        if data[0] & 64:
            str(exchange.refused())
        else:
            exchange.succeeded()


def chosen(data: bytes) -> Mechanism:
    names = sorted(MECHANISMS)
    return MECHANISMS[names[data[0] % len(names)]]


PARSERS: tuple[Callable[[bytes], None], ...] = (
    commands,
    parameters,
    addresses,
    encodings,
    replies,
    texts,
    content,
    lines,
    proxy,
    showing,
    sasl_server,
    sasl_client,
)


def target(data: bytes) -> None:
    """One input."""
    if len(data) > 1:
        PARSERS[data[0] % len(PARSERS)](data[1:])


def seeds() -> list[bytes]:
    """Something for each parser."""
    samples: dict[Callable[[bytes], None], list[bytes]] = {
        commands: [
            b"MAIL FROM:<a.b@c.example> SIZE=1 BODY=8BITMIME RET=FULL ENVID=x+20y BY=60;R",
            b'RCPT TO:<"a \\" b"@[IPv6:2001:db8::1]> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+40b',
            b"RCPT TO:<@a,@b:c@d> RRVS=2030-01-02T03:04:05Z;C CONNEG",
            "MAIL FROM:<jürgen@exämple.org> SMTPUTF8 AUTH=a+40b HOLDFOR=5".encode(),
            "RCPT TO:<ä@ö> ORCPT=utf-8;\\x{E4}@b".encode(),
            b"MAIL FROM: a@b.  SOLICIT=net.example:ADV MT-PRIORITY=-9 MTRK=q83v:60",
            b"MAIL FROM:<> HOLDUNTIL=2030-01-02T03:04:05.678Z REQUIRETLS CONPERM",
            *(b"EHLO [1.2.3.4]", b"HELO a_b.", b"LHLO [x-y:z]", b"BDAT 86 LAST", b"AUTH PLAIN ="),
            b"XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:::1 PORT=25 HELO=a+2Bb",
            *(b"XFORWARD IDENT=x SOURCE=LOCAL", b"ETRN @a.b", b"ETRN #q", b"VRFY a SMTPUTF8"),
            b"BURL imap://user@host/x;URLAUTH=submit+harry:internal:91354a LAST",
        ],
        parameters: [
            b"SIZE=100 BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=a BY=+5;NT AUTH=<> HOLDFOR=1",
            b"NOTIFY=NEVER ORCPT=utf-8;\\x{20}\\x{1F600} RRVS=0001-01-01T00:00:00+23:59",
            b"HOLDUNTIL=9999-12-31T23:59:60Z MT-PRIORITY=0 MTRK=AAAA SOLICIT=a,b X-Y=z",
            b"0001-01-01T00:00:00Z",
            b"2016-12-31T23:59:60+00:00",
            b"<a@b>",
            b"rfc822;a@b",
        ],
        addresses: [
            b"a.b@c.example",
            b'"a\\\\b"@[IPv6:::ffff:1.2.3.4]',
            b"<@x:a@b>",
            b"<>",
            b"<Postmaster>",
            "ä@ö.例え".encode(),
            b"[IPv6:1:2:3:4:5:6:7:8]",
            b"[tag:x]",
            b"xn--a.b-c.d",
        ],
        encodings: [b"a+20b+C3+A4", b"YWJj", b"YWI=", b"YQ==", "ä +=".encode()],
        replies: [
            crlf_lines(
                *("250-mx hi", "250-SIZE 5", "250-AUTH PLAIN LOGIN", "250-AUTH=LOGIN"),
                *("250-LIMITS MAILMAX=3 X=y", "250-DELIVERBY 60,x", "250-BURL imap"),
                *("250-FUTURERELEASE 5 2030-01-01T00:00:00Z", "250-NO-SOLICITING a.b:C"),
                *("250-MT-PRIORITY X", "250-XCLIENT A B", "250 XFORWARD NAME"),
            ),
            b"550-5.1.1 no\r\n550 5.1.1 such\r\n",
            b"250",
            b"250-ok\r\n250-CONNEG (a=b)\r\n250 CONNEG (c=d)\r\n",
            b"421 4.3.2\r\n",
        ],
        texts: [b"fine\nnext", "jürgen \u2028".encode(), b"(a=b) " * 200],
        content: [
            b"Subject: x\r\n\r\n.dot\r\n..\r\n.\r\nrest",
            b"\n.\n\r.\r\r\n.\n\r\n",
            b".\r\nNOOP",
            b"\r\n.\r\r\n.\r\n",
            b"a\r\n.\r\n\r\n",
            b".\r",
            b"\r\n.",
            b"..\r\n.\r\nx",
        ],
        lines: [
            b"NOOP\r\nRSET\r\r\n\n" + b"x" * 70 + b"\r\nQUIT\r\n\0\r\n",
            b"a" * 63 + b"\r\n" + b"b" * 62 + b"\r\n",
        ],
        proxy: [
            b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nEHLO",
            b"PROXY TCP6 ::1 ::2 1 2\r\n",
            b"PROXY UNKNOWN\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\0\x19\0\x19",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x38"
            + bytes(36)
            + b"\x20\0\x11\7\0\0\0\0\x21\0\7TLSv1.3\x23\0\0",
            b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0EHLO",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8" + b"/x" * 108,
        ],
        showing: [
            b"EHLO \x1b[31m\x9b\r\n",
            "\u202eabc\x85\t\n".encode(),
            b"Bcc: a\r\n b\r\nTo: c\r\n\r\n",
        ],
        sasl_server: [],
        sasl_client: [],
    }
    messages = [
        b"\0a\0b",
        b"a\0a\0b",
        b"a\xfeb",
        b"n,,n=a,r=abc",
        b"n,a=a,n=a,r=abc\xfec=biws,r=abcfyko,p=AAAA",
        b"p=tls-exporter,,n=a,r=abc\xfec=x,r=y,p=z",
        b"n,a=a,\1host=mx.example\1port=587\1auth=Bearer t\1\1",
        b"user=a\1auth=Bearer t\1\1",
        b"a 0123456789abcdef0123456789abcdef",
        b"a",
        b"",
        b"r=fyko+d2lbbFgONRv9qkxdawLxyz,s=QSXCR+Q6sek8bf92,i=4096\xfev=AAAA",
        b"e=other-error",
        b'{"status":"401","schemes":"bearer"}',
        b"<1@mx.example>",
        b"Username:\xfePassword:",
    ]
    kinds = range(len(MECHANISMS))
    samples[sasl_server] = [bytes([kind + 55 * (kind % 2)]) + m for kind in kinds for m in messages]
    samples[sasl_client] = [bytes([kind]) + m for kind in kinds for m in messages]
    return [
        bytes([PARSERS.index(parser)]) + sample
        for parser, inputs in samples.items()
        for sample in inputs
        # The many for authentication count as one of the others.
        for _ in range(1 if len(inputs) > 100 else 6)
    ]


if __name__ == "__main__":
    main(target, seeds())
