from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import CONFIGS

from dlmp_cosim.federates.study.scenario import Scenario, load_scenario
from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.wholesale import Wholesale
from dlmp_cosim.feeders.errors import InputError


def study(**changes: dict[str, Any]) -> Study:
    """The shipped study with tables of its scenario changed."""
    table = load_scenario(CONFIGS / "scenario.toml").model_dump()
    for name, values in changes.items():
        table[name] |= values
    return Study(CONFIGS, Scenario.model_validate(table))


def test_the_day_is_replayed_in_five_minutes() -> None:
    series = load_series(study())
    assert len(series.lmp) == len(series.demand_ratio) == 288
    assert series.lmp.mean() == pytest.approx(27.44125)
    np.testing.assert_allclose(series.energy + series.congestion + series.loss, series.lmp, atol=0.015)
    assert series.demand_ratio.reshape(24, 12).mean(axis=1).max() == pytest.approx(1.0)
    assert series.source["parts"] is True


def test_demand_is_a_share_of_the_peak_of_its_days_however_short_the_run() -> None:
    day = load_series(study()).demand_ratio
    hour = load_series(study(time={"start": "2020-08-25T06:00:00", "intervals": 12})).demand_ratio
    np.testing.assert_allclose(hour, day[72:84])


def test_prices_are_scaled_when_asked_to() -> None:
    series = load_series(study(wholesale={"scale_to_mean": 26.7}))
    assert series.lmp.mean() == pytest.approx(26.7)
    assert any("scaled" in note for note in series.source["price"]["derived"])  # type: ignore[index]


def test_the_day_ahead_is_another_price() -> None:
    assert load_series(study(wholesale={"market": "day_ahead"})).lmp.mean() == pytest.approx(28.887, abs=1e-3)


def test_a_price_without_parts_counts_as_energy(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    text = (CONFIGS / "data" / "smd_hourly_NEMA_20200824-20200826.csv").read_text().splitlines()
    names = text[0].split(",")
    keep = [k for k, name in enumerate(names) if not name.upper().endswith(("_EC", "_CC", "_MLC"))]
    file.write_text("\n".join(",".join(line.split(",")[k] for k in keep) for line in text) + "\n")
    series = load_series(study(wholesale={"files": [str(file)]}))
    assert series.source["parts"] is False
    assert series.energy.tolist() == series.lmp.tolist()
    assert not series.congestion.any()


def test_a_run_beyond_the_data_is_refused() -> None:
    with pytest.raises(InputError, match="no lmp"):
        load_series(study(time={"intervals": 1000}))


def test_the_federate_publishes_the_series(scripted: Any) -> None:
    link = scripted({})
    federate = Wholesale(study(time={"intervals": 3}))
    assert ".Z.NEMASSBOST" in str(federate.initial()["wholesale/source"])
    federate.run(link)
    federate.close()
    assert [time for time, what in link.trace if what == "wholesale/demand_ratio"] == [0.0, 300.0, 600.0]
    assert link.outputs["wholesale/lmp"] == pytest.approx(20.33)
