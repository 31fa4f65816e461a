"""Asks a name server, and is one on loopback for the other examples and for tests.

Run it as `python -m examples.names`; it needs dnspython (`smtpproto-sansio[dns]`).
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator, Mapping

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

Resolver = dns.resolver.Resolver
HOST = "127.0.0.1"


class NotNow(Exception):
    """DNS gave no certain answer, so the message has to wait."""


def look_up(resolver: Resolver, name: str, kind: str) -> dns.resolver.Answer | None:
    """An answer of DNS; None if it is certain that there are no such records."""
    try:
        wanted = dns.name.from_text(name)
    except (dns.exception.DNSException, UnicodeError):
        return None  # DNS can have no such name
    try:
        return resolver.resolve(wanted, kind)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    except dns.exception.DNSException as error:
        raise NotNow(f"{kind} of {name}: {error}") from error


# --- a name server on loopback ----------------------------------------------------------------

Records = str | list[str] | dns.rcode.Rcode | None
"""The records of a name and type as text, or a response code such as SERVFAIL, or None: silence."""


class _Zone:
    """What both servers answer from."""

    def __init__(self, zone: Mapping[tuple[str, str], Records]) -> None:
        self.zone = zone

    def answer(self, wire: bytes, most: int | None) -> bytes | None:
        """The answer to a query; over UDP, a long one says that TCP is needed."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True).lower()
        records = self.zone.get((name, kind), [])
        if records is None:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if isinstance(records, dns.rcode.Rcode):
            reply.set_rcode(records)
        elif records:
            texts = [records] if isinstance(records, str) else records
            reply.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, texts))
        elif not any(f".{known}".endswith(f".{name}") for known, _ in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if not name.endswith("unsigned.example"):
            reply.flags |= dns.flags.AD
        try:
            return reply.to_wire(max_size=most or 65535)
        except dns.exception.TooBig:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()


class _Udp(socketserver.BaseRequestHandler):
    server: _UdpServer

    def handle(self) -> None:
        query, sock = self.request
        # What a client can take it says in EDNS (RFC 6891 section 6.2.3); this is the least.
        wire = self.server.zone.answer(query, 512)
        if wire is not None:
            sock.sendto(wire, self.client_address)


class _Tcp(socketserver.StreamRequestHandler):
    server: _TcpServer

    def handle(self) -> None:
        while length := self.rfile.read(2):
            wire = self.server.zone.answer(self.rfile.read(int.from_bytes(length, "big")), None)
            if wire is not None:
                self.wfile.write(len(wire).to_bytes(2, "big") + wire)


class _UdpServer(socketserver.UDPServer):
    zone: _Zone


class _TcpServer(socketserver.ThreadingTCPServer):
    zone: _Zone
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def name_server(zone: Mapping[tuple[str, str], Records]) -> Iterator[Resolver]:
    """A name server with these records, by name and type, and a resolver that asks it.

    It says that DNSSEC has signed all answers, but for those below `unsigned.example`.
    """
    with _listening() as (udp, tcp):
        udp.zone = tcp.zone = _Zone(zone)
        threads = [
            threading.Thread(target=server.serve_forever, args=(0.02,)) for server in (udp, tcp)
        ]
        for thread in threads:
            thread.start()
        try:
            yield resolver_at(f"{HOST}:{udp.server_address[1]}")
        finally:
            udp.shutdown()
            tcp.shutdown()
            for thread in threads:
                thread.join()


@contextlib.contextmanager
def _listening() -> Iterator[tuple[_UdpServer, _TcpServer]]:
    """A server for each protocol, on the same port."""
    while True:
        with _UdpServer((HOST, 0), _Udp) as udp:
            try:
                tcp = _TcpServer((HOST, udp.server_address[1]), _Tcp)
            except OSError:
                continue
            with tcp:
                yield udp, tcp
            return


def resolver_at(address: str) -> Resolver:
    """A resolver that asks the name server at an address and port, or the system's if it is empty.

    It asks whether DNSSEC has signed an answer.
    """
    resolver = Resolver(configure=not address)
    if address:
        host, _, port = address.partition(":")
        resolver.nameservers, resolver.port = [host], int(port or 53)
    resolver.use_edns(0, dns.flags.DO, 1232)
    resolver.flags = dns.flags.RD | dns.flags.AD
    return resolver


def main() -> None:
    zone: dict[tuple[str, str], Records] = {
        ("example.org", "MX"): ["10 mx1.example.org.", "20 mx2.example.org."],
        ("example.org", "TXT"): f'"{"long " * 50}" "{"longer " * 36}"',
        ("broken.example", "MX"): dns.rcode.SERVFAIL,
    }
    with name_server(zone) as resolver:
        for name, kind in [*zone, ("example.net", "MX")]:
            try:
                answer = look_up(resolver, name, kind)
            except NotNow as error:
                print(name, kind, "is not known now:", type(error.__cause__).__name__)
            else:
                print(name, kind, [f"{record}"[:24] for record in answer or ()])


if __name__ == "__main__":
    main()
