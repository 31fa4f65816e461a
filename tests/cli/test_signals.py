from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from smtpproto.cli.signals import STOPPING, Signals, held_back
from tests.programs import environment, signals_as_usual


@pytest.fixture(autouse=True)
def _as_usual() -> Iterator[None]:
    with signals_as_usual():
        yield


def test_a_program_starts_with_what_is_usual() -> None:
    """Under nohup, or behind a script's `&`, all this would be ignored."""
    code = """if True:
        import signal
        from tests.programs import signals_as_usual
        numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        with signals_as_usual():
            print([signal.getsignal(number) is signal.SIG_IGN for number in numbers])
        print([signal.getsignal(number) is signal.SIG_IGN for number in numbers])
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.splitlines() == ["[False, False, False, False]", "[True, True, True, True]"]


def test_signals_are_read_in_their_order_and_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with Signals(*STOPPING) as signals:
        assert signals.read() == []
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert select.select([signals.number], [], [], 0)[0]
        assert signals.read() == [signal.SIGTERM, signal.SIGINT]
        assert signals.read() == []
    assert [signal.getsignal(number) for number in STOPPING] == before


def test_signals_without_end_do_not_block() -> None:
    with Signals(signal.SIGHUP) as signals:
        for _ in range(70_000):
            signal.raise_signal(signal.SIGHUP)
        assert signals.read() == [signal.SIGHUP] * 4096


def test_a_signal_is_seen_before_python_runs_its_handler() -> None:
    """One that comes just before the wait: another thread gets it, so it does not end the wait."""
    with Signals(signal.SIGHUP) as signals:
        waits = threading.Event()

        def kill() -> None:
            waits.wait()
            signal.pthread_kill(threading.get_ident(), signal.SIGHUP)

        thread = threading.Thread(target=kill)
        thread.start()
        waits.set()
        assert select.select([signals.number], [], [], 20)[0]
        assert signals.read() == [signal.SIGHUP]
        thread.join()


def test_waiting_goes_on_when_another_signal_comes() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with Signals(signal.SIGHUP) as signals:
            timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGHUP])
            signal.raise_signal(signal.SIGUSR1)
            timer.start()
            signals.wait()
            timer.join()
            assert not timer.is_alive()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_waiting_ends_when_another_file_is_readable() -> None:
    reading, writing = os.pipe()
    with Signals(signal.SIGHUP) as signals:
        os.write(writing, b"!")
        signals.wait(reading)
        assert signals.read() == []
    os.close(reading)
    os.close(writing)


def test_the_interpreter_tells_whom_it_told_before() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    try:
        with Signals(signal.SIGHUP) as signals, signals.waking_left_to_others():
            assert signal.set_wakeup_fd(-1) == -1
    finally:
        assert signal.set_wakeup_fd(-1) == writing
        os.close(reading)
        os.close(writing)


def test_a_thread_that_starts_meanwhile_leaves_signals_to_the_main_one() -> None:
    with Signals(signal.SIGHUP) as signals:
        with held_back(signal.SIGHUP):
            masks: list[set[int]] = []

            def look() -> None:
                masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))

            thread = threading.Thread(target=look)
            thread.start()
            signal.raise_signal(signal.SIGHUP)
            assert signals.read() == []
        thread.join()
        assert signals.read() == [signal.SIGHUP]
    assert signal.SIGHUP in masks[0]
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals(signal.SIGHUP) as signals:
            signal.raise_signal(signal.SIGHUP)
            assert signals.read() == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_more_ends_the_process() -> None:
    code = """if True:
        import signal
        from smtpproto.cli.signals import Signals
        with Signals(signal.SIGTERM) as signals:
            signal.raise_signal(signal.SIGTERM)
            signals.end_at_the_next()
            print("once", flush=True)
            signal.raise_signal(signal.SIGTERM)
            print("twice", flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stdout) == (1, "once\n")


def test_a_child_gives_up_the_pipe() -> None:
    with Signals(signal.SIGHUP) as signals:
        pid = os.fork()
        if pid == 0:
            signals.abandon()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.raise_signal(signal.SIGHUP)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert signals.read() == []
