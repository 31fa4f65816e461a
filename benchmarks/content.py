"""How fast content is decoded and encoded, against `bytes.replace` on the same octets.

The figures are ratios of times: 1.0 is what one `replace` over all the octets takes in the same
run.  The hostile bodies are what a loop over lines or dots, or a buffer that is searched again,
would choke on.  The second table feeds one octet at a time; there the time for each octet has to
stay the same however long the content is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from smtpproto.errors import LocalProtocolError
from smtpproto.wire import DotDecoder, DotEncoder, LineEndings, LineReader, ReceiveBuffer

FEED = 65536
REFUSE, NORMALIZE, PRESERVE = LineEndings

BODIES = {
    "lines of 80": b"x" * 78 + b"\r\n",
    "prose": b"Nobody expects this. Dots, too. \r\nA line.\r\n" + b"word " * 13 + b"\r\n",
    "each line a dot": b"." + b"x" * 77 + b"\r\n",
    "only CRLF": b"\r\n",
    "only dots": b".",
    "one endless line": b"x",
    "CRLF and two dots": b"\r\n..",
    "nearly the end": b"\r\n.\r\r\n..\r\n",
    "nearly the end, strict": b"\r\n..\r\n",
    "only CR": b"\r",
    "lines ending in LF": b"x" * 79 + b"\n",
}


def best(repeat: int, run: Callable[..., object], *arguments: object) -> float:
    """Seconds of the fastest run: the others were disturbed."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def decode(pieces: list[bytes], policy: LineEndings) -> None:
    buffer = ReceiveBuffer()
    decoder = DotDecoder(buffer, policy)
    for piece in pieces:
        buffer.feed(piece)
        while decoder.read() is not None:
            pass


def encode(pieces: list[bytes], policy: LineEndings) -> None:
    encoder = DotEncoder(policy)
    for piece in pieces:
        encoder.encode(piece)


def read_lines(pieces: list[bytes]) -> None:
    buffer = ReceiveBuffer()
    reader = LineReader(buffer, 512, REFUSE)
    for piece in pieces:
        buffer.feed(piece)
        while reader.read() is not None:
            pass


def replace(pieces: list[bytes]) -> None:
    for piece in pieces:
        piece.replace(b"\r\n.", b"\r\n")


CODERS = [
    ("decode refuse", decode, REFUSE),
    ("decode normalize", decode, NORMALIZE),
    ("decode preserve", decode, PRESERVE),
    ("encode refuse", encode, REFUSE),
    ("encode normalize", encode, NORMALIZE),
]


def cell(
    size: int, unit: float, repeat: int, run: Callable[..., object], *arguments: object
) -> str:
    try:
        seconds = best(repeat, run, *arguments)
    except LocalProtocolError:
        return f"{'refused':>20}"
    return f"{seconds / unit:8.1f} {size / seconds / 2**20:5.0f} MiB/s"


def chunks(size: int, repeat: int) -> None:
    print(
        f"{'times bytes.replace':24}{'replace':>14}",
        *(f"{name:>20}" for name, *_ in CODERS),
        sep="",
    )
    for name, body in BODIES.items():
        piece = (body * (FEED // len(body) + 1))[:FEED]
        pieces = [piece] * (size // FEED)
        unit = best(repeat, replace, pieces)
        cells = [cell(size, unit, repeat, code, pieces, policy) for _, code, policy in CODERS]
        print(f"{name:24}{size / unit / 2**20:8.0f} MiB/s", *cells, sep="")


def one_octet_at_a_time(size: int) -> None:
    sizes = [size, 2 * size, 4 * size]
    print("\nus for each octet, fed alone    ", *(f"{octets:>12,}" for octets in sizes), sep="")
    for name in ["lines of 80", "only CRLF", "only dots", "one endless line", "nearly the end"]:
        row = f"{name:32}"
        for octets in sizes:
            body = BODIES[name] * (octets // len(BODIES[name]) + 1)
            pieces = [bytes([octet]) for octet in body[:octets]]
            row += f"{best(3, decode, pieces, REFUSE) / octets * 1e6:12.2f}"
        print(row)


def lines(repeat: int) -> None:
    print(f"\n{'us for each command line':32}{'64 KiB a feed':>16}{'one line a feed':>18}")
    for line in b"NOOP\r\n", b"RCPT TO:<somebody@example.com>\r\n":
        count = FEED // len(line)
        whole = best(repeat, read_lines, [line * count])
        single = best(repeat, read_lines, [line] * count)
        print(f"{line.decode()[:-2]:32}{whole / count * 1e6:16.2f}{single / count * 1e6:18.2f}")
    endless = [b"x" * FEED] * 160
    seconds = best(repeat, read_lines, endless)
    print(f"a line of 10 MiB is dropped at {len(endless) * FEED / seconds / 2**20:.0f} MiB/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=2, help="size of each body")
    parser.add_argument("--repeat", type=int, default=9, help="the fastest of so many runs counts")
    options = parser.parse_args()
    chunks(options.mib * 2**20, options.repeat)
    one_octet_at_a_time(20_000)
    lines(options.repeat)


if __name__ == "__main__":
    main()
