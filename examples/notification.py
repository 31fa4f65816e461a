"""Writes a delivery status notification: RFC 3464 and RFC 3461 section 6, for UTF-8 RFC 6533.

Run it as `python -m examples.notification`.
"""

from __future__ import annotations

import secrets
from email.utils import format_datetime, localtime, make_msgid
from typing import NamedTuple

from smtpproto import ForwardPath, Mail, Rcpt, Reply, ReversePath
from smtpproto import extensions as ext
from smtpproto.sync import Envelope

MESSAGE = """\
From: Mail delivery <postmaster@{host}>
To: <{sender}>
Subject: Your message {action}
Date: {date}
Message-ID: {id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="{boundary}"

--{boundary}
Content-Type: text/plain; charset=utf-8

{text}
--{boundary}
Content-Type: message/{utf8}delivery-status

Reporting-MTA: dns;{host}
{fields}
--{boundary}
Content-Type: {returned}

"""


class Report(NamedTuple):
    """What became of a recipient, by the reply of a server."""

    rcpt: Rcpt
    reply: Reply
    server: str

    @property
    def action(self) -> str:
        return "relayed" if self.reply.positive else "failed"

    def is_wanted(self, *, next_notifies: bool) -> bool:
        """Whether the sender has to be told (RFC 3461 section 5.2.2).

        `next_notifies` says whether the server offers DSN: then it tells of success itself.
        """
        notify = self.rcpt.get(ext.Notify)
        if self.reply.positive:
            return notify is not None and notify.on("SUCCESS") and not next_notifies
        return notify is None or notify.on("FAILURE")

    @property
    def said(self) -> str:
        """The reply in one line."""
        return " ".join(str(self.reply).split())[:500]

    @property
    def fields(self) -> str:
        """What programs read."""
        original, address = self.rcpt.get(ext.Orcpt), str(self.rcpt.forward_path.mailbox)
        reply = self.reply
        lines = [
            f"Original-Recipient: {original.kind};{original.address}" if original else "",
            f"Final-Recipient: {'rfc822' if address.isascii() else 'utf-8'};{address}",
            f"Action: {self.action}",
            f"Status: {reply.enhanced or f'{reply.code // 100}.0.0'}",
            f"Remote-MTA: dns;{self.server}" if self.server else "",
            f"Diagnostic-Code: smtp;{self.said}" if self.server else "",
        ]
        return "".join(f"{line}\n" for line in lines if line)


def notification(
    host: str, mail: Mail, content: bytes, reports: list[Report]
) -> tuple[Envelope, bytes]:
    """Return a message that tells the sender of another what became of it."""
    sender = mail.reverse_path.mailbox
    assert sender is not None, "the null reverse-path gets no notification"
    failed = any(report.action == "failed" for report in reports)
    secret, ret, envid = mail.get(ext.RequireTlsParameter), mail.get(ext.Ret), mail.get(ext.Envid)
    # With REQUIRETLS the header goes back without the body (RFC 8689 section 5).
    full = failed and ret is not None and ret.full and secret is None
    header = content.partition(b"\r\n\r\n")[0] + b"\r\n"
    first = f"Original-Envelope-Id: {envid.text}\n" if envid is not None else ""
    fields = "\n".join([first, *(report.fields for report in reports)])
    text = "".join(f"{each.rcpt.forward_path} {each.action}: {each.said}\n" for each in reports)
    utf8 = not (header.isascii() and f"{fields}{sender}".isascii())
    kinds = ("text/rfc822-headers", "message/rfc822", "message/global-headers", "message/global")
    boundary = secrets.token_hex(16)
    top = MESSAGE.format(
        host=host,
        sender=sender,
        action="was not delivered" if failed else "is on its way",
        date=format_datetime(localtime()),
        id=make_msgid(domain=host),
        boundary=boundary,
        text=text,
        utf8="global-" if utf8 else "",
        fields=fields,
        returned=kinds[2 * utf8 + full],
    )
    parameters = (*((secret,) if secret else ()), *((ext.SmtpUtf8Parameter(),) if utf8 else ()))
    envelope = Envelope(Mail(ReversePath.of(""), parameters), (Rcpt(ForwardPath(sender)),))
    octets = top.replace("\n", "\r\n").encode() + (content if full else header)
    return envelope, octets + f"\r\n--{boundary}--\r\n".encode()


def main() -> None:
    mail = Mail(ReversePath.of("eve@example.org"), (ext.Envid.of("invitation 7"), ext.Ret("HDRS")))
    bob = Rcpt(ForwardPath.of("bob@example.com"), (ext.Orcpt.of("bobby@example.net"),))
    report = Report(bob, Reply(550, "5.1.1", "no such user"), "mx.example.com")
    envelope, octets = notification("relay.example", mail, b"Subject: hello\r\n\r\nhi", [report])
    print("\n".join(envelope.lines()))
    print(octets.decode().replace("\r\n", "\n"))


if __name__ == "__main__":
    main()
