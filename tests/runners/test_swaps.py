"""Partners swapped by configuration alone: a player, a foreign program, another market, another engine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.federates.feeder import open_engine
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import load_runner
from dlmp_cosim.runners.run.supervise import supervise

ROOT = Path(__file__).parents[2]
STUDIES = ("battery", "pv", "ev", "uniform", "pgm", "player", "plain")


def copied(name: str, place: Path, **changes: str) -> Path:
    """Copy a study with lines of its scenario changed; results go beside it."""
    configs = place / "configs"
    configs.mkdir(exist_ok=True)
    if not (configs / "ieee123_day").exists():
        (configs / "ieee123_day").symlink_to(ROOT / "configs" / "ieee123_day")
    study = configs / name
    study.mkdir()
    for file in (ROOT / "configs" / name).iterdir():
        (study / file.name).write_text(file.read_text())
    changes["file"] = f'"{study / "results.h5"}"'
    lines = (study / "scenario.toml").read_text().splitlines()
    for key, value in changes.items():
        lines = [f"{key} = {value}" if line.partition("=")[0].strip() == key else line for line in lines]
    (study / "scenario.toml").write_text("\n".join(lines) + "\n")
    return study


def started(name: str, place: Path, swap: dict[str, str], **changes: str) -> Path:
    """Run a copied study as processes, by its own runner file; return its results."""
    study = copied(name, place, **changes)
    content = json.loads((ROOT / "runners" / f"{name}.json").read_text())
    for member in content["federates"]:
        member["directory"] = str(ROOT)
        for old, new in {f"configs/{name}": str(study), **swap}.items():
            member["exec"] = member["exec"].replace(old, new)
    path = place / f"{name}.json"
    path.write_text(json.dumps(content))
    runner = load_runner(path)
    assert check_study(runner).errors == ()
    assert supervise(runner, time_limit_s=90.0) is None
    return study / "results.h5"


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_sound(name: str) -> None:
    report = check_study(load_runner(ROOT / "runners" / f"ieee123_{name}.json"))
    assert report.errors == ()


def test_wrong_settings_of_an_owner_are_refused_before_anything_starts(tmp_path: Path) -> None:
    study = copied("ieee123_battery", tmp_path, wear='"much"')
    content = (ROOT / "runners" / "ieee123_battery.json").read_text()
    path = tmp_path / "battery.json"
    path.write_text(content.replace('".."', f'"{ROOT}"').replace("configs/ieee123_battery", str(study)))
    (error,) = check_study(load_runner(path)).errors
    assert "owner.battery.settings wear" in str(error)


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_a_player_gives_the_prices_without_a_change_but_in_the_runner_file(tmp_path: Path) -> None:
    by_player = started("ieee123_player", tmp_path, {"86400s": "10800s"}, intervals="3")
    changes = {"model": '"nodal"', "anchored": "true", "regulators": '"automatic"'}
    ours = load_study(copied("ieee123_uniform", tmp_path, intervals="3", **changes))
    run_local(ours)
    with Results(by_player) as found, Results(ours.results_file) as expected:
        assert found.complete
        for key in (
            "wholesale/lmp",
            "wholesale/demand_ratio",
            "market/dispatch_real",
            "feeder/voltage_magnitude",
        ):
            assert np.array_equal(found.values(key), expected.values(key)), key


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_a_program_of_another_kind_sells_by_its_json_file_alone(tmp_path: Path) -> None:
    file = started("ieee123_plain", tmp_path, {"--intervals 24": "--intervals 3"}, intervals="3",
                   start='"2020-08-25T08:00:00"')  # fmt: skip
    with Results(file) as results:
        kw = results.values("market/dispatch_real")[:, results.ids("market/dispatch_real").index("backup_47")]
        price = results.values("market/dlmp_real")[:, results.ids("market/dlmp_real").index("47.1")]
        assert not any(record["refused"] for record in results.records("market/clearing"))
    assert kw.max() > 100.0
    assert ((kw > 1.0) == (price > 31.0)).all()
    log = (file.parent / "results.run" / "plain.log").read_text()
    assert f"plain: {kw.sum():.1f} kWh" in log


def test_another_market_is_judged_by_the_same_audit(tmp_path: Path) -> None:
    study = load_study(copied("ieee123_uniform", tmp_path, intervals="2", start='"2020-08-25T18:00:00"'))
    run_direct(study)
    with Results(study.results_file) as results:
        assert results.complete
        price, lmp = results.values("market/dlmp_real"), results.values("wholesale/lmp")
        assert np.abs(price - lmp[:, None]).max() == 0.0
        verdicts = results.records("audit/verdict")
        assert results.values("audit/violations").max() > 0, "it looks at no limit, and the audit says so"
        assert results.values("audit/violations_unpriced").max() > 0
        assert len(verdicts[0]["violations"]) == results.values("audit/violations")[0]
    assert len((ROOT / "market" / "baselines" / "uniform.py").read_text().splitlines()) < 80


def test_another_engine_gives_the_same_states(tmp_path: Path) -> None:
    states: dict[str, Any] = {}
    for engine in ("power_grid_model", "opendss"):
        place = tmp_path / engine
        place.mkdir()
        changes = {"engine": f'"{engine}"', "intervals": "3", "start": '"2020-08-25T15:00:00"'}
        study = load_study(copied("ieee123_pgm", place, **changes))
        run_direct(study)
        with Results(study.results_file) as results:
            assert results.complete
            states[engine] = [
                results.values(f"feeder/{key}") for key in ("voltage_magnitude", "voltage_angle")
            ]
    for one, other in zip(*states.values(), strict=True):
        assert np.abs(one - other).max() < 1e-4


def test_an_engine_without_regulators_refuses_automatic_ones() -> None:
    study = load_study(ROOT / "configs" / "ieee123_pgm")
    feeder = study.scenario.feeder.model_copy(update={"regulators": "automatic"})
    wrong = replace(study, scenario=study.scenario.model_copy(update={"feeder": feeder}))
    with pytest.raises(InputError, match=r"feeder\.regulators: power_grid_model does not move regulators"):
        open_engine(wrong)
