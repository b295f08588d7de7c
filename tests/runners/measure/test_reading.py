from __future__ import annotations

from pathlib import Path

import numpy as np

from dlmp_cosim.market.isone import read_series
from dlmp_cosim.runners.measure import reading


def test_both_ways_read_the_same_prices(tmp_path: Path) -> None:
    files = reading.write_five_minute_day(tmp_path)
    assert len(files) == 6
    rows = reading._split_rows(files)
    prices = rows.loc[rows["Location ID"] == "4008", "LMP"].to_numpy()
    np.testing.assert_array_equal(read_series(files, location=reading.WANTED).values, prices)


def test_reading_is_timed_each_way() -> None:
    took = reading.time_reading(1)
    assert set(took) == {"reading", "reading_pandas"}
    assert all(value > 0 for value in took.values())
