"""A session, followed from outside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smtpproto.cli.dialogue import Dialogue, Kind, Piece

# What is said, in turns: C for the client, S for the server.
SESSION: list[tuple[str, bytes]] = [
    ("S", b"220-mx\r\n220 mx\r\n"),
    ("C", b"EHLO me\r\n"),
    ("S", b"250-mx\r\n250 AUTH PLAIN\r\n"),
    ("C", b"AUTH PLAIN\r\n"),
    ("S", b"334 \r\n"),
    ("C", b"c2VjcmV0\r\n"),
    ("S", b"235 yes\r\n"),
    ("C", b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\nDATA\r\n"),
    ("S", b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"),
    ("C", b"QUIT\r\n..\r\n.\r\n"),
    ("S", b"250 queued\r\n"),
    ("C", b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nBDAT 7\r\nQUIT\r\n\nBDAT 2 LAST\r\n\r\n"),
    ("S", b"250 ok\r\n250 ok\r\n250 7\r\n250 queued\r\n"),
    ("C", b"FOO\r\nQUIT\r\n"),
    ("S", b"500 what?\r\n221 bye\r\n"),
]


def told(cut: int = 1 << 20) -> tuple[list[Piece], list[int]]:
    """The pieces, and the replies that were due after each turn."""
    dialogue = Dialogue()
    pieces, due = [], []
    for sender, octets in SESSION:
        take = dialogue.client if sender == "C" else dialogue.server
        for start in range(0, len(octets), cut):
            pieces += take(octets[start : start + cut])
        due.append(dialogue.due)
    return pieces, due


def test_what_each_line_is() -> None:
    pieces, due = told()
    kinds = [piece.kind for piece in pieces]
    assert kinds.count(Kind.COMMAND) == 12
    assert kinds.count(Kind.RESPONSE) == kinds.count(Kind.CHALLENGE) == kinds.count(Kind.END) == 1
    assert [p.octets for p in pieces if p.kind is Kind.CONTENT] == [
        b"QUIT",
        b"..",
        b"QUIT\r\n\n",
        b"\r\n",
    ]
    assert [(piece.verb, piece.code) for piece in pieces if piece.code] == [
        ("greeting", 220),
        ("EHLO", 250),
        ("AUTH", 334),
        ("AUTH", 235),
        ("MAIL", 250),
        ("RCPT", 250),
        ("RCPT", 550),
        ("DATA", 354),
        ("content", 250),
        ("MAIL", 250),
        ("RCPT", 250),
        ("content", 250),
        ("content", 250),
        ("FOO", 500),
        ("QUIT", 221),
    ]
    assert due == [0, 1, 0, 1, 0, 1, 0, 4, 0, 1, 0, 4, 0, 2, 0]


@given(st.integers(1, 30))
def test_segments_make_no_difference(cut: int) -> None:
    whole, due = told()
    cut_up, due_in_parts = told(cut)
    assert due_in_parts == due

    def joined(pieces: list[Piece]) -> list[tuple[Kind, bytes]]:
        found: list[tuple[Kind, bytes]] = []
        for piece in pieces:
            if not piece.ended and found and found[-1][0] is Kind.CONTENT:
                found[-1] = (Kind.CONTENT, found[-1][1] + piece.octets)
            else:
                found.append((piece.kind, piece.octets))
        return found

    assert joined(cut_up) == joined(whole)


def test_secrets_are_not_shown() -> None:
    dialogue = Dialogue(greeted=True)
    (command,) = dialogue.client(b"auth PLAIN c2VjcmV0\r\n")
    assert command.shown == b"auth PLAIN (response)"
    (challenge,) = dialogue.server(b"334 c2VjcmV0\r\n")
    assert challenge.shown == b"334 (challenge)"
    (response,) = dialogue.client(b"c2VjcmV0\r\n")
    assert response.shown == b"(response)"


def test_lmtp_has_a_reply_for_each_recipient() -> None:
    dialogue = Dialogue(lmtp=True, greeted=True)
    dialogue.client(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\nRCPT TO:<d@b>\r\nDATA\r\n")
    dialogue.server(b"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n")
    dialogue.client(b"x\r\n.\r\n")
    assert dialogue.due == 2


def test_tls_forgets_what_came_before() -> None:
    dialogue = Dialogue(greeted=True)
    dialogue.client(b"STARTTLS\r\nNOOP\r\nhalf")
    assert dialogue.due == 2
    dialogue.tls_established()
    assert dialogue.due == 0
    assert dialogue.client(b"EHLO me\r\n") == [Piece(Kind.COMMAND, b"EHLO me")]
