from __future__ import annotations

import pytest

from smtpproto.errors import LocalProtocolError, ProtocolError, RemoteProtocolError


@pytest.mark.parametrize("kind", [LocalProtocolError, RemoteProtocolError])
def test_an_error_suggests_a_reply(kind: type[ProtocolError]) -> None:
    error = kind("expected '<' at octet 9")
    assert (str(error), error.code, error.enhanced) == ("expected '<' at octet 9", 501, "5.5.4")
    assert isinstance(error, ProtocolError)


def test_another_reply() -> None:
    error = LocalProtocolError("no", code=503, enhanced="5.5.1")
    assert (error.code, error.enhanced) == (503, "5.5.1")


def test_somebody_is_to_blame() -> None:
    with pytest.raises(TypeError, match="LocalProtocolError or RemoteProtocolError"):
        ProtocolError("somebody did something")
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert not issubclass(RemoteProtocolError, LocalProtocolError)


@pytest.mark.parametrize("code", [450, 500, 550])
def test_another_code_has_not_the_enhanced_code_of_501(code: int) -> None:
    assert LocalProtocolError("no", code=code).enhanced == ""
