"""Strategies for replies."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from ...vocabulary.replies import Reply

__all__ = ["replies"]

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
