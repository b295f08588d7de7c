"""What sweeps found, from runs made up so that the answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from dlmp_cosim.runners.findings import answer, hosting, strategic
from dlmp_cosim.runners.findings.command import FINDINGS, findings_command
from dlmp_cosim.runners.tables.columns import Column, table_of_rows, write_table


@dataclass
class MadeUp:
    """A sweep of tables."""

    summary: pd.DataFrame
    topics: dict[str, pd.DataFrame]

    def topic(self, kept: str) -> pd.DataFrame:
        return self.topics[kept].merge(self.summary, on="run")


def ramp(first: dict[int, int]) -> pd.DataFrame:
    """Broken limits of runs: from the given minute on; never where it is 0."""
    times = pd.date_range("2020-08-25T16:00", periods=hosting.STEPS, freq="min", tz="UTC")
    rows = [(run, time, float(0 < at <= k + 1)) for run, at in first.items() for k, time in enumerate(times)]
    return pd.DataFrame(rows, columns=["run", "time", "value"])


@pytest.fixture
def hosted() -> MadeUp:
    rows = [
        {"run": 4 * draw + m, "draw": draw, "place": "far", "market": market, "installed": 6980.0,
         "status": "finished", "generation_energy": 1221.5 * (0.75 if market == "anchored" else 1)}
        for draw in range(3) for m, market in enumerate(hosting.MARKETS)
    ][:-1]  # fmt: skip
    first = {row["run"]: 0 if row["market"] == "anchored" else 3 + int(row["draw"]) for row in rows}
    return MadeUp(pd.DataFrame(rows), {"audit/violations": ramp(first)})


def test_capacity_is_the_penetration_at_the_first_broken_limit(hosted: MadeUp) -> None:
    found = hosting.capacities(hosted)  # type: ignore[arg-type]
    assert set(found["draw"]) == {0, 1}, "the third draw is not whole"
    by_market = found.groupby("market")["penetration"]
    assert by_market.get_group("none").tolist() == [30.0, 40.0]
    assert by_market.get_group("anchored").tolist() == [210.0, 210.0]
    assert found.groupby("market")["curtailed"].median().round(6).to_dict() == {
        "none": 0.0, "balanced": 0.0, "open_loop": 0.0, "anchored": 25.0,
    }  # fmt: skip


def test_the_table_has_every_place_and_market(hosted: MadeUp) -> None:
    table = hosting.table(hosted)  # type: ignore[arg-type]
    assert list(table.index) == [(place, market) for place in hosting.PLACES for market in hosting.MARKETS]
    assert table.loc[("far", "none"), "median"] == 35.0
    assert hosting.draw(hosted).axes  # type: ignore[arg-type]


def test_gain_is_over_the_truth_at_true_cost() -> None:
    runs = pd.DataFrame(
        {
            "run": [0, 1],
            "owner": "dg_13",
            "asked": [1.0, 2.0],
            "load_payment": [100.0, 130.0],
            "status": "finished",
        }
    )
    paid = pd.DataFrame({"run": [0, 1], "resource": "dg_13", "value": [20.0, 18.0]})
    times = pd.to_datetime(["2020-08-25T17:00Z", "2020-08-25T18:00Z"])
    power = pd.DataFrame(
        {
            "run": [0, 0, 1, 1],
            "time": [*times, *times],
            "resource": "dg_13",
            "value": [240.0, 240.0, 100.0, 100.0],
        }
    )
    found = strategic.gains(
        MadeUp(runs, {"settlement/generation_account:sum": paid, "feeder/injection_real": power})  # type: ignore[arg-type]
    )
    cost = [2 * (27.5 * kw + 0.02865 * kw**2 / 2) / 1e3 for kw in (240.0, 100.0)]
    assert found["profit"].tolist() == pytest.approx([20.0 - cost[0], 18.0 - cost[1]])
    assert found["gain"].tolist() == pytest.approx([0.0, 18.0 - cost[1] - 20.0 + cost[0]])
    assert found["loads_pay_more"].tolist() == [0.0, 30.0]
    assert set(found["bus"]) == {"13"}


def test_a_sweep_of_ones_own_has_no_findings_here(tmp_path: Path) -> None:
    table = table_of_rows([Column("run", "integer")], [{"run": 0}], {"sweep": "mine"})
    write_table(table, tmp_path / "summary.parquet")
    done = CliRunner().invoke(findings_command, [str(tmp_path)])
    assert done.exit_code == 1
    assert "unknown sweep 'mine'; expected one of" in done.output.replace("\n", " ")
    assert all(name in done.output for name in FINDINGS)


@pytest.mark.federation
def test_only_a_claimed_baseline_pays_for_what_never_was(short_run: Path) -> None:
    from dlmp_cosim.runners.api import open_run
    from dlmp_cosim.runners.findings.baseline import payments

    found = payments(open_run(short_run), 0.2)
    assert found.loc["claimed baseline", "gain"] > 0.5 * found.loc["claimed baseline", "honest"] > 0
    assert found.loc["award", "gain"] == found.loc["bought baseline", "gain"] == 0.0
    assert found.loc["award", "honest"] == pytest.approx(found.loc["claimed baseline", "honest"])
    assert (payments(open_run(short_run), 0.0)["gain"] == 0.0).all()


@pytest.fixture
def answered() -> MadeUp:
    """Two hours, two slopes; the LMP is as given where 1000 kW are drawn."""
    times = pd.date_range("2020-08-25T16:00", periods=2, freq="h", tz="UTC")
    draws = {0: (2000.0, 1000.0), 1: (1800.0, 1000.0)}
    slopes, power, price = (0.0, 10.0), [], []
    for run, kws in draws.items():
        for time, kw, lmp in zip(times, kws, (30.0, 20.0), strict=True):
            power += [(run, "a", time, 0.25 * kw), (run, "b", time, 0.75 * kw)]
            price.append((run, time, lmp + slopes[run] * (kw - 1000.0) / 1e3))
    side = dict.fromkeys(answer.SIDES, 1.0)
    runs = pd.DataFrame(
        [{"run": run, "slope": slopes[run], "cost": 80.0 + 9.0 * run, **side} for run in draws]
    )
    topics = {
        "feeder/head_power_real": pd.DataFrame(power, columns=["run", "head", "time", "value"]),
        "wholesale/lmp": pd.DataFrame(price, columns=["run", "time", "value"]),
    }
    return MadeUp(runs, topics)


def test_the_dispatch_of_a_given_price_is_billed_on_the_curve(answered: MadeUp) -> None:
    """10 $/MWh more for the 2 MWh of the first hour, nothing for those of the second."""
    found = answer.found(answered)  # type: ignore[arg-type]
    assert found["unaware"].tolist() == pytest.approx([80.0, 100.0])
    assert found["lmp"].tolist() == pytest.approx([25.0, 29.0])
    shown = answer.table(answered)  # type: ignore[arg-type]
    assert shown["saved"].tolist() == [0.0, 11.0]


def test_the_answer_is_drawn(answered: MadeUp) -> None:
    pytest.importorskip("matplotlib")
    left, right = answer.draw(answered).axes  # type: ignore[arg-type]
    assert len(left.lines) == 2
    assert len(right.lines) == len(answer.SIDES) + 1
