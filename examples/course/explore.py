"""Exercise 2: explore a server's greeting and extensions by hand.

Run it as `python3 -m examples.course.explore HOST:PORT`; without an argument it explores a server
of its own.  `python3 -m smtpproto probe HOST:PORT` does the same with more care.
"""

from __future__ import annotations

import ssl
import sys
from dataclasses import dataclass

from examples.course.basic_client import BasicClient
from examples.course.server import serve

# What the usual keywords mean, and where to read on.
MEANINGS = {
    "SIZE": "the largest message in octets (RFC 1870)",
    "8BITMIME": "content may have octets above 127 (RFC 6152)",
    "PIPELINING": "the client may send commands without waiting for replies (RFC 2920)",
    "ENHANCEDSTATUSCODES": "replies have a second, finer code such as 5.1.1 (RFC 2034)",
    "STARTTLS": "the client may turn TLS on (RFC 3207)",
    "AUTH": "the client may log in, by these mechanisms (RFC 4954)",
    "DSN": "the client may ask for delivery status notifications (RFC 3461)",
    "SMTPUTF8": "addresses and header fields may be UTF-8 (RFC 6531)",
    "CHUNKING": "content may come in counted chunks, by BDAT (RFC 3030)",
    "BINARYMIME": "content may be any octets, with BDAT only (RFC 3030)",
    "HELP": "the server has a text that helps (RFC 5321 section 4.1.1.8)",
    "VRFY": "the client may ask whether a user exists (RFC 5321 section 4.1.1.6)",
    "ETRN": "the client may ask for mail that waits for it (RFC 1985)",
    "XCLIENT": "a proxy may say who its client is (Postfix)",
    "XFORWARD": "a filter may say who its client is (Postfix)",
}


@dataclass
class Explored:
    """What a server said.

    Arguments:
        greeting: the text of its greeting.
        offered: its extensions: keyword, and arguments.
        within_tls: the same inside TLS; None if it does not offer STARTTLS.
    """

    greeting: str
    offered: dict[str, str]
    within_tls: dict[str, str] | None = None


def explore(host: str, port: int) -> Explored:
    """Say EHLO, and read the reply: the server's name, and then one extension for each line."""
    with BasicClient(host, port) as client:
        greeting = client.greeting.lines[0]
        found = Explored(greeting, extensions(client.hello("client.example.org").lines))
        if "STARTTLS" in found.offered:
            client.need("STARTTLS", 2)
            begin_tls(client)
            # Within TLS the session begins again, with EHLO (RFC 3207 section 4.2).
            found.within_tls = extensions(client.hello("client.example.org").lines)
        client.quit()
    return found


def extensions(lines: list[str]) -> dict[str, str]:
    """Keyword and arguments of each line but the first (RFC 5321 section 4.1.1.1)."""
    keywords = {}
    for line in lines[1:]:
        keyword, _, arguments = line.partition(" ")
        # The letter case of keywords does not matter (section 2.4).
        keywords[keyword.upper()] = arguments
    return keywords


def begin_tls(client: BasicClient) -> None:
    """Do the handshake.

    We only look, so we do not check the certificate.  A client that sends mail or a password must.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.replies.close()
    client.socket = context.wrap_socket(client.socket)
    client.replies = client.socket.makefile("rb")
    client.show("   (TLS begins)")


def show(found: Explored) -> None:
    print(f"\nThe server says of itself: {found.greeting}")
    for title, offered in [("It offers:", found.offered), ("Within TLS:", found.within_tls)]:
        if offered is not None:
            print(title)
            for keyword, arguments in offered.items():
                meaning = MEANINGS.get(keyword, "not in our list: look it up")
                print(f"  {keyword} {arguments}".rstrip() + f": {meaning}")


def main() -> None:
    if sys.argv[1:]:
        host, _, port = sys.argv[1].rpartition(":")
        show(explore(host, int(port)))
    else:
        with serve() as server:
            show(explore("127.0.0.1", server.port))


if __name__ == "__main__":
    main()
