"""A relay: it accepts mail, keeps it in a queue on disk, and delivers it.

    python -m examples.relay serve queue.db --hostname relay.example
    python -m examples.relay queue queue.db

It needs dnspython and cryptography (`smtpproto-sansio[dns]`).
"""

from __future__ import annotations

import argparse
import logging
import signal
import time
from pathlib import Path

from dns.resolver import LRUCache

from examples.dane_and_mta_sts import Ways
from examples.names import resolver_at
from smtpproto import ForwardPath, sync
from smtpproto.sync import TrustedNetworks, server_context

from .attempt import Routes
from .delivery import Deliverer, Schedule
from .reception import EXTENSIONS, Reception
from .store import Store


def serve(options: argparse.Namespace) -> None:
    """Accept and deliver until a signal comes."""
    # All threads inherit this, so that `sigwait` gets the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    name = options.hostname
    resolver = resolver_at(options.dns)
    resolver.cache = LRUCache()
    tls = server_context(options.certificate) if options.certificate else None
    store, routes = Store(options.queue), Routes(Ways(resolver, options.port, myself=name))
    schedule = Schedule(first=options.first, lifetime=options.lifetime)
    deliverer = Deliverer(store, routes, name, schedule)
    try:
        postmaster = ForwardPath.of(options.postmaster or f"postmaster@{name}")
        networks = TrustedNetworks(options.network)
        handler = Reception(store, resolver, networks, options.domain, postmaster, deliverer.wake)
        where = {"host": options.host, "port": options.listen, "hostname": name}
        with sync.serve(handler, tls_context=tls, extensions=EXTENSIONS, **where) as server:
            print(f"listening on {options.host}:{server.port}", flush=True)
            signal.sigwait({signal.SIGTERM, signal.SIGINT})
    finally:
        deliverer.stop()  # its thread would hold up the end
        routes.close()
        store.close()


def queue(options: argparse.Namespace) -> None:
    """Show what waits."""
    now = time.time()
    for row in Store(options.queue).listing():
        print(f"{row['message']}: {row['octets']} octets, {now - row['arrived']:.0f} s old")
        print(f"  {row['mail']}\n  {row['rcpt']}")
        print(f"  {row['tries']} attempts, next in {row['due'] - now:.0f} s: {row['last'] or '-'}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.relay", description="A relay.")
    add = parser.add_argument
    add("verb", choices=["serve", "queue"], help="run the relay, or show its queue")
    add("queue", type=Path, help="the file that holds the queue")
    add("--host", default="127.0.0.1", help="the address to listen on")
    add("--listen", type=int, default=2525, help="the port to listen on")
    add("--hostname", default="localhost", help="the name of this relay")
    add("--network", action="append", default=["127.0.0.0/8"], help="clients to relay for")
    add("--domain", action="append", default=[], help="a domain to relay to for all clients")
    add("--postmaster", help="who reads mail for <postmaster>")
    add("--certificate", type=Path, help="a PEM file with a certificate and its key")
    add("--dns", default="", help="address and port of a name server")
    add("--port", type=int, default=25, help="the port of other servers")
    add("--first", type=float, default=300, help="seconds before the second attempt")
    add("--lifetime", type=float, default=432000, help="seconds before the relay gives up")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    serve(options) if options.verb == "serve" else queue(options)


if __name__ == "__main__":
    main()
