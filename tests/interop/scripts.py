"""Running the scripts of examples/postfix and examples/dovecot, which a user runs alone."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.interop.peers import folder, read_log
from tests.programs import HOST, ROOT, signals_as_usual, until

EXAMPLES = ROOT / "examples"
WAITS = "run until you press Enter"


class Script:
    """A script that waits for Enter, its servers running."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path, output: Path) -> None:
        self.process = process
        self.home = home
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def log(self, name: str) -> str:
        """The log of a server, so far."""
        return read_log(self.home / f"{name}.log")

    def ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the script ended with {self.process.returncode}")
        return WAITS in self.output

    def port(self, before: str) -> int:
        """The port that the script has printed behind some words."""
        found = re.search(rf"{before}:? (?:{HOST}:)?([0-9]+)", self.output)
        assert found is not None, before
        return int(found[1])

    def press_enter(self) -> int:
        """Let the script end; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.process.wait(60)

    def interrupt(self) -> int:
        """End the script with SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def nothing_is_left(self) -> None:
        """Every process that the script started has ended: what it stops may need a moment."""
        until(lambda: not self.processes(), 20, "that no process is left")

    def processes(self) -> list[str]:
        """What the processes that the script started were started with, and where they are.

        They name its folder in their arguments or environment, or work there.  A port says nothing:
        a server of another test may have it by now.
        """
        found = (started_with(path) for path in Path("/proc").glob("[0-9]*"))
        return [each for each in found if str(self.home.parent) in each]


def started_with(process: Path) -> str:
    with contextlib.suppress(OSError):
        texts = [(process / name).read_bytes() for name in ("cmdline", "environ")]
        texts.append(bytes((process / "cwd").readlink()))
        return b" ".join(texts).replace(b"\0", b" ").decode(errors="replace")
    return ""


@contextlib.contextmanager
def script(path: str, arguments: Sequence[str] = ("--wait",)) -> Iterator[Script]:
    """Run a script below examples/ up to where it waits for Enter; its folder is kept meanwhile."""
    with folder() as place:
        home, output = place / "home", place / "output"
        with output.open("wb") as file, signals_as_usual():
            process = subprocess.Popen(
                ["bash", str(EXAMPLES / path), *arguments, str(home)],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                cwd=place,
                env={**os.environ, "PYTHON": sys.executable},
            )
        running = Script(process, home, output)
        try:
            until(running.ready, 90, "a script that waits for Enter")
            yield running
        except BaseException:
            print(running.output)
            raise
        finally:
            if process.poll() is None:
                running.interrupt()
            assert process.stdin is not None
            process.stdin.close()
