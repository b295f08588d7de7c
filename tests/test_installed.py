"""The package as a user gets it: the wheel in a fresh environment, an empty folder, no checkout in sight."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.slow, pytest.mark.federation, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a fresh environment with nothing but the wheel and what it requires."""
    place = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    install = [str(place / "bin" / "pip"), "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return place / "bin"


@pytest.fixture(scope="module")
def run(bin_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command of the fresh environment in one empty folder."""
    place = tmp_path_factory.mktemp("empty")
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    environment["PATH"] = f"{bin_folder}:/usr/bin:/bin"

    def run(*words: str, cwd: str = ".") -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [str(bin_folder / words[0]), *words[1:]]
        return subprocess.run(
            command, cwd=place / cwd, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_everything_goes_under_one_name(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"dlmp_cosim"}
    assert {"dlmp_cosim/configs/ieee123_day/scenario.toml", "dlmp_cosim/runners/ieee123_day.json"} <= set(
        names
    )
    assert not [name for name in names if name.endswith((".h5", ".log", ".pyc")) or "/tests/" in name]


def test_the_checkout_plays_no_part(run: Run) -> None:
    found = run("python", "-c", "import dlmp_cosim.market as m; print(m.__file__)")
    assert "site-packages" in found.stdout, found.stderr
    assert run("python", "-c", "import market").returncode == 1


def test_the_version_is_told_and_the_doctor_finds_all_well(run: Run) -> None:
    assert run("dlmp", "--version").stdout.startswith("dlmp, version ")
    found = run("dlmp", "doctor")
    assert found.returncode == 0, found.stdout
    assert 'pip install "dlmp-cosim[report]"' in found.stdout


def test_the_demo_runs_in_an_empty_folder(run: Run) -> None:
    found = run("dlmp", "demo", "--intervals", "3")
    assert found.returncode == 0, found.stderr
    assert "3 of 3" in found.stdout
    assert "report: ieee123_day/report.html" in found.stdout


def test_a_new_study_runs_either_way(run: Run) -> None:
    assert run("dlmp", "new", "mine").returncode == 0
    study = run("python", "-c", SHORTER)
    assert study.returncode == 0, study.stderr
    assert run("dlmp", "check", "mine").stdout.startswith("mine: sound")
    assert run("dlmp", "run", "mine").returncode == 0
    assert run("helics", "run", "--path=runner.json", cwd="mine").returncode == 0
    assert run("dlmp", "verdict", "mine").returncode == 0


def test_no_command_without_its_extra_shows_a_traceback(run: Run) -> None:
    for words in (
        ("report", "mine"),
        ("report", "mine", "--format", "png"),
        ("isone-fetch", "2020-08-25", "--location", "NEMA"),
    ):
        found = run("dlmp", *words)
        assert found.returncode == 1, words
        assert found.stderr.startswith("error: "), found.stderr
        assert "dlmp-cosim[" in found.stderr
        assert "Traceback" not in found.stderr


SHORTER = """
from pathlib import Path
file = Path("mine/scenario.toml")
file.write_text(file.read_text().replace("intervals = 288", "intervals = 2"))
"""
