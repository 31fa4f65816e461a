"""Draws the table of states into README.md and docs/states.md; `--check` only compares.

Run it as `python docs/make_states.py`.  The drawing is Mermaid, which code hosts render.
"""

from __future__ import annotations

import sys
from pathlib import Path

from smtpproto.engine.table import Rows, compile_table
from smtpproto.extensions.known import KNOWN
from smtpproto.vocabulary.states import State

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- states: begin -->\n", "<!-- states: end -->\n"
DIGITS = {2: "2xx", 3: "3xx", 4: "4xx/5xx"}

HEAD = """\
# The states of a session

Both roles move along this one table: `smtpproto/engine/table.py`, and the rows of extensions.
An arrow is a reply: the verb it answers, and the first digit of its code.
What is not drawn stays where it is; a verb without an entry in a state is refused there with 503.
A 421 leads to `CLOSED` from everywhere.

"""


def main() -> int:
    core, whole = compile_table(), compile_table(kind.transitions for kind in KNOWN)
    pages = {
        ROOT / "README.md": between((ROOT / "README.md").read_text("utf-8"), drawing(core)),
        ROOT / "docs" / "states.md": HEAD
        + drawing(whole)
        + "\n## Which verb is possible where\n\n"
        + grid(whole),
    }
    stale = [
        page for page, text in pages.items() if not page.exists() or page.read_text("utf-8") != text
    ]
    for page in stale:
        if "--check" in sys.argv:
            print(f"{page.relative_to(ROOT)} is not what docs/make_states.py makes")
        else:
            page.write_text(pages[page], "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


def between(text: str, new: str) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{new}{END}{after}"


def drawing(rows: Rows) -> str:
    """The table as a Mermaid diagram: one arrow from a state to another, for all replies."""
    arrows: dict[tuple[State, State], dict[str, list[str]]] = {}
    for state, verbs in rows.items():
        for verb, step in verbs.items():
            for digit, name in DIGITS.items():
                after = step.after[digit]
                if after is not None and after is not state:
                    label = f"{name} (in flight)" if step.in_flight else name
                    arrows.setdefault((state, after), {}).setdefault(label, []).append(verb)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> CONNECTED"]
    for (state, after), labels in arrows.items():
        text = ", ".join(f"{' '.join(verbs)} {label}" for label, verbs in labels.items())
        lines.append(f"    {state.name} --> {after.name}: {text}")
    lines += ["    CLOSED --> [*]", "```", ""]
    return "\n".join(lines)


def grid(rows: Rows) -> str:
    """The table as a table: a line for each state."""
    lines = ["| state | is | verbs |", "|---|---|---|"]
    for state, verbs in rows.items():
        names = " ".join(f"{verb}*" if step.in_flight else verb for verb, step in verbs.items())
        lines.append(f"| {state.name} | {state.value} | {names} |")
    return "\n".join([*lines, "", "\\* only as a reply to what was pipelined.", ""])


if __name__ == "__main__":
    sys.exit(main())
