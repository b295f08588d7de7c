"""The Python API on one short run: places, units, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError, InputError, ResultsError
from dlmp_cosim.runners.api import PICTURES, open_run, read_sweep, run_study

pytestmark = pytest.mark.federation


def test_a_bus_stands_for_its_nodes(short_run: Path) -> None:
    run = open_run(short_run)
    prices = run.frame("market/dlmp_real", at="83")
    assert list(prices.columns) == ["83.1", "83.2", "83.3"]
    assert str(prices.index[0]) == "2020-08-25 17:00:00+00:00"
    assert prices.attrs["unit"] == "$/MWh"
    with Results(short_run) as results:
        at = results.ids("market/dlmp_real").index("83.2")
        assert np.array_equal(prices["83.2"], results.values("market/dlmp_real")[:, at])
    both = run.frame("market/dlmp_real", at=["83.2", "150"])
    assert list(both.columns) == ["83.2", "150.1", "150.2", "150.3"]


def test_xarray_says_the_same_with_dimensions_and_units(short_run: Path) -> None:
    run = open_run(short_run)
    array = run.array("market/dlmp_real")
    assert array.dims == ("time", "node")
    assert array.attrs["units"] == "$/MWh"
    assert np.array_equal(array.sel(node="83.2"), run.frame("market/dlmp_real", at="83.2")["83.2"])
    assert run.array("wholesale/lmp").dims == ("time",)


def test_money_adds_up_by_load(short_run: Path) -> None:
    run = open_run(short_run)
    paid = run.frame("settlement/load_account")
    assert paid.attrs["unit"] == "$"
    assert float(paid.to_numpy().sum()) == pytest.approx(run.money["load_usd"])
    assert run.summary["intervals"] == len(paid) == 6
    assert {"market/dlmp_real", "settlement/load_account"} <= set(run.topics)
    assert paid.shape[1] == len(run.network.loads)


def test_what_there_is_not_has_a_nearest_name(short_run: Path, tmp_path: Path) -> None:
    run = open_run(short_run)
    with pytest.raises(InputError, match="did you mean 'market/dlmp_real'"):
        run.frame("market/dlmp_rael")
    with pytest.raises(InputError, match=r"unknown node '83.9'"):
        run.frame("market/dlmp_real", at="83.9")
    with pytest.raises(InputError, match="did you mean 'day'"):
        run.draw("days")
    with pytest.raises(ResultsError):
        open_run(tmp_path)
    with pytest.raises(ResultsError, match=r"holds no summary.parquet"):
        read_sweep(tmp_path)


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures_of_the_report_are_drawn(short_run: Path, picture: str) -> None:
    assert open_run(short_run).draw(picture).axes


def test_a_study_runs_with_other_keys(short_study: Path, tmp_path: Path) -> None:
    run = run_study(
        short_study, tmp_path, {"time.intervals": 1, "market.model": "none", "market.anchored": False}
    )
    assert run.path == tmp_path / "results.h5"
    assert run.summary["intervals"] == run.summary["expected"] == 1
    with pytest.raises(DlmpError, match="did you mean 'intervals'"):
        run_study(short_study, tmp_path, {"time.intervls": 1})
