"""What all tests have in common: how much they try, and that no thread of theirs is left."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

# CI repeats itself, a laptop explores.
CI = "CI" in os.environ

settings.register_profile("quick", deadline=None, max_examples=20, derandomize=CI, print_blob=CI)
settings.register_profile(
    "thorough", deadline=None, max_examples=100, derandomize=CI, print_blob=CI
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "quick")


def pytest_collection_finish() -> None:
    """What is there by now stays, and need not be looked at again: tests call the collector."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """The interpreter waits at its end for every thread that is no daemon, with no limit."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while left := [
        thread
        for thread in threading.enumerate()
        if thread not in before and thread.is_alive() and not thread.daemon
    ]:
        assert time.monotonic() < deadline, f"threads are left: {left}"
        time.sleep(0.005)
