"""What is accepted and hardly meant is said, with its figure; what is meant is not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from toys import CONFIGS, ROOT, make_study, toy_network

from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.run.plausible import NEAR, WRONG_BASES, doubts, head_rating_kva, odd_bases
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import load_runner
from tests.circuits import PUBLISHED, SMALL, circuit

STUDIES = sorted(path.stem for path in (ROOT / "runners").glob("*.json"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIGS, tmp_path / "study"))


def said(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What is doubted in the demo study after some lines of its scenario were changed."""
    file = folder / "scenario.toml"
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    study = load_study(folder)
    return list(doubts(study, load_series(study)))


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_is_doubted_in_the_shipped_studies(name: str) -> None:
    assert check_study(load_runner(ROOT / "runners" / f"{name}.json")).warnings == ()


def test_a_load_of_a_hundred_feeders(folder: Path) -> None:
    (text,) = said(folder, ("load_scale = 1.0", "load_scale = 100"))
    assert "scenario.toml feeder.load_scale: 100 makes the peak 399,793 kVA" in text
    assert "times what the head's conductors carry; expected about 1" in text


def test_costs_in_dollars_a_kilowatt_hour(folder: Path) -> None:
    rows = (ROOT / "feeders/ieee123/assets.csv").read_text().splitlines()
    head = next(k for k, row in enumerate(rows) if row.startswith("resource,"))
    place = rows[head].split(",").index("cost_linear")

    def cheap(row: str) -> str:
        cells = row.split(",")
        cells[place] = str(float(cells[place]) / 1000)
        return ",".join(cells)

    (folder / "assets.csv").write_text("\n".join([*rows[: head + 1], *map(cheap, rows[head + 1 :])]) + "\n")
    (text,) = said(folder, ('case = "ieee123"', 'case = "ieee123"\nassets = "assets.csv"'))
    assert "assets.csv cost_linear: costs run from 0.0" in text
    assert "are they in $/kWh? expected $/MWh, 1000 times as much" in text


def test_a_misspelt_location_where_the_file_states_none(folder: Path) -> None:
    (text,) = said(folder, (".Z.NEMASSBOST", ".Z.NEMASSBOTS"))
    assert "scenario.toml wholesale.location: the price files state no location" in text
    assert "did you mean '.Z.NEMASSBOST'?" in text


def test_a_nominal_voltage_between_phases_of_a_load_to_ground() -> None:
    network = toy_network()
    right, wrong = network.loads[0], replace(network.loads[1], kv_base=network.loads[1].kv_base * 3**0.5)
    ratios = dict(odd_bases(replace(network, loads=(right, wrong))))
    assert ratios[right.name] == pytest.approx(1.0, abs=0.01)
    assert ratios[wrong.name] == pytest.approx(3**0.5, rel=0.01)


def test_a_wrong_base_is_said_with_the_load_and_the_figure(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study")
    circuit = study / "toy.dss"
    before = circuit.read_text()
    assert "kv=2.4" in before.lower()
    circuit.write_text(before.replace("kv=2.4 ", "kv=4.16 ").replace("kV=2.4 ", "kV=4.16 "))
    loaded = load_study(study)
    found = [text for text in doubts(loaded, load_series(loaded)) if "nominal voltage" in text]
    assert len(found) == 1
    assert "is 1.7" in found[0]
    assert "expected 1, the voltage to neutral" in found[0]


@pytest.mark.parametrize("name", [*SMALL, *PUBLISHED])
def test_published_circuits_have_no_odd_base(name: str) -> None:
    ratios = odd_bases(circuit(name).network)
    assert ratios
    wrong = [load for load, ratio in ratios for odd in WRONG_BASES if abs(ratio / odd - 1) < NEAR]
    # The published file of the first 34-node feeder says 24.9 kV of six loads between one phase and ground.
    known = [f"d832_858{end}{phase}" for phase in "abc" for end in "sr"] if name == "ieee34_mod1" else []
    assert wrong == known


def test_the_head_carries_what_its_conductors_do() -> None:
    study = load_study(CONFIGS)
    assert head_rating_kva(study.network) == pytest.approx(3 * 2.4018 * 700, rel=0.3)
