"""Preparation of user names and passwords: SASLprep (RFC 4013), and the trace profile (RFC 4505).

Both are profiles of stringprep (RFC 3454) and use Unicode 3.2, not Python's newer version.
"""

from __future__ import annotations

import stringprep
from collections.abc import Callable
from unicodedata import ucd_3_2_0 as unicode_3_2

from .errors import SASLError

__all__ = ["check_trace", "prepare"]

Table = Callable[[str], bool]

# RFC 4505 section 3.
TRACE_PROHIBITS: tuple[Table, ...] = (
    stringprep.in_table_c21_c22,  # control characters
    stringprep.in_table_c3,  # private use
    stringprep.in_table_c4,  # no characters at all
    stringprep.in_table_c5,  # surrogates
    stringprep.in_table_c6,  # not for plain text
    stringprep.in_table_c8,  # changes how others are displayed
    stringprep.in_table_c9,  # tags
)

# RFC 4013 section 2.3.
PROHIBITS: tuple[Table, ...] = (
    *TRACE_PROHIBITS,
    stringprep.in_table_c12,  # spaces other than U+0020
    stringprep.in_table_c7,  # not for canonical representation
)


def prepare(text: str, *, stored: bool = False) -> str:
    """Prepare a user name or password for comparison (RFC 4013 section 2).

    Arguments:
        text: the text.  The caller must bound its length, because reordering combining characters
            takes quadratic time.
        stored: whether it is a "stored string", which must not hold code points that Unicode 3.2
            does not assign (RFC 3454 section 7); otherwise it is a "query".

    Raises:
        SASLError: a character is prohibited, or the prepared text is empty.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicode_3_2.normalize("NFKC", mapped)
    _check(prepared, PROHIBITS, "RFC 4013 section 2.3")
    if stored:
        _check(prepared, (stringprep.in_table_a1,), "RFC 4013 section 2.5")
    _check_directions(prepared)
    if not prepared:
        raise SASLError("SASLprep: nothing is left of the text (RFC 4013)")
    return prepared


def check_trace(text: str) -> None:
    """Refuse trace information with prohibited characters (RFC 4505 section 3).

    Raises:
        SASLError: a character is prohibited.
    """
    _check(text, TRACE_PROHIBITS, "RFC 4505 section 3")
    _check_directions(text)


def _check(text: str, tables: tuple[Table, ...], section: str) -> None:
    for index, character in enumerate(text):
        if any(table(character) for table in tables):
            raise SASLError(f"a prohibited character stands at index {index} ({section})")


def _check_directions(text: str) -> None:
    """Check that the text is right-to-left as a whole or not at all (RFC 3454 section 6)."""
    if any(map(stringprep.in_table_d1, text)):
        mixed = any(map(stringprep.in_table_d2, text))
        ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
        if mixed or not ends:
            raise SASLError("the text mixes directions of writing (RFC 3454 section 6)")
