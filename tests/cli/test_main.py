from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import smtpproto as package
from smtpproto.cli import VERBS, main
from tests.programs import ROOT, environment, smtpproto


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    for name, module in VERBS.items():
        assert name in shown
        assert (module.__doc__ or "").partition("\n")[0][:30] in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([verb, "--help"])
    assert exit_.value.code == 0
    assert f"smtpproto {verb}" in capsys.readouterr().out


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


OPTIONAL = [
    (["serve", "--io", "trio"], "'trio'"),
    (["serve", "--self-signed"], "'trustme'"),
    (["send", "--io", "trio", "-"], "'trio'"),
    (["demo", "--tls"], "'trustme'"),
]


@pytest.mark.parametrize("arguments, package", OPTIONAL)
def test_without_optional_packages(arguments: list[str], package: str, tmp_path: Path) -> None:
    """-S: as if nothing were installed."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        f"from smtpproto.cli import main; sys.exit(main({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-S", "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert f"needs the package {package}, which is not installed" in done.stderr
    assert "pip install" in done.stderr


def in_a_bare_python(code: str) -> str:
    """The last line of the error, as if nothing were installed."""
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_an_old_python_is_told() -> None:
    old = "import builtins; has = hasattr; "
    old += "builtins.hasattr = lambda value, name: name != 'bit_count' and has(value, name); "
    last = in_a_bare_python(old + "import smtpproto")
    assert last == "ImportError: smtpproto needs Python 3.10 or later"


def test_trio_that_is_missing_is_named() -> None:
    last = in_a_bare_python("from smtpproto.trio import connect")
    assert last == (
        "ModuleNotFoundError: smtpproto.trio needs the package trio: python3 -m pip install trio"
    )


@pytest.mark.parametrize(
    "module, package",
    [
        ("smtpproto.idn", "idna"),
        ("smtpproto.testing.strategies", "hypothesis"),
        ("smtpproto.testing.stateful", "hypothesis"),
    ],
)
def test_another_package_that_is_missing_is_named(module: str, package: str) -> None:
    last = in_a_bare_python(f"import {module}")
    assert last.startswith("ModuleNotFoundError: smtpproto.")
    assert last.endswith(f"the package {package}: python3 -m pip install {package}")


BARE = """if True:
    import sys
    sys.path.insert(0, {root!r})
    from smtpproto.cli import main
    status = main({arguments!r})
    assert not {{"rich", "trio", "trustme", "cryptography", "dns", "site"}} & set(sys.modules)
    sys.exit(status)
"""


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["send", "--from", "a@b.example", "--to", "c@d.example", "--subject", "x"], "accepted  "),
        (["probe"], "findings:"),
        (["talk", "--script", "-"], "C: NOOP\nS: 250 2.0.0 OK\n"),
        (["explain", "550"], "550: refused"),
    ],
)
def test_the_standard_library_is_enough(arguments: list[str], expected: str, sink: str) -> None:
    place = {"send": ["--server", sink], "explain": []}.get(arguments[0], [sink])
    code = BARE.format(root=str(ROOT), arguments=[*arguments, *place])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-S", "-I", "-c", code],
        input="C: NOOP\nS: 250\n",
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout
