from __future__ import annotations

import re
import subprocess
import sys

import pytest

import smtpproto as package
from smtpproto.cli import VERBS, main
from tests.programs import ROOT, environment, smtpproto


@pytest.mark.parametrize("arguments", [[], *([verb] for verb in VERBS)])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(" ".join(["usage: smtpproto", *arguments]))
    assert re.search(r"^Exit status: 0.*(1|2)", shown, re.MULTILINE | re.DOTALL)
    for name, module in VERBS.items() if not arguments else ():
        assert name in shown
        assert (module.__doc__ or "").partition("\n")[0][:30] in shown


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["talk"], ["serve", "--nonsense"]])
def test_what_is_no_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "usage: smtpproto" in capsys.readouterr().err


def test_it_is_called_what_the_user_called() -> None:
    module = smtpproto("nonsense")
    assert module.stderr.startswith("usage: python -m smtpproto ")
    installed = subprocess.run(
        [sys.executable, "-c", "from smtpproto.__main__ import command; command()", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert installed.stderr.startswith("usage: smtpproto ")
    assert (module.returncode, installed.returncode) == (2, 2)
    complaint = smtpproto("serve", "--key", "x").stderr
    assert complaint.startswith("python -m smtpproto serve: --key needs --cert")


def test_the_version() -> None:
    done = smtpproto("--version")
    assert (done.returncode, done.stdout) == (0, f"smtpproto {package.__version__}\n")


def bare(code: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run code as if nothing were installed."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"
    return subprocess.run(
        [sys.executable, "-W", "error", "-S", "-I", "-c", code],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )


@pytest.mark.parametrize(
    "arguments, package",
    [
        (["serve", "--io", "trio"], "'trio'"),
        (["serve", "--self-signed"], "'trustme'"),
        (["send", "--io", "trio", "-"], "'trio'"),
        (["demo", "--tls"], "'trustme'"),
    ],
)
def test_without_optional_packages(arguments: list[str], package: str) -> None:
    done = bare(f"from smtpproto.cli import main; sys.exit(main({arguments!r}))")
    assert done.returncode == 2
    assert f"needs the package {package}, which is not installed" in done.stderr
    assert "pip install" in done.stderr


OLD = """import builtins; has = hasattr;
builtins.hasattr = lambda value, name: name != 'bit_count' and has(value, name)
import smtpproto"""


@pytest.mark.parametrize(
    "code, complaint",
    [
        (OLD, "ImportError: smtpproto needs Python 3.10 or later"),
        *(
            (
                f"from smtpproto.testing import Pair; Pair().run(); import smtpproto.{module}",
                rf"ModuleNotFoundError: smtpproto\..* package {package}: .* pip install {package}",
            )
            for module, package in [
                ("trio", "trio"),
                ("idn", "idna"),
                ("testing.strategies", "hypothesis"),
                ("testing.stateful", "hypothesis"),
            ]
        ),
    ],
)
def test_what_is_missing_is_named(code: str, complaint: str) -> None:
    done = bare(code)
    assert done.returncode == 1
    assert re.fullmatch(complaint, done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["send", "--from", "a@b.example", "--to", "c@d.example", "--subject", "x"], "accepted  "),
        (["probe"], "findings:"),
        (["talk", "--script", "-"], "C: NOOP\nS: 250 2.0.0 OK\n"),
        (["explain", "550"], "550: refused"),
        (["demo"], "C: MAIL FROM:<eve@example.org>"),
    ],
)
def test_the_standard_library_is_enough(arguments: list[str], expected: str, sink: str) -> None:
    place = {"send": ["--server", sink], "probe": [sink], "talk": [sink]}.get(arguments[0], [])
    packages = {"rich", "trio", "trustme", "cryptography", "dns", "site"}
    done = bare(
        f"from smtpproto.cli import main; status = main({[*arguments, *place]}); "
        f"assert not {packages} & set(sys.modules); sys.exit(status)",
        stdin="C: NOOP\nS: 250\n",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout
