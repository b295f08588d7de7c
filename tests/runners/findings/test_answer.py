"""Who gains where the LMP answers: sums of a sweep that is told, run by run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlmp_cosim.runners.findings.answer import SIDES, draw, found, table

SLOPES = (0.0, 2.0, 8.0)
TIMES = pd.date_range("2020-08-25", periods=3, freq="30min", tz="UTC")
FROM_KW = 1000.0
LMP = np.array([30.0, 40.0, 50.0])
KW = {0.0: [1200.0, 1500.0, 900.0], 2.0: [1150.0, 1400.0, 920.0], 8.0: [1100.0, 1250.0, 950.0]}


def sweep(slopes: tuple[float, ...] = SLOPES, phases: int = 3) -> Any:
    """Every run settled on its curve; its power comes in as many parts as the head has phases."""
    power, price = [], []
    for slope in slopes:
        for time, kw, lmp in zip(TIMES, KW[slope], LMP, strict=True):
            power += [{"slope": slope, "time": time, "value": kw / phases}] * phases
            price.append({"slope": slope, "time": time, "value": lmp + slope * (kw - FROM_KW) / 1e3})
    topics = {"feeder/head_power_real": pd.DataFrame(power), "wholesale/lmp": pd.DataFrame(price)}
    rows = [{"slope": slope, "cost": 100.0 + slope, **dict.fromkeys(SIDES, 10.0 * slope)} for slope in slopes]
    return SimpleNamespace(topic=topics.__getitem__, summary=pd.DataFrame(rows))


def test_a_row_a_slope_from_the_least_on() -> None:
    rows = found(sweep((8.0, 0.0, 2.0)))
    assert rows.index.tolist() == [0.0, 2.0, 8.0]
    assert rows["cost"].tolist() == [100.0, 102.0, 108.0]


def test_the_mean_price_is_over_time() -> None:
    rows = found(sweep())
    assert rows["lmp"].tolist() == pytest.approx(
        [40.0, *(40.0 + slope * (np.mean(KW[slope]) - FROM_KW) / 1e3 for slope in SLOPES[1:])]
    )


def test_a_dispatch_as_at_a_given_lmp_is_billed_on_the_curve() -> None:
    """The power of the flat run, at the rise that it would bring about, half an hour each."""
    rows, flat = found(sweep()), np.array(KW[0.0])
    for slope in SLOPES:
        rise = slope * (flat - FROM_KW) / 1e3
        assert rows["unaware"].loc[slope] == pytest.approx(100.0 + float((rise * flat).sum()) * 0.5 / 1e3)


@pytest.mark.parametrize("phases", [1, 3])
def test_phases_of_the_head_are_added_up(phases: int) -> None:
    pd.testing.assert_frame_equal(found(sweep(phases=phases)), found(sweep()))


def test_a_table_says_what_is_saved() -> None:
    rows = table(sweep())
    assert list(rows.columns) == [
        "mean LMP [$/MWh]",
        "cost, dispatch as at a given LMP",
        "cost, settled with the answer",
        "saved",
        *SIDES.values(),
    ]
    difference = rows["cost, dispatch as at a given LMP"] - rows["cost, settled with the answer"]
    assert rows["saved"].tolist() == pytest.approx(difference.tolist(), abs=0.011)
    assert rows["saved"].loc[0.0] == 0.0
    assert rows["loads pay"].tolist() == [0.0, 20.0, 80.0]


def test_a_picture_has_a_line_for_either_cost_and_every_side() -> None:
    left, right = draw(sweep()).axes
    assert [line.get_label() for line in left.lines] == [
        "dispatch as at a given LMP",
        "settled with the answer",
    ]
    assert [line.get_label() for line in right.lines][: len(SIDES)] == list(SIDES.values())
    assert np.asarray(right.lines[0].get_ydata())[0] == 0.0, "change over a given LMP"
