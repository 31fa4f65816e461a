"""White space is the space and the tab, for a lenient server too; some programs know more of it."""

from __future__ import annotations

import pytest

from smtpproto import Need, Rejected, Server, Session, Syntax
from smtpproto.extensions import Burl, BurlCommand, EightBitMime, Size, SmtpUtf8

OTHERS = ["\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u3000"]


@pytest.mark.parametrize("white", OTHERS)
@pytest.mark.parametrize(
    "line", ["MAIL FROM:<a@b>  SIZE=1{}BODY=8BITMIME", "MAIL{0}FROM:<a@b>", "EHLO a.b{}c.d"]
)
def test_what_only_python_takes_for_white_space(line: str, white: str) -> None:
    server = Server("mx", [SmtpUtf8(), EightBitMime(), Size()], syntax=Syntax.LENIENT)
    server.accept()
    server.receive_data(f"EHLO a.b\r\n{line.format(white)}\r\n".encode())
    server.next_event()
    server.accept()
    assert isinstance(server.next_event(), Rejected)
    assert server.next_event() is Need.DATA


@pytest.mark.parametrize(
    "escaped, user", [("%C3%B6", "ö"), ("h%61rry", "harry"), ("%C3%83%C2%B6", "Ã¶"), ("%F6", None)]
)
def test_a_url_is_for_the_user_whose_name_it_holds_in_utf8(escaped: str, user: str | None) -> None:
    """Read as Latin-1, the URL of one user is that of another."""
    burl = BurlCommand(f"imap://host/x;URLAUTH=submit+{escaped}:internal:1", last=True)
    for name in ("ö", "harry", "Ã¶", "\N{REPLACEMENT CHARACTER}"):
        refusal = Burl().demand(burl, Session(identity=name))
        assert (refusal is None) is (name == user)
