"""`make interop`: run the matrix, print it, and write docs/interop.md.

With names of peers as arguments only their rows run, and nothing is written.  The exit status is 0
if no cell has failed, and with SMTPPROTO_REQUIRE_PEERS set, if no peer is missing
that could be installed.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.interop.matrix import page
from tests.interop.matrix.rows import FAILED, NOT_HERE, all_rows, fill


def main(names: list[str]) -> int:
    began = time.monotonic()
    rows = [row for row in all_rows() if not names or row.peer in names]
    # Much of the time is waiting for peers.
    with ProcessPoolExecutor(max_workers=(os.cpu_count() or 2) + 1) as processes:
        running = {processes.submit(fill, row): number for number, row in enumerate(rows)}
        for done in as_completed(running):
            rows[running[done]] = row = done.result()
            print(page.line(row), flush=True)
    cells = [(row, name, cell) for row in rows for name, cell in row.cells.items()]
    for row, name, cell in cells:
        if cell.outcome == FAILED:
            print(f"\n{row.name}, {row.adapter}, {name}: FAILED\n{cell.why}")
    print(f"\n{len(cells)} cells in {time.monotonic() - began:.0f} s")
    if not names:
        page.PATH.write_text(page.text(rows), encoding="utf-8")
    missing = any(cell.outcome == NOT_HERE and "not installed" in cell.why for _, _, cell in cells)
    failed = any(cell.outcome == FAILED for _, _, cell in cells)
    return int(failed or (missing and "SMTPPROTO_REQUIRE_PEERS" in os.environ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
