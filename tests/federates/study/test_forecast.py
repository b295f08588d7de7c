"""Day-ahead prices as an owner may know them, with what CO2 adds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toys import make_study

from dlmp_cosim.federates.study import forecast as module
from dlmp_cosim.federates.study.forecast import day_ahead_prices
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError


@pytest.fixture
def hours(tmp_path: Path) -> Study:
    """Three hours of the toy study, an interval an hour."""
    return load_study(make_study(tmp_path / "study", intervals=3, period_s=3600))


def test_prices_are_the_day_ahead_ones_of_the_studys_files(hours: Study) -> None:
    found = day_ahead_prices(hours)
    assert found.shape == (3,)
    assert np.isfinite(found).all()
    assert found.tolist() == day_ahead_prices(hours).tolist()


def test_shorter_intervals_have_the_price_of_their_hour(hours: Study, tmp_path: Path) -> None:
    quarters = load_study(make_study(tmp_path / "short", intervals=12, period_s=900))
    assert day_ahead_prices(quarters).reshape(3, 4).tolist() == [[p] * 4 for p in day_ahead_prices(hours)]


def test_co2_comes_on_top(hours: Study) -> None:
    plain = day_ahead_prices(hours)
    emissions = hours.scenario.emissions
    assert emissions is None or not emissions.known
    with (hours.folder / "scenario.toml").open("a") as file:
        file.write("[emissions]\nrate = 400.0\nprice = 25.0\n")
    assert day_ahead_prices(load_study(hours.folder)) - plain == pytest.approx([10.0] * 3)


def test_files_of_the_scenario_are_read_at_its_location(
    hours: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def read(files: list[Path], **how: Any) -> str:
        asked.append((files, how))
        return "series"

    def resample(series: str, *when: int) -> Any:
        asked.append((series, when))
        return SimpleNamespace(values=np.array([5.0, 6.0, 7.0]))

    monkeypatch.setattr(module, "read_series", read)
    monkeypatch.setattr(module, "resample", resample)
    wholesale = hours.scenario.wholesale.model_copy(update={"files": ["a.csv"], "location": ".Z.NEMA"})
    for name in ("a.csv",):
        (hours.folder / name).write_text("")
    other = replace(hours, scenario=hours.scenario.model_copy(update={"wholesale": wholesale}))
    assert day_ahead_prices(other).tolist() == [5.0, 6.0, 7.0]
    assert asked == [
        ([hours.folder / "a.csv"], {"location": ".Z.NEMA", "market": "day_ahead"}),
        ("series", (3600, hours.clock.start_utc, 3)),
    ]


def test_a_day_that_the_files_do_not_hold_is_refused(hours: Study) -> None:
    file = hours.folder / "scenario.toml"
    file.write_text(file.read_text().replace("2020-08-25", "2021-08-25"))
    with pytest.raises(InputError):
        day_ahead_prices(load_study(hours.folder))
