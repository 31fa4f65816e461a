"""One attempt to deliver a message to its recipients in one domain, over used connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from examples.dane_and_mta_sts import NoWay, Ways
from examples.names import NotNow
from smtpproto import LocalProtocolError, Mail, Offered, Parameter, ProtocolError, Rcpt, Reply
from smtpproto import extensions as ext
from smtpproto.conversations import Status
from smtpproto.sync import Envelope, Pool, SMTPError, TLSError, TLSMode

from .store import Job, Work

FRESH = 300  # seconds for which the relay goes by what DNS said
Route = list[tuple[str, Pool, bool]]
"""A mail exchanger, connections to an address of it, whether they are for when TLS has failed."""

TLS_FAILED = "4.7.5"
NO_REQUIRETLS = Reply(550, "5.7.30", "REQUIRETLS support required")
# The client itself adds those of the first line, as the content needs them.
UNSUITED: dict[type[ext.Extension], tuple[type[Parameter], ...]] = {
    ext.Extension: (ext.SizeParameter, ext.Body),
    ext.SmtpUtf8: (ext.SmtpUtf8Parameter,),
    ext.Dsn: (ext.Ret, ext.Envid, ext.Notify, ext.Orcpt),
    ext.RequireTls: (ext.RequireTlsParameter,),
}


@dataclass
class Routes:
    """The ways to all domains, with connections."""

    ways: Ways
    known: dict[tuple[str, bool], tuple[float, Route]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def to(self, domain: str, *, verified: bool) -> Route:
        """The way to a domain, as `Ways.to` finds it and with its errors."""
        key, now = (domain, verified), time.monotonic()
        until, route = self.known.get(key, (0.0, []))
        if now < until:
            return route
        ways = self.ways.to(domain, verified=verified)
        route = [
            (each.server_hostname or domain, Pool(**vars(each)), each.tls is TLSMode.NONE)
            for each in ways
        ]
        with self.lock:
            old = [each for each, (until, _) in self.known.items() if until <= now]
            closing = [self.known.pop(each)[1] for each in old]
            # Another thread may have been faster.
            _, route = self.known.setdefault(key, (now + FRESH, route))
        close(closing)
        return route

    def close(self) -> None:
        close(route for _, route in self.known.values())


def close(routes: Iterable[Route]) -> None:
    """Close idle connections; others close when they come back."""
    for _, each, _ in chain.from_iterable(routes):
        with suppress(Exception):
            each.close()


class Attempt(NamedTuple):
    """What came of it."""

    replies: list[Reply]  # for each recipient; one of our own if no server gave one
    server: str = ""  # the server that replied, if there is one
    notifies: bool = True  # whether it sends delivery status notifications


def attempt(routes: Routes, job: Job, work: Work) -> Attempt:
    """Try to deliver, at one mail exchanger after the other."""
    mail, everyone = work.envelope.mail, len(work.numbers)
    # A notification goes on without REQUIRETLS, too (RFC 8689 section 5).
    verified = bool(mail.get(ext.RequireTlsParameter) and mail.reverse_path.mailbox)
    try:
        route = routes.to(job[1], verified=verified)
    except NoWay as error:
        return Attempt([error.args[0]] * everyone)
    except NotNow as error:
        return Attempt([made_up(451, "4.4.3", error)] * everyone)
    refusals: list[Reply] = []
    server = ""
    for server, pool, without_tls in route:
        if without_tls and TLS_FAILED not in {each.enhanced for each in refusals}:
            continue
        try:
            with pool.connection() as client:
                if verified and ext.RequireTls not in client.offered:
                    refusals.append(NO_REQUIRETLS)
                    continue
                envelope = suited(work.envelope, client.offered)
                outcomes = client.send(envelope, work.content).outcomes
                # Without a reply, the relay has to try again.
                replies = [each.reply or made_up(451, "4.4.2", each.reason) for each in outcomes]
                # The next server may have it only if this one has none of it.
                if any(outcome.status is not Status.FAILED for outcome in outcomes):
                    return Attempt(replies, server, ext.Dsn in client.offered)
                refusals.append(replies[0])
        except LocalProtocolError as error:
            refusals.append(made_up(554, error.enhanced or "5.6.0", error))
        except TLSError as error:
            refusals.append(made_up(*((550, "5.7.10") if verified else (451, TLS_FAILED)), error))
        except (OSError, SMTPError, ProtocolError) as error:
            said: Reply | None = getattr(error, "reply", None)
            refusals.append(said if said and said.negative else made_up(451, "4.4.1", error))
    # What one server refuses for now, it may take later.
    last = next((each for each in refusals if not each.permanent), refusals[-1])
    return Attempt([last] * everyone, server)


def suited(envelope: Envelope, offered: Offered) -> Envelope:
    """Return the envelope without parameters that the server does not know."""
    unsuited = tuple(p for kind in UNSUITED.keys() - offered.kinds for p in UNSUITED[kind])

    def keep(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
        return tuple(each for each in parameters if not isinstance(each, unsuited))

    mail = Mail(envelope.reverse_path, keep(envelope.mail.parameters))
    rcpts = [Rcpt(rcpt.forward_path, keep(rcpt.parameters)) for rcpt in envelope.recipients]
    return Envelope(mail, tuple(rcpts))


def made_up(code: int, enhanced: str, reason: object) -> Reply:
    """Return a reply of our own."""
    words = "".join(each if each.isprintable() else " " for each in str(reason)).split()
    return Reply(code, enhanced, " ".join(words)[:400])
