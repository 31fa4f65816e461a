"""How an authentication exchange fails."""

from __future__ import annotations

from smtpproto.errors import LocalProtocolError
from smtpproto.sasl.errors import SASLError, SASLRefused


def test_errors_carry_the_codes_of_rfc_4954() -> None:
    malformed = SASLError("what was expected")
    assert (str(malformed), malformed.code, malformed.enhanced) == (
        "what was expected",
        501,
        "5.5.2",
    )
    other = SASLError("no initial response", enhanced="5.7.0")
    assert (other.code, other.enhanced) == (501, "5.7.0")


def test_a_refusal_says_no_more_than_it_must() -> None:
    refused = SASLRefused()
    assert (refused.code, refused.enhanced) == (535, "5.7.8")
    assert "credentials are not valid" in str(refused)
    assert isinstance(refused, SASLError)
    assert isinstance(refused, LocalProtocolError)
