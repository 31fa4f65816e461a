"""What is released: a wheel that carries the package, its types and its licence, no more."""

from __future__ import annotations

import email
import email.message
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built as a release builds them."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    (path,) = dist.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    inside = {name for name in wheel.namelist() if not name.startswith(info.rpartition("/")[0])}
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "smtpproto").rglob("*")
        if path.suffix in {".py", ".typed"}
    }
    # Installed beside the package, where man and the shells look.
    data = f"{info.partition('.dist-info/')[0]}.data/data/"
    share = {
        data + path.relative_to(ROOT).as_posix()
        for path in (ROOT / "share").rglob("*")
        if path.is_file()
    }
    assert len(share) == 3
    assert inside == {*source, *share, "_smtpproto_pytest.py"}
    assert "smtpproto/py.typed" in inside
    assert info.replace("METADATA", "licenses/LICENSE") in wheel.namelist()


def test_the_metadata(metadata: email.message.Message) -> None:
    assert metadata["Name"] == "smtpproto-sansio"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.10"
    text = (ROOT / "smtpproto" / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{metadata["Version"]}"' in text


def test_links_of_the_readme_lead_somewhere_on_the_package_index(
    metadata: email.message.Message,
) -> None:
    text = str(metadata.get_payload())
    assert "All pages: how to" in text
    links = re.findall(r"\]\((.*?)\)", text)
    assert links
    assert all(link.startswith("https://") for link in links)


def test_the_core_depends_on_nothing(metadata: email.message.Message) -> None:
    wanted = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    assert {"trio", "hypothesis"} <= {requirement.name for requirement in wanted}
    assert all("extra ==" in str(requirement.marker) for requirement in wanted)
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "trio",
        "testing",
        "idna",
        "cli",
        "dns",
        "mailauth",
        "bench",
    }


def test_the_wheel_works_where_nothing_is_installed(wheel: zipfile.ZipFile) -> None:
    assert wheel.filename is not None
    # A wheel of pure Python is importable as it is.
    code = (
        f"import sys; sys.path.insert(0, {wheel.filename!r}); "
        "import smtpproto; print(smtpproto.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()).is_relative_to(wheel.filename)


def test_pytest_finds_the_plugin_and_does_not_rewrite_the_package(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    site, tests = tmp_path / "site", tmp_path / "tests"
    wheel.extractall(site)  # noqa: S202  # our own wheel
    tests.mkdir()
    (tests / "conftest.py").write_text("import smtpproto.testing.sink_server\n")
    (tests / "test_it.py").write_text(
        "import smtpproto\n"
        "def test_it(smtp_server):\n"
        f"    assert smtpproto.__file__.startswith({str(site)!r})\n"
        "    assert 'assertion' not in type(smtpproto.__loader__).__module__\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tests)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(site), "PATH": os.defpath},
        cwd=tests,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_index_would_take_them(dist: Path) -> None:
    """Metadata are complete, and the README can be shown."""
    files = sorted(map(str, dist.iterdir()))
    assert len(files) == 2
    check = [sys.executable, "-m", "twine", "check", "--strict", *files]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_has_no_common_mistake(wheel: zipfile.ZipFile) -> None:
    check = [sys.executable, "-m", "check_wheel_contents", str(wheel.filename)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_installed_wheel_sends_and_receives(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """In an environment that has nothing else, not even pip."""
    venv.create(tmp_path)
    python = tmp_path / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", str(wheel.filename)], check=True)
    done = subprocess.run(
        [tmp_path / "bin" / "smtpproto", "demo"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath},
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "C: QUIT" in done.stdout


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder in which version 0.3.0 is ready."""
    for name in (".ci", "smtpproto", "docs/changes"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "docs/changes/README.md", tmp_path / "docs/changes")
    for name in ("CHANGELOG.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(ROOT / ".ci" / "check-release", tmp_path / ".ci")
    text = (ROOT / "smtpproto" / "__init__.py").read_text(encoding="utf-8")
    text = re.sub('__version__ = ".*"', '__version__ = "0.3.0"', text)
    (tmp_path / "smtpproto" / "__init__.py").write_text(text, encoding="utf-8")
    return tmp_path


def check_release(release: Path, tag: str) -> str:
    """What the check of a release complains of."""
    check = ["bash", str(release / ".ci" / "check-release"), tag]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if done.stderr else 0)
    return done.stderr


def test_changes_become_a_release(release: Path) -> None:
    (release / "docs/changes/+colours.added.md").write_text("Messages have colours.\n")
    (release / "CHANGELOG.md").write_text("# Changelog\n\n<!-- releases -->\n\n## [0.2.0]\n")
    assert "has no heading '## [0.3.0]'" in check_release(release, "v0.3.0")
    build = [sys.executable, "-m", "towncrier", "build", "--version", "0.3.0", "--keep"]
    build += ["--date", "2030-01-31", "--dir", str(release)]
    subprocess.run(build, check=True, capture_output=True)
    text = "# Changelog\n\n<!-- releases -->\n\n## [0.3.0] - 2030-01-31\n\n### Added\n\n"
    text += "- Messages have colours.\n"
    assert (release / "CHANGELOG.md").read_text().startswith(text)
    assert "does not have docs/changes/+colours.added.md" in check_release(release, "v0.3.0")
    (release / "docs/changes/+colours.added.md").unlink()
    assert check_release(release, "v0.3.0") == ""
    assert "the tag is v0.3.1, but smtpproto/__init__.py has" in check_release(release, "v0.3.1")
    assert "the tag is 0.3.0, but" in check_release(release, "0.3.0")


def test_the_next_release_has_all_changes() -> None:
    """No file is left out for its name, and the changelog has the line below which they go."""
    build = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "1"]
    done = subprocess.run(build, check=True, capture_output=True, text=True, cwd=ROOT)
    for path in (ROOT / "docs/changes").iterdir():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert (first in done.stdout) == (path.name != "README.md")
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").count("\n<!-- releases -->\n") == 1


def test_the_source_distribution_can_be_tested(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "LICENSE", "CHANGELOG.md", "pyproject.toml", ".ci/run"} <= names
    assert {"smtpproto/__init__.py", "tests/conftest.py", "tests/test_packaging.py"} <= names
