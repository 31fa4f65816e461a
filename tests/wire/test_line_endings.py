"""Which octets hold a CR or LF that is not part of a CRLF."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from smtpproto.wire.line_endings import is_clean

BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
PIECES = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b".", b"\0"])).map(b"".join)
# Which way `is_clean` goes depends on how many lines the octets begin with.
BEGINNINGS = st.sampled_from([b"", b"\r\n" * 100, b"x" * 1100, (b"x" * 76 + b"\r\n") * 20])


@given(BEGINNINGS, PIECES)
def test_clean_is_what_has_no_bare_cr_and_lf(beginning: bytes, octets: bytes) -> None:
    octets = beginning + octets
    assert is_clean(octets) == (BARE.search(octets) is None)
