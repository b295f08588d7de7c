from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.offering import Interval
from dlmp_cosim.federates.pv import Pv
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.irradiance import (
    Place,
    clear_sky,
    passing_clouds,
    read_irradiance,
    write_irradiance,
)
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError

CONFIGS = Path(__file__).parents[2] / "configs"
DAY = Clock(1_598_328_000, 300, 288)
TABLE = CONFIGS / "ieee123_pv" / "irradiance.csv"


def test_clouds_are_the_same_for_the_same_seed_and_pass() -> None:
    share = passing_clouds(288, 300, 3)
    assert np.array_equal(share, passing_clouds(288, 300, 3))
    assert not np.array_equal(share, passing_clouds(288, 300, 4))
    assert 0.2 <= share.min() < 0.5
    assert share.max() <= 1.0
    cover = np.mean([(passing_clouds(2000, 300, seed) < 0.75).mean() for seed in range(8)])
    assert cover == pytest.approx(0.4, abs=0.1)


@pytest.mark.filterwarnings("ignore:DatetimeIndex.dayofyear")  # pvlib 0.16 under pandas 3.1
def test_the_table_of_the_study_is_the_clear_sky_behind_those_clouds() -> None:
    pytest.importorskip("pvlib")
    sky = clear_sky(DAY, Place())
    assert sky.max() == pytest.approx(950.0, abs=60.0)
    assert sky[:60].max() == 0.0, "night before five o'clock"
    assert np.abs(read_irradiance(TABLE, DAY) - sky * passing_clouds(288, 300, 3)).max() < 1.0


def test_a_table_survives_writing_and_finer_or_later_runs_are_covered_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "sun.csv"
    write_irradiance(file, Clock(DAY.start_utc, 300, 4), np.array([1.0, 2.0, 3.0, 4.0]), "by hand")
    fine = Clock(DAY.start_utc, 60, 20)
    assert np.array_equal(read_irradiance(file, fine), np.repeat([1.0, 2.0, 3.0, 4.0], 5))
    for clock in (Clock(DAY.start_utc - 300, 300, 2), Clock(DAY.start_utc + 900, 300, 2)):
        with pytest.raises(InputError, match=r"sun\.csv: does not cover the run; expected 2020-08-25T0"):
            read_irradiance(file, clock)


@pytest.mark.parametrize(
    "text",
    [
        "time,sun\n2020-08-25T04:00:00Z,1",
        "utc,irradiance_wm2\n2020-08-25T04:00:00,1",
        "utc,irradiance_wm2\n2020-08-25T04:00:00Z,nan",
        "utc,irradiance_wm2\n2020-08-25T04:00:00Z,-3",
        "utc,irradiance_wm2\n2020-08-25T04:00:00Z",
        "utc,irradiance_wm2\n2020-08-25T04:05:00Z,1\n2020-08-25T04:00:00Z,1",
        "",
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sun.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=r"sun\.csv"):
        read_irradiance(file, DAY)


def test_without_pvlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "pvlib.irradiance", None)
    with pytest.raises(InputError, match=r"dlmp-cosim\[pv\]"):
        clear_sky(DAY, Place())


def test_a_plant_offers_what_the_sun_gives_and_the_rest_of_its_rating() -> None:
    plants = Pv(load_study(CONFIGS / "ieee123_pv"))
    bright, cloudy = (plants.offer(Interval(k, 1 / 12, 25.0, 0.6)) for k in (3, 14))
    assert [offer.resource for offer in bright] == ["pv_66", "pv_114", "pv_83"]
    assert bright[0].p_max_kw == pytest.approx(240.0 * 0.945, abs=5.0)
    assert cloudy[0].p_max_kw < 0.5 * bright[0].p_max_kw
    assert (bright[0].q_min_kvar, bright[0].q_max_kvar, bright[0].s_max_kva) == (-300.0, 300.0, 300.0)


@pytest.mark.parametrize("expected", ["persistence", "perfect", "sun.csv"])
def test_a_plant_says_what_it_expects_of_later_steps(tmp_path: Path, expected: str) -> None:
    study = ahead(tmp_path, expected)
    plants = Pv(study)
    offers = [plants.offer(Interval(k, 1 / 12, 25.0, 0.6))[0] for k in range(3)]
    later = [offer.ahead.later.p_max_kw if offer.ahead else () for offer in offers]
    if expected == "persistence":
        assert later == [(), (), ()]
    elif expected == "perfect":
        now = [offer.p_max_kw for offer in offers]
        assert later[0] == pytest.approx((now[1], now[2], *later[2]))
    else:
        assert later[0] == pytest.approx((120.0, *[60.0] * 4))


def test_a_forecast_of_the_sun_that_is_none_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"forecast\.pv: .*'perfct'.*'perfect'"):
        Pv(ahead(tmp_path, "perfct"))


def ahead(folder: Path, expected: str) -> Study:
    """Six intervals, cleared to the end of the run; the sun of a table halves, and halves again."""
    study = hour(folder, sells=True).folder
    file = study / "scenario.toml"
    text = file.read_text().replace("intervals = 8", "intervals = 6")
    text = text.replace('model = "nodal"', 'model = "nodal"\nhorizon = [{ minutes = 5 }]', 1)
    text = text.replace("[[owner]]", f'[forecast]\npv = "{expected}"\n\n[[owner]]', 1)
    file.write_text(text)
    (study / "sun.csv").write_text("minutes,value\n0,1000\n5,500\n10,250\n")
    return load_study(study)


def hour(folder: Path, *, sells: bool) -> Study:
    """Eight intervals of the study, with or without reactive power."""
    source = CONFIGS / "ieee123_pv"
    study = folder / "configs" / f"pv_{sells}"
    study.mkdir(parents=True)
    if not (folder / "configs" / "ieee123_day").exists():
        (folder / "configs" / "ieee123_day").symlink_to(CONFIGS / "ieee123_day")
    for file in source.iterdir():
        (study / file.name).write_text(file.read_text())
    text = (source / "scenario.toml").read_text().replace("intervals = 24", "intervals = 8")
    text = text.replace("sells_reactive = true", f"sells_reactive = {str(sells).lower()}")
    text = text.replace("results/ieee123_pv", str(study))
    (study / "scenario.toml").write_text(text)
    return load_study(study)


def test_inverters_that_sell_reactive_power_bring_its_price_towards_nothing(tmp_path: Path) -> None:
    price = {}
    for sells in (False, True):
        study = hour(tmp_path, sells=sells)
        run_direct(study, {**ROLES, "pv": Pv})
        with Results(study.results_file) as results:
            node = results.ids("market/dlmp_reactive").index("66.1")
            price[sells] = np.abs(results.values("market/dlmp_reactive")[:, node]).mean()
            kvar = results.values("market/dispatch_reactive")[:, -3:]
            kw = results.values("market/dispatch_real")[:, -3:]
        assert bool(np.abs(kvar).max() > 1.0) is sells
        assert (np.hypot(kw, kvar) <= np.array([300.0, 125.0, 250.0]) * (1 + 1e-6)).all()
    assert price[True] < 0.5 * price[False]
