"""`make bench`: measure every row in turns with its peer, and write RESULTS.md and the charts."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

from . import in_memory
from .over_sockets import SocketRows
from .programs import find
from .rows import Row

HERE = Path(__file__).parent
LIBRARIES = ("h11", "aiosmtpd", "aiosmtplib", "trio")


def versions() -> list[str]:
    found = [f"CPython {platform.python_version()}"]
    found += [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    if node := shutil.which("node"):
        done = subprocess.run([node, "--version"], check=True, capture_output=True, text=True)
        found.append(f"Node.js {done.stdout.strip()}")
    if find("smtp-source"):
        postconf = find("postconf")
        if postconf:
            command = [postconf, "-d", "-h", "mail_version"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(f"Postfix {done.stdout.strip()}")
    return found


def table(rows: list[Row]) -> str:
    """The rows of one group in Markdown."""
    lines = ["| figure | compared with | ours | theirs | ratio | lowest to highest | wanted | |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for row in rows:
        bound = f"{'≥' if row.speed else '≤'} {row.wanted:g}"
        ours = f"{statistics.median(row.found):,.1f} {row.unit}"
        theirs = f"{statistics.median(row.found_peer):,.1f} {row.unit}" if row.found_peer else "-"
        spread = f"{min(row.ratios):.2f} to {max(row.ratios):.2f}"
        ratio = f"{row.ratio:.2f}" + ("" if row.peer else f" {row.unit}")
        verdict = "met" if row.met else "**missed**"
        cells = (row.name, row.peer_name or "-", ours, theirs, ratio, spread, bound, verdict)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def results(rows: list[Row], missing: list[str], rounds: int, seconds: float) -> str:
    """RESULTS.md."""
    parts = [
        "# Results",
        (
            "`make bench` wrote this page. Each figure is CPU time, and each ratio compares two "
            f"measurements of the same round; the table shows the median of {rounds} rounds. "
            "A ratio of costs is better when it is lower (≤), a ratio of speeds (dot "
            "transparency, NORMALIZE) when it is higher (≥). "
            f"The run took {seconds:.0f} s."
        ),
        "Versions: " + ", ".join(versions()) + ".",
    ]
    load = "Postfix's smtp-source" if find("smtp-source") else "a loop in `benchmarks/programs.py`"
    parts.append(f"Servers are loaded by {load}, in lock step.")
    if missing:
        parts.append("Missing here, and so without a row: " + "; ".join(missing) + ".")
    met = sum(row.met for row in rows)
    parts.append(f"{met} of {len(rows)} rows are met.")
    for group, members in groupby(rows, key=lambda row: row.group):
        parts += [f"## {group}", table(list(members))]
        if (HERE / chart_name(group)).exists():
            parts.append(f"![{group}]({chart_name(group)})")
    return "\n\n".join(parts) + "\n"


def chart_name(group: str) -> str:
    """The file of a group's chart: "servers.svg"."""
    return re.split(r"\W", group)[0].lower() + ".svg"


def draw(rows: list[Row]) -> None:
    """A chart for each group: the ratios, and what is wanted."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no charts: matplotlib is not installed")
        return
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "smtpproto"
    from matplotlib import pyplot as plt

    for group, found in groupby(rows, key=lambda row: row.group):
        members = [row for row in found if row.peer is not None][::-1]
        if not members:
            continue
        figure, axes = plt.subplots(figsize=(9, 0.9 + 0.42 * len(members)))
        labels = [f"{row.name}, of {row.peer_name}" for row in members]
        colours = ["#2f7d4f" if row.met else "#b5542c" for row in members]
        axes.barh(labels, [row.ratio for row in members], color=colours, height=0.6)
        for at, row in enumerate(members):
            axes.plot([row.wanted] * 2, [at - 0.38, at + 0.38], color="#222222", linewidth=2)
        axes.axvline(1.0, color="#999999", linewidth=0.8, linestyle=":")
        kind = "speed" if all(row.speed for row in members) else "CPU time"
        axes.set_xlabel(f"ratio of {kind} (black: what is wanted)", fontsize=8)
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        figure.tight_layout()
        figure.savefig(HERE / chart_name(group), metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; writes no page")
    parser.add_argument("--rounds", type=int, default=7, help="how often each row is measured")
    parser.add_argument("--only", default="", help="rows whose group or name contains this")
    options = parser.parse_args()
    scale, rounds = (1, 3) if options.quick else (4, options.rounds)
    start = time.monotonic()
    with SocketRows(scale) as sockets:
        rows = [*in_memory.rows(scale), *sockets.rows()]
        rows = [row for row in rows if options.only in f"{row.group}: {row.name}"]
        for turn in range(-1, rounds):
            for row in rows:
                row.measure(turn)
                if turn < 0:
                    # The first round loads caches and code.
                    row.found.clear()
                    row.found_peer.clear()
            print(f"round {max(turn + 1, 0)} of {rounds}", file=sys.stderr)
    seconds = time.monotonic() - start
    if not options.quick and not options.only:
        draw(rows)
        (HERE / "RESULTS.md").write_text(results(rows, sockets.missing, rounds, seconds))
    for group, members in groupby(rows, key=lambda row: row.group):
        print(f"\n{group}\n{table(list(members))}")
    for name in sockets.missing:
        print(f"missing: {name}")


if __name__ == "__main__":
    main()
