"""The examples in the docstrings of `smtpproto.testing` say what happens."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from smtpproto.testing import clients, fakes, pair, servers


@pytest.mark.parametrize("module", [clients, fakes, pair, servers])
def test_examples(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
