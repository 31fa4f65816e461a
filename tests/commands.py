"""Commands that many tests send."""

from __future__ import annotations

from bisect import bisect

from smtpproto import Domain, ForwardPath, Mail, Parameter, Rcpt, ReversePath
from smtpproto.extensions import Extension
from smtpproto.testing import Pair

CLIENT = Domain("client.example")


def mail(*parameters: Parameter) -> Mail:
    return Mail(ReversePath.of("a@client.example"), parameters)


def rcpt(*parameters: Parameter) -> Rcpt:
    return Rcpt(ForwardPath.of("b@mx.example"), parameters)


def longest_line(verb: str, *extensions: Extension) -> int:
    """The octets of the longest line with this verb that a server reads, CRLF included."""
    pair = Pair.offering(*extensions).hello()

    def too_long(octets: int) -> bool:
        return pair.raw(f"{verb} ".ljust(octets - 2, "x")).startswith("500 ")

    return bisect(range(3000), False, lo=300, key=too_long) - 1
