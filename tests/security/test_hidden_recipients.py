"""Nobody but the sender sees whom Bcc names, whatever the lines of the header end with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LineEndings
from smtpproto.conversations.client.message import without_bcc
from smtpproto.wire import DotEncoder

HEADER = b"From: a@b\nBcc: x@y,\n z@w\nTo: c@d\nRESENT-BCC : q@r\n\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_bcc_is_left_out(end: bytes) -> None:
    header = HEADER.replace(b"\n", end)
    assert without_bcc(header) == b"From: a@b\nTo: c@d\n\n".replace(b"\n", end)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n"]), min_size=6, max_size=6))
def test_what_is_sent_with_normalized_lines_has_none(ends: list[bytes]) -> None:
    lines = [b"From: a@b", b"Bcc: x@y,", b" z@w", b"To: c@d", b"bcc: q@r", b""]
    header = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    encoder = DotEncoder(LineEndings.NORMALIZE)
    sent = encoder.encode(without_bcc(header)) + encoder.finish()
    names = [line.partition(b":")[0].lower() for line in sent.splitlines() if b":" in line]
    assert b"bcc" not in names
    assert b"x@y" not in sent
    assert b"z@w" not in sent
