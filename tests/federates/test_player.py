from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import numpy as np

from dlmp_cosim.federates.contract.topics import published_by
from dlmp_cosim.federates.player import main, player_text
from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import load_study

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "configs" / "ieee123_player"


def test_the_players_file_is_the_one_of_the_study() -> None:
    assert (STUDY / "prices.json").read_text() == player_text(load_study(STUDY))


def test_it_plays_every_topic_of_the_wholesale_federate_with_its_unit() -> None:
    content = json.loads((STUDY / "prices.json").read_text())
    found = {(row["key"], row["type"], row.get("unit", "")) for row in content["publications"]}
    assert found == {(topic.key, topic.type, topic.unit) for topic in published_by("wholesale")}
    assert all(row["global"] for row in content["publications"])
    series = load_series(load_study(STUDY))
    lmp = [row["value"] for row in content["points"] if row["key"] == "wholesale/lmp"]
    assert np.array_equal(lmp, series.lmp)
    assert [row["time"] for row in content["points"] if row["key"] == "wholesale/lmp"][:3] == [0, 3600, 7200]


def test_the_command_writes_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "ieee123_day").symlink_to(ROOT / "configs" / "ieee123_day")
    study = tmp_path / "study"
    study.mkdir()
    (study / "scenario.toml").write_text((STUDY / "scenario.toml").read_text())
    main([str(study)])
    assert (study / "prices.json").read_text() == (STUDY / "prices.json").read_text()


def test_the_plain_federate_needs_helics_and_the_standard_library_alone() -> None:
    tree = ast.parse((ROOT / "federates" / "plain.py").read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    foreign = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert foreign == {"helics"}
