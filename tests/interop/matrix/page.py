"""The matrix as text: a line for the terminal, and docs/interop.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.interop.matrix.features import FEATURES
from tests.interop.matrix.rows import YES, Row
from tests.programs import ROOT

PATH = ROOT / "docs" / "interop.md"

# The page without its tables.
TEXT = Path(__file__).with_name("page.md").read_text("utf-8")


def line(row: Row) -> str:
    """For the terminal."""
    outcomes = " | ".join(row.cells[each.name].outcome for each in FEATURES)
    return f"{row.name:28} {row.adapter:8} {row.version:14} {outcomes}"


def text(rows: list[Row]) -> str:
    """The page."""
    return TEXT.format(
        clients=section([row for row in rows if row.is_client]),
        servers=section([row for row in rows if not row.is_client]),
    )


def section(rows: list[Row]) -> str:
    """One line for each peer: mostly the adapters agree."""
    heads = [each.name for each in FEATURES]
    lines = [f"| peer | version | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for peer in dict.fromkeys(row.peer for row in rows):
        same = [row for row in rows if row.peer == peer]
        cells = " | ".join(seen(same, head) for head in heads)
        lines.append(f"| {peer} | {same[0].version} | {cells} |")
    return "\n".join([*lines, "", *reasons(rows)])


def seen(rows: list[Row], head: str) -> str:
    """What all adapters saw, or what each of them did."""
    outcomes = {row.adapter: row.cells[head].outcome for row in rows}
    if len(set(outcomes.values())) == 1:
        return outcomes[rows[0].adapter]
    return ", ".join(f"{adapter}: {outcome}" for adapter, outcome in outcomes.items())


def reasons(rows: list[Row]) -> Iterable[str]:
    """One line for each feature and reason, with the peers that it holds for."""
    for feature in FEATURES:
        peers: dict[str, dict[str, None]] = {}
        for row in rows:
            cell = row.cells[feature.name]
            if cell.outcome != YES:
                # Of a failure, the last line says what it is.
                why = cell.why.strip().rpartition("\n")[2]
                peers.setdefault(why, {})[row.peer] = None
        for why, names in peers.items():
            yield f"- {feature.name}, {', '.join(names)}: {why}."
