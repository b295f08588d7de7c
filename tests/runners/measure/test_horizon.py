"""`dlmp horizon`: recorded horizons against the central reference, and a day against all of it at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.battery import Battery
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.judge.day_cost import day_cost
from dlmp_cosim.runners.measure.horizon import horizon_command

CONFIGS = Path(__file__).parents[3] / "configs"
AHEAD = """model = "nodal"
method = "interior-point"
horizon = [{ minutes = 60 }]
"""
FORESIGHT = """[forecast]
price = "perfect"
demand = "perfect"

[[owner]]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A battery's study over the five hours around the dearest, by one who knows what comes, and its run."""
    place = tmp_path_factory.mktemp("horizon")
    shutil.copytree(CONFIGS / "ieee123_battery", place / "ieee123_battery")
    (place / "ieee123_day").symlink_to(CONFIGS / "ieee123_day")
    scenario = place / "ieee123_battery" / "scenario.toml"
    text = scenario.read_text().replace('model = "nodal"\n', AHEAD).replace("T00:00:00", "T14:00:00")
    text = text.replace("intervals = 24", "intervals = 5").replace("[[owner]]\n", FORESIGHT)
    # Taps that move after a dispatch make another of the best one.
    scenario.write_text(text.replace('case = "ieee123"\n', 'case = "ieee123"\nregulators = "neutral"\n'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLMP_RESULTS_DIR", str(place))
        run_direct(load_study(scenario.parent), {**ROLES, "battery": Battery})
    return place


def told(place: Path, *options: str, code: int = 0) -> str:
    words = [str(place / "ieee123_battery"), str(place / "results.h5"), *options]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(horizon_command, words)
    assert shown.exit_code == code, shown.output
    return shown.output


def test_recorded_horizons_are_cleared_as_the_reference_clears_them(place: Path) -> None:
    found = json.loads(told(place, "--every", "2", "--json"))
    assert [(gap["interval"], gap["steps"]) for gap in found] == [(0, 5), (2, 3), (4, 1)]
    for gap in found:
        assert gap["cost"] <= 1e-4
        assert gap["price"] <= 0.1
        assert gap["dispatch"] <= 0.5
        assert gap["rounds"] > 0
    assert "cost gap" in told(place, "--every", "4")


def test_rolling_with_foresight_costs_what_the_day_at_once_would(place: Path) -> None:
    found = json.loads(told(place, "--at-once", "--json"))
    with Results(place / "results.h5") as results:
        assert found["rolled_usd"] == day_cost(results).total_usd
    assert found["at_once_usd"] == pytest.approx(found["rolled_usd"], rel=5e-3)
    assert found["excess"] == pytest.approx(found["rolled_usd"] / found["at_once_usd"] - 1.0)
    assert "planned at once, knowing what came" in told(place, "--at-once")


def test_a_study_of_single_intervals_is_refused(place: Path) -> None:
    words = [str(CONFIGS / "ieee123_day"), str(place / "results.h5"), "--at-once"]
    shown = CliRunner().invoke(horizon_command, words)
    assert shown.exit_code == 1
    assert "the study clears one interval at a time" in shown.output
