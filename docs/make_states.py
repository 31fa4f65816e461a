"""Draws the table of states into docs/states.md; `--check` only compares.

Run it as `python docs/make_states.py`.  The drawing is Mermaid, which code hosts render.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.generated import write_or_check
from smtpproto.engine.transition_table import Rows, compile_table
from smtpproto.extensions.known import KNOWN
from smtpproto.vocabulary.states import State

PAGE = Path(__file__).parent / "states.md"
DIGITS = {2: "2xx", 3: "3xx", 4: "4xx/5xx"}

HEAD = """\
# The states of a session

Client and server use one table: `smtpproto/engine/transition_table.py`.
Extensions add transitions.
An arrow is a reply.
Its label has the verb that the reply answers, and the first digit of the code.
A reply without an arrow leaves the state as it is.
A 2xx to QUIT leads to `CLOSED`, and so does a 421 from every state; these arrows are left out.
The server answers 503 to a verb that a state does not list below.

"""


def main(arguments: list[str], page: Path = PAGE) -> int:
    rows = compile_table(kind.transitions for kind in KNOWN)
    new = f"{HEAD}{drawing(rows)}\n## Which verb is possible where\n\n{grid(rows)}"
    return write_or_check(arguments, page, new, "docs/make_states.py")


def drawing(rows: Rows) -> str:
    """The table as a Mermaid diagram: one arrow from a state to another, for all replies."""
    arrows: dict[tuple[State, State], dict[str, list[str]]] = {}
    for state, verbs in rows.items():
        for verb, step in verbs.items():
            for digit, name in DIGITS.items():
                after = step.after[digit]
                if after not in (None, state, State.CLOSED):
                    label = f"{name} (in flight)" if step.in_flight else name
                    arrows.setdefault((state, after), {}).setdefault(label, []).append(verb)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> CONNECTED"]
    for (state, after), labels in arrows.items():
        text = ", ".join(f"{' '.join(verbs)} {label}" for label, verbs in labels.items())
        lines.append(f"    {state.name} --> {after.name}: {text}")
    return "\n".join([*lines, "```", ""])


def grid(rows: Rows) -> str:
    """The table as a table: a line for each state."""
    lines = ["| state | is | verbs |", "|---|---|---|"]
    for state, verbs in rows.items():
        names = " ".join(f"{verb}*" if step.in_flight else verb for verb, step in verbs.items())
        lines.append(f"| {state.name} | {state.value} | {names} |")
    return "\n".join([*lines, "", "\\* only as a reply to a command that was pipelined.", ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
