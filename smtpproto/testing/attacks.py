r"""The octets of published attacks, as data for tests of any server or client.

- SMTP smuggling: SEC Consult, "SMTP Smuggling" (2023), and the advisories after it, such as
  CVE-2023-51764 (Postfix), CVE-2023-51765 (sendmail) and CVE-2023-51766 (Exim).
- STARTTLS injection: CVE-2011-0411 for servers, CVE-2020-15685 for clients, and Poddebniak et al.,
  "Why TLS Is Better Without STARTTLS" (2021).
- CR/LF injection: Terada, "SMTP Injection via Recipient Email Addresses" (2015).

The neighbours of what was published are here, too.  `smtpproto.testing.attack_tests` runs them
against a server.

    >>> b"\n.\r\n" in SMUGGLING
    True
"""

from __future__ import annotations

from itertools import product

__all__ = ["ARGUMENTS", "BEHIND_STARTTLS", "BEHIND_STARTTLS_REPLY", "LINE_ENDS", "SMUGGLING"]

_END_OF_CONTENT = b"\r\n.\r\n"
_ENDS = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r", b"\n\n", b"\r\r")
_AROUND_A_DOT = (before + b"." + after for before, after in product(_ENDS, _ENDS))

SMUGGLING: tuple[bytes, ...] = (
    *(octets for octets in _AROUND_A_DOT if _END_OF_CONTENT not in octets),
    *(b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\0\n", b"\r\0\n.\r\n", b"\0\r\n.\0\r\n"),
    *(b"\n\0.\n", b"\n.\0\n", b"\r\0.\r"),
    *(b"\r\n. \r\n", b"\r\n .\r\n", b"\r\n.\t\r\n", b"\r\n..\r\n", b"\r\n.\x0b\r\n", b"\r\n.\x85"),
    *(b"\r\n.\x0c\r\n", b"\r\n\x1a.\r\n", b"\r\n.", b"\n."),
    b"\xe2\x80\xa8.\xe2\x80\xa8",
)
"""What is not the end of content, and was taken for it, or nearly so (RFC 5321 section 4.1.1.4)."""

LINE_ENDS: tuple[bytes, ...] = (b"\n", b"\r", b"\r\r", b"\n\r", b"\0\r", b"\0\n")
"""What does not end a command line (RFC 5321 section 2.3.8)."""

BEHIND_STARTTLS: tuple[bytes, ...] = (
    b"RSET\r\n",
    b"NOOP\r\nNOOP\r\n",
    b"MAIL FROM:<m@evil.example>\r\n",
    b"EHLO evil.example\r\nMAIL FROM:<m@evil.example>\r\nRCPT TO:<postmaster>\r\nDATA\r\n",
    b"M",
    b"\r\n",
)
"""What a man in the middle puts behind STARTTLS, in plain text (RFC 3207 section 6)."""

BEHIND_STARTTLS_REPLY: tuple[bytes, ...] = (
    b"250 evil\r\n",
    b"250-evil\r\n250 AUTH PLAIN\r\n",
    b"235 2.7.0 Authentication successful\r\n",
    b"2",
)
"""What a man in the middle puts behind the reply 220 to STARTTLS, in plain text."""

ARGUMENTS: tuple[str, ...] = (
    "a@example.com>\r\nRCPT TO:<victim@example.com",
    "a@example.com\r\nDATA\r\nSubject: spam\r\n\r\nspam\r\n.\r\nQUIT\r\n",
    "a@example.com\nRSET",
    "a@example.com\rRSET",
    '"a\r\nRSET\r\n"@example.com',
    "a@example.com>\0",
    "\r\nQUIT",
    "a@example.com\r\n",
)
"""Arguments that become a command of their own where a client does not check them."""
