from __future__ import annotations

from pathlib import Path

import pytest
from toys import make_study

from dlmp_cosim.federates.study.inputs import FILE_KEYS, files_named, names_files
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.study import load_study


@pytest.mark.parametrize(("section", "key"), FILE_KEYS)
def test_every_key_that_names_files_is_one_of_a_scenario(section: str, key: str) -> None:
    schema = Scenario.model_json_schema()
    table = schema["properties"][section]
    table = schema["$defs"][(table.get("items") or table)["$ref"].rsplit("/", 1)[1]]
    text = str(table["properties"][key]).lower()
    assert "table" in text or "files" in text


def test_every_key_that_is_described_as_a_table_names_a_file() -> None:
    schema = Scenario.model_json_schema()
    titles = {
        name: (part.get("items") or part).get("$ref", "") for name, part in schema["properties"].items()
    }
    found = {
        (section, key)
        for section, ref in titles.items()
        for key, part in schema["$defs"].get(ref.rsplit("/", 1)[-1], {}).get("properties", {}).items()
        if "table of minutes,value" in part.get("description", "") and part.get("type") == "string"
    }
    assert found
    assert found <= set(FILE_KEYS)


def test_a_forecast_by_name_is_no_file() -> None:
    assert not names_files("forecast", "price", "day_ahead")
    assert names_files("forecast", "price", "mine.csv")
    assert not names_files("forecast", "price", "")
    assert not names_files("study", "name", "mine.csv")


def test_files_are_listed_as_the_scenario_writes_them() -> None:
    scenario = {
        "wholesale": {"files": ["a.csv", "b.csv"], "supply": ""},
        "forecast": {"price": "perfect", "demand": "d.csv"},
        "profile": [{"file": "p.csv"}, {"file": "q.csv"}],
    }
    assert files_named(scenario) == ["a.csv", "b.csv", "d.csv", "p.csv", "q.csv"]


def test_every_file_of_a_study_has_its_hash(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study")
    (folder / "price.csv").write_text("minutes,value\n0,20\n")
    (folder / "flat.csv").write_text("minutes,value\n0,1\n")
    tables = (
        '[forecast]\nprice = "price.csv"\n[[profile]]\nname = "flat"\nloads = ["load_*"]\nfile = "flat.csv"\n'
    )
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("[results]", f"{tables}[results]"))
    before = load_study(folder).input_hashes()
    assert {"price.csv", "flat.csv", "assets.csv", "scenario.toml"} <= before.keys()
    (folder / "flat.csv").write_text("minutes,value\n0,0.9\n")
    after = load_study(folder).input_hashes()
    assert {name for name in before if before[name] != after[name]} == {"flat.csv"}
