"""`dlmp ahead` on a short run of a battery that the market looks ahead for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.battery import Battery
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.judge.ahead import ahead_command

CONFIGS = Path(__file__).parents[3] / "configs"
HORIZON = """method = "interior-point"
horizon = [{ minutes = 60 }]
"""
FORECAST = """[forecast]
price = "persistence"
demand = "perfect"

"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five hours of the battery's study, cleared to the end of the run."""
    place = tmp_path_factory.mktemp("ahead")
    folder = place / "configs" / "ieee123_battery"
    shutil.copytree(CONFIGS / "ieee123_battery", folder)
    (place / "configs" / "ieee123_day").symlink_to(CONFIGS / "ieee123_day")
    text = (folder / "scenario.toml").read_text().replace('model = "nodal"\n', f'model = "nodal"\n{HORIZON}')
    text = text.replace("[[owner]]\n", f"{FORECAST}[[owner]]\n")
    text = text.replace("intervals = 24", "intervals = 5").replace("T00:00:00", "T14:00:00")
    (folder / "scenario.toml").write_text(text.replace("start_kwh = 300", "start_kwh = 300\nend_kwh = 300"))
    study = load_study(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLMP_RESULTS_DIR", str(place))
        run_direct(study, {**ROLES, "battery": Battery})
        return study.results_file


def told(*arguments: object, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(ahead_command, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_the_run_records_what_it_expected(run: Path) -> None:
    with Results(run) as results:
        assert results.complete
        assert not any(record["refused"] or record["held"] for record in results.records("market/clearing"))
        plans = results.records("market/horizon")
        demand = [plan["steps"][0]["demand_kw"] for plan in plans]
        power = results.values("market/dispatch_real")[:, -1]
    assert [len(plan["steps"]) for plan in plans] == [5, 4, 3, 2, 1]
    assert plans[0]["forecast"]["price"] == "persistence"
    assert [step["demand_kw"] for step in plans[0]["steps"]] == pytest.approx(demand)
    planned = plans[0]["resources"]["battery_76"]
    assert planned["kw"][0] == pytest.approx(power[0], abs=0.5)
    assert planned["energy_kwh"][-1] >= 300.0 - 0.1


def test_energy_is_conserved_over_the_run(run: Path) -> None:
    with Results(run) as results:
        energy = np.concatenate([[300.0], results.values("battery/energy")])
        kw = results.values("market/dispatch_real")[:, -1]
    assert np.abs(np.diff(energy) - np.where(kw > 0, -kw / 0.95, -kw * 0.95)).max() < 1e-9
    assert energy[-1] == pytest.approx(300.0, abs=0.1)
    assert energy.max() <= 600.0 + 1e-9


def test_the_command_tells_errors_and_earnings(run: Path) -> None:
    table: dict[str, Any] = json.loads(told(run, "--json"))
    (lead, *_) = table["leads"]
    assert lead["demand"] == pytest.approx(0.0, abs=1e-6)
    assert lead["lmp"] > 1.0
    store = table["stores"]["battery_76"]
    assert store["earned_usd"] <= store["foresight_usd"] + 1e-6
    assert store["conserved_kwh"] < 1e-9
    assert sum(store["rent_usd"]) == pytest.approx(store["earned_usd"])
    parts = ("energy_usd", "losses_usd", "wear_usd", "voltage_usd", "congestion_usd")
    assert table["day"]["total_usd"] == pytest.approx(sum(table["day"][part] for part in parts))


def test_it_compares_and_draws(run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "ahead.png"
    text = told(run, "--without", run, "--figure", picture)
    assert "perfect foresight" in text
    assert "without" in text
    assert picture.stat().st_size > 10_000


def test_a_run_that_did_not_look_ahead_is_named(short_run: Path) -> None:
    assert "did not look ahead" in told(short_run, code=1)
