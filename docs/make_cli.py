"""Writes the manual page and the completions in share/ from the parser; `--check` only compares.

Run it as `python docs/make_cli.py`.  A wheel installs share/ beside the program, where man, bash
and zsh look.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.generated import write_or_check
from smtpproto import __version__
from smtpproto.cli import make_parser

SHARE = Path(__file__).parent.parent / "share"
FILES = {"FILE": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY}


def main(arguments: list[str], share: Path = SHARE) -> int:
    statuses = [
        write_or_check(arguments, share / name, new, "docs/make_cli.py", name)
        for name, new in made().items()
    ]
    return max(statuses)


def made() -> dict[str, str]:
    """The files, by their paths in share/."""
    # Help is as wide as the terminal otherwise, and says what this machine is called.
    os.environ["COLUMNS"] = "80"
    parser = make_parser("smtpproto")
    for verb in verbs(parser).values():
        for action in verb._actions:  # noqa: SLF001  # argparse has no other way
            if action.metavar in FILES:
                action.complete = FILES[str(action.metavar)]  # type: ignore[attr-defined]  # for shtab
    return {
        "man/man1/smtpproto.1": manual_page(parser),
        "bash-completion/completions/smtpproto": shtab.complete(parser, "bash"),
        "zsh/site-functions/_smtpproto": shtab.complete(parser, "zsh"),
    }


def verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    for action in parser._actions:  # noqa: SLF001  # argparse has no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    raise ValueError("the parser has no verbs")


def manual_page(parser: argparse.ArgumentParser) -> str:
    _, _, rest = str(Manpage(parser)).partition("\n")
    statuses = "".join(
        f".TP\n.B {name}\n{str(verb.epilog).removeprefix('Exit status: ')}\n"
        for name, verb in verbs(parser).items()
    )
    title = f'.TH SMTPPROTO 1 "" "smtpproto {__version__}" "User Commands"'
    page = f"{title}\n{rest.rstrip()}\n.SH EXIT STATUS\n{statuses}"
    # troff takes text that begins with ' or . for a request; all requests here are capitals.
    lines = re.sub(r"^(?='|\.(?![A-Z]+\b))", r"\\&", page, flags=re.MULTILINE).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
