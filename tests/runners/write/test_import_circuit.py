"""A study around somebody's own circuit: it is sound, it runs, and it says what it found."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import load_runner
from dlmp_cosim.runners.write.import_circuit import import_command

TOY = Path(__file__).parents[2] / "toys" / "toy.dss"
SHAPE = "new loadshape.day npts=4 interval=6 mult=[0.2 0.5 0.9 0.4]\n"


def imported(master: Path, place: Path, *more: str) -> Result:
    return CliRunner().invoke(import_command, [str(master), "-o", str(place), "--intervals", "3", *more])


def circuit(place: Path, *changes: tuple[str, str]) -> Path:
    """The toy circuit with some of its text changed, in a folder of its own."""
    text = TOY.read_text()
    for old, new in changes:
        assert old in text, "the change changes nothing"
        text = text.replace(old, new)
    place.mkdir()
    (place / "my circuit.dss").write_text(text)
    return place / "my circuit.dss"


def with_shape(place: Path) -> Path:
    return circuit(place, ("new load.load_a", f"{SHAPE}new load.load_a"), ("kw=200", "daily=day kw=200"))


def test_the_study_is_sound_and_settles(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    result = imported(TOY, place)
    assert result.exit_code == 0, result.output
    assert check_study(load_runner(place / "runner.json")).errors == ()
    study = load_study(place)
    file = study.scenario.results.model_copy(update={"file": str(tmp_path / "out.h5")})
    run_direct(replace(study, scenario=study.scenario.model_copy(update={"results": file})))
    with Results(tmp_path / "out.h5") as results:
        assert results.complete
        assert results.values("audit/settled").tolist() == [1.0] * 3
        assert abs(results.values("audit/balance_error")).max() < 1e-6


def test_nothing_of_the_circuit_is_copied(tmp_path: Path) -> None:
    before = TOY.read_bytes()
    imported(TOY, tmp_path / "mine")
    assert TOY.read_bytes() == before
    assert not list((tmp_path / "mine").rglob("*.dss"))


def test_the_page_says_what_was_found(tmp_path: Path) -> None:
    imported(TOY, tmp_path / "mine")
    page = (tmp_path / "mine" / "FOUND.md").read_text()
    for row in (
        "| buses | 2 |",
        "| nodes | 6 |",
        "| lines | 1 |",
        "| loops | 0 |",
        "| load shapes in use | 0 |",
    ):
        assert row in page
    assert "1: constant power | 3 loads, 600 kW" in page


def test_loads_follow_the_circuits_own_shapes_where_it_has_them(tmp_path: Path) -> None:
    result = imported(with_shape(tmp_path / "circuit"), tmp_path / "mine")
    assert result.exit_code == 0, result.output
    scenario = tomllib.loads((tmp_path / "mine" / "scenario.toml").read_text())
    assert scenario["feeder"]["demand"] == "load_shapes"
    assert "| load shapes in use | 1 |" in (tmp_path / "mine" / "FOUND.md").read_text()
    (profile,) = load_study(tmp_path / "mine").network.profiles
    assert profile.real == (0.2, 0.2, 0.2)


def test_without_shapes_loads_follow_the_wholesale_ratio(tmp_path: Path) -> None:
    imported(TOY, tmp_path / "mine")
    scenario = tomllib.loads((tmp_path / "mine" / "scenario.toml").read_text())
    assert scenario["feeder"]["demand"] == "wholesale"
    assert load_study(tmp_path / "mine").network.profiles == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ((("new line.ab", "new line.cd"), ("bus2=b ", "bus2=c ")), "no source feeds b"),
        ((("set voltagebases=[4.156921938165306]\n", ""), ("calcvoltagebases\n", "")), "base"),
        ((("normamps=400", "normmamps=400"),), "normmamps"),
    ],
    ids=["island", "no voltage bases", "misspelt property"],
)
def test_what_cannot_be_used_is_one_clear_error(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], says: str
) -> None:
    result = imported(circuit(tmp_path / "circuit", *changes), tmp_path / "mine")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert says in result.output
    assert not (tmp_path / "mine").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = imported(tmp_path / "nowhere.dss", tmp_path / "mine")
    assert (result.exit_code, "nowhere.dss: there is no such file" in result.output) == (1, True)


def test_a_study_is_not_written_over(tmp_path: Path) -> None:
    imported(TOY, tmp_path / "mine")
    scenario = (tmp_path / "mine" / "scenario.toml").read_text()
    result = imported(TOY, tmp_path / "mine", "--name", "other")
    assert result.exit_code == 1
    assert "there is a study already" in result.output
    assert (tmp_path / "mine" / "scenario.toml").read_text() == scenario
