"""Packs: a study laid out elsewhere reads the same files by the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlmp_cosim.federates.study.checked_file import read_toml
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.sweep.pack import Packer

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize("name", ["ieee123_day", "ieee123_pv", "ieee123_player"])
def test_a_study_laid_out_elsewhere_has_the_same_inputs(name: str, tmp_path: Path) -> None:
    home = CONFIGS / name
    folder = Packer(home).pack(read_toml(home / "scenario.toml")).unpack(tmp_path)
    there, here = load_study(folder), load_study(home)
    assert there.scenario == here.scenario
    ours, theirs = here.input_hashes(), there.input_hashes()
    assert {k: v for k, v in theirs.items() if k != "scenario.toml"} == {
        k: v for k, v in ours.items() if k != "scenario.toml"
    }


def test_an_absolute_name_becomes_a_relative_one(tmp_path: Path) -> None:
    home = CONFIGS / "ieee123_day"
    table = read_toml(home / "scenario.toml")
    table["wholesale"]["files"] = [str((home / name).resolve()) for name in table["wholesale"]["files"]]
    folder = Packer(home).pack(table, {"assets.csv": "resource\n"}).unpack(tmp_path / "elsewhere")
    study = load_study(folder)
    assert not Path(study.scenario.wholesale.files[0]).is_absolute()
    assert study.data_file(study.scenario.wholesale.files[0]).is_file()
    assert (folder / "assets.csv").read_text() == "resource\n"


def test_tables_over_time_come_along_and_forecasts_by_name_do_not(tmp_path: Path) -> None:
    home, study = tmp_path / "elsewhere", tmp_path / "study"
    home.mkdir()
    study.mkdir()
    for name in ("price.csv", "flat.csv"):
        (home / name).write_text("minutes,value\n0,1\n")
    scenario = {
        "forecast": {"price": str(home / "price.csv"), "demand": "perfect"},
        "profile": [{"name": "flat", "loads": ["a"], "file": "../elsewhere/flat.csv"}],
    }
    folder = Packer(study).pack(scenario).unpack(tmp_path / "there")
    table = read_toml(folder / "scenario.toml")
    assert table["forecast"]["demand"] == "perfect"
    for name in (table["forecast"]["price"], table["profile"][0]["file"]):
        assert (folder / name).read_text() == "minutes,value\n0,1\n"
    assert scenario["forecast"]["price"] == str(home / "price.csv")


def test_a_circuit_comes_with_what_it_leads_to(tmp_path: Path) -> None:
    circuit, study = tmp_path / "net" / "case", tmp_path / "study"
    circuit.mkdir(parents=True)
    study.mkdir()
    (circuit / "Master.dss").write_text('Redirect ../codes.dss\n redirect "loads.dss" ! all\n')
    (circuit / "loads.dss").write_text("")
    (circuit / "shape.csv").write_text("1\n")
    (tmp_path / "net" / "codes.dss").write_text("compile deeper/more.dss\n")
    (tmp_path / "net" / "deeper").mkdir()
    (tmp_path / "net" / "deeper" / "more.dss").write_text("")
    (tmp_path / "net" / "unrelated.dss").write_text("")
    pack = Packer(study).pack({"feeder": {"case": "../net/case/Master.dss"}})
    assert sorted(pack.files) == [
        "net/case/Master.dss", "net/case/loads.dss", "net/case/shape.csv", "net/codes.dss",
        "net/deeper/more.dss", "study/scenario.toml",
    ]  # fmt: skip


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.csv: cannot be read"):
        Packer(tmp_path).pack({"feeder": {"assets": "nowhere.csv"}})
