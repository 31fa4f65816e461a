"""Strategies for replies, correct ones and those of a hostile server."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from ...vocabulary.replies import Reply, format_reply
from .made_once import made_once
from .octets import Octets, mutated

__all__ = ["hostile_replies", "replies"]

_USUAL = [220, 221, 235, 250, 251, 252, 334, 354, 421, 450, 451, 452, 500, 501, 503, 550, 554]


def replies(
    *, classes: Iterable[int] = (2, 3, 4, 5), smtputf8: bool = False
) -> st.SearchStrategy[Reply]:
    """Replies: any code, with or without an enhanced status code, of one to four lines.

    Arguments:
        classes: the first digits of the codes.
        smtputf8: whether the text may have characters outside ASCII.
    """
    return _replies(sorted(classes), smtputf8=smtputf8)


# A server that is broken, that attacks, or that is no SMTP server.
_HOSTILE = [
    b"250 OK\n",
    b"250 OK\r",
    b"250 OK",
    b"250\r\n",
    b"250OK\r\n",
    b"250\tOK\r\n",
    b"\r\n",
    b"OK\r\n",
    b"25 OK\r\n",
    b"2500 OK\r\n",
    b"000 OK\r\n",
    b"100 OK\r\n",
    b"600 OK\r\n",
    b"-50 OK\r\n",
    b"250-one\r\n550 other\r\n",
    b"250-one\r\n250two\r\n",
    b"250-never ended\r\n",
    b"250 O\0K\r\n",
    b"250 \xff\xfe\r\n",
    b"250 \xe2\x80\xa8\r\n",
    b"250 9.9.9 OK\r\n",
    b"334 !not base64!\r\n",
    b"334 \r\n",
    b"421 bye\r\n250 OK\r\n",
    b"250-mx.example\r\n250-SIZE x\r\n250-SIZE 1\r\n250-AUTH \r\n250 \r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02\x28",
    b"250-more\r\n" * 600,
    b"250 " + b"x" * 3000 + b"\r\n",
    b"x" * 10_000,
]
_GOOD = [
    b"250 OK\r\n",
    b"354 go\r\n",
    b"220 mx.example ESMTP\r\n",
    b"250-mx.example\r\n250-8BITMIME\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 STARTTLS\r\n",
    b"334 dXNlcg==\r\n",
    b"235 2.7.0 Authentication successful\r\n",
    b"221 bye\r\n",
    b"421 bye\r\n",
]


@made_once
def hostile_replies(*, most: int = 6) -> st.SearchStrategy[bytes]:
    """The octets of a server that is hostile, broken, or no SMTP server.

    Correct replies without a command, codes out of range, lines that do not end or never stop,
    bare CR and LF, NUL, octets above 127, and damage (`mutated`) of all of them.  The simplest is
    `250 OK`.

    Arguments:
        most: the most replies.
    """
    written = replies().map(
        lambda reply: b"\r\n".join(format_reply(reply, "", enhanced=True)) + b"\r\n"
    )
    pieces = st.sampled_from(_GOOD) | written | st.sampled_from(_HOSTILE) | st.binary(max_size=30)
    several = st.lists(pieces, max_size=most).map(b"".join)
    return st.just(Octets(_GOOD[0])) | several.map(Octets) | mutated(several)


@st.composite
def _replies(draw: st.DrawFn, classes: list[int], *, smtputf8: bool) -> Reply:
    first = draw(st.sampled_from(classes))
    usual = [code for code in _USUAL if code // 100 == first]
    code = draw(st.sampled_from(usual) | st.integers(0, 59).map(lambda rest: first * 100 + rest))
    enhanced = ""
    if first != 3 and draw(st.booleans()):
        subject, detail = draw(st.integers(0, 7)), draw(st.integers(0, 999))
        enhanced = f"{first}.{subject}.{detail}"
    printable = st.characters(min_codepoint=32, max_codepoint=126)
    if smtputf8:
        printable = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
    text = st.text(printable, max_size=40)
    return Reply(code, enhanced, "\n".join(draw(st.lists(text, min_size=1, max_size=4))))
