r"""Hosts and domains that accept no mail: reply codes 521 and 556, RFC 7504.

After a greeting of 521 a server accepts only QUIT.  The table of states calls this
`State.REFUSED`:

    >>> from smtpproto import Server
    >>> server = Server("www.example")
    >>> server.send(HOST_ACCEPTS_NO_MAIL)
    >>> server.data_to_send()
    b'521 Host does not accept mail\r\n'
"""

from __future__ import annotations

from .replies import Reply

__all__ = ["DOMAIN_ACCEPTS_NO_MAIL", "HOST_ACCEPTS_NO_MAIL"]

HOST_ACCEPTS_NO_MAIL = Reply(521, "5.3.2", "Host does not accept mail")
"""The greeting of a host that never accepts mail (section 3)."""

DOMAIN_ACCEPTS_NO_MAIL = Reply(556, "5.1.10", "Domain does not accept mail")
"""The reply to RCPT if a relay knows that the recipient's domain accepts no mail, such as from a
null MX (RFC 7505); section 4."""
