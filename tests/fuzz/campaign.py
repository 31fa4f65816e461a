"""Runs a fuzz target: by atheris where it is installed, otherwise by mutations of its seeds.

    python -m tests.fuzz.fuzz_server                  # until interrupted
    python -m tests.fuzz.fuzz_server --seconds 300 --seed 7
    python -m tests.fuzz.fuzz_server FILE...          # inputs that failed once
    python -m tests.fuzz.fuzz_server --atheris CORPUS -max_total_time=300

A target is a function that takes octets and raises if something is wrong.  What it may pass over
are the documented exceptions, which stand at the top of each target's file.
"""

from __future__ import annotations

import contextlib
import importlib
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

__all__ = ["instrumented", "lines", "main", "mutants", "run"]

Target = Callable[[bytes], None]
# Octets on which parsers of lines fall, and some that other programs take for white space.
INTERESTING = (
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b"\t",
        b"\x0b",
        b"\x0c",
        b"\x1c",
        b"\x85",
        b"\xa0",
        b" ",
        b"  ",
    ),
    *(b".", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b".\r\n", b"\r\n.", b"<", b">", b'"', b"\\", b"@"),
    *(
        b"=",
        b"+",
        b"*",
        b";",
        b",",
        b"-",
        b"%",
        b"[",
        b"]",
        b"[IPv6:",
        b"\xff",
        b"\xc3\xa4",
        b"\xc4\xb1",
    ),
    *(b"\xe2\x80\xa8", b"\xef\xbc\x91", b"\xc5\xbf", b"\xed\xa0\x80", b"0", b"9" * 20, b"9" * 5000),
)
LONGEST = 1 << 16


def lines(*texts: str | bytes) -> bytes:
    """Each of them with CRLF behind it."""
    octets = (text.encode() if isinstance(text, str) else text for text in texts)
    return b"".join(each + b"\r\n" for each in octets)


def instrumented() -> AbstractContextManager[object]:
    """Within this, imports are instrumented for atheris if it is to run the target."""
    if "--atheris" not in sys.argv:
        return contextlib.nullcontext()
    atheris: Any = importlib.import_module("atheris")
    manager: AbstractContextManager[object] = atheris.instrument_imports()
    return manager


def mutants(seeds: Sequence[bytes], rng: random.Random) -> Iterator[bytes]:
    """Inputs without end: the seeds, then what mutations make of them."""
    yield from seeds
    words = [word for seed in seeds for word in seed.split()] or [b""]
    while True:
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
            _mutate(data, seeds, words, rng)
        yield bytes(data[:LONGEST])


def _mutate(
    data: bytearray, seeds: Sequence[bytes], words: Sequence[bytes], rng: random.Random
) -> None:
    at, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    end = min(end, at + rng.choice((1, 2, 4, 16, 64, 1024)))
    match rng.randrange(8):
        case 0:
            data[at:at] = rng.choice(INTERESTING)
        case 1:
            data[at:end] = rng.choice(INTERESTING)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end]
        case 4:
            data[at:at] = rng.choice(words)
        case 5:
            if data:
                data[at % len(data)] = rng.randrange(256)
        case 6:
            # The line of another input behind a line of this one.
            lines = rng.choice(seeds).splitlines(keepends=True) or [b""]
            border = data.find(b"\n", at) + 1
            data[border:border] = rng.choice(lines)
        case _:
            data[at:end] = data[at:end] * rng.choice((2, 3, 10))


def run(
    target: Target, seeds: Sequence[bytes], *, inputs: int | None, seconds: float, seed: int
) -> int:
    """Feed a target with mutants; how many.

    Arguments:
        target: raises if something is wrong; what it raises says with which input.
        seeds: to begin with.
        inputs: so many at most; None: no bound.
        seconds: so long at most.
        seed: of the randomness.
    """
    until = time.monotonic() + seconds
    count = 0
    for data in mutants(seeds, random.Random(seed)):
        if count == inputs or time.monotonic() > until:
            break
        try:
            target(data)
        except BaseException:
            print(f"input {count} of seed {seed}: {data!r}", file=sys.stderr)
            raise
        count += 1
    return count


def main(target: Target, seeds: Sequence[bytes]) -> None:
    """The command line described above."""
    arguments = sys.argv[1:]
    if "--atheris" in arguments:
        arguments.remove("--atheris")
        atheris: Any = importlib.import_module("atheris")
        atheris.Setup([sys.argv[0], *arguments], target)
        atheris.Fuzz()
        return
    options = {"--seconds": "inf", "--seed": "0"}
    while arguments and arguments[0] in options:
        options[arguments[0]], arguments = arguments[1], arguments[2:]
    for name in arguments:
        target(Path(name).read_bytes())
    if not arguments:
        seconds, seed = float(options["--seconds"]), int(options["--seed"])
        count = run(target, seeds, inputs=None, seconds=seconds, seed=seed)
        print(f"{count} inputs, nothing found")
