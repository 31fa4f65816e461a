"""How much memory a process has needed."""

from __future__ import annotations

import re
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB


def most_so_far(pid: int) -> int:
    """The most octets of memory that a process has had at once (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (peak,) = re.findall(r"^VmHWM:\s*([0-9]+) kB$", status, re.MULTILINE)
    return int(peak) * KIB
