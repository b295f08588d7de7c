"""How days of prices and bills are spread, from sweeps made up so that the answer is known."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from dlmp_cosim.runners.findings.days import bills, table

TIMES = pd.to_datetime(["2020-08-25T16:00", "2020-08-25T17:00"], utc=True)


class MadeUp:
    """A sweep of two days with two nodes and two customers."""

    summary = pd.DataFrame({"run": [0, 1], "net_revenue": [10.0, 30.0], "cost": [100.0, 300.0]})

    def topic(self, kept: str) -> pd.DataFrame:
        days = {0: "2020-08-25", 1: "2020-08-26"}
        if kept == "market/dlmp_real":
            rows = [
                {"run": run, "time": time, "node": node, "value": base + more}
                for run, base in ((0, 20.0), (1, 40.0))
                for time in TIMES
                for node, more in (("a.1", 0.0), ("b.1", 2.0))
            ]
            return pd.DataFrame(rows)
        values = {
            "settlement/load_account:sum": {(0, "x"): 3.0, (0, "y"): 1.0, (1, "x"): 8.0, (1, "y"): 0.0},
            "feeder/load_real:sum": {(0, "x"): 100.0, (0, "y"): 50.0, (1, "x"): 200.0, (1, "y"): 0.0},
        }[kept]
        return pd.DataFrame(
            [
                {"run": run, "load": name, "value": value, "day": days[run]}
                for (run, name), value in values.items()
            ]
        )


SWEEP: Any = MadeUp()


def test_a_customer_pays_its_account_over_its_energy() -> None:
    found = bills(SWEEP)
    assert found[["day", "load"]].to_numpy().tolist() == [
        ["2020-08-25", "x"], ["2020-08-25", "y"], ["2020-08-26", "x"],
    ]  # fmt: skip
    assert found["usd_per_mwh"].tolist() == pytest.approx([30.0, 20.0, 40.0])


@pytest.mark.parametrize(
    ("row", "quantiles"),
    [
        ("LMP at the head [$/MWh]", [20.0, 20.0, 30.0, 40.0, 40.0]),
        ("real d-LMP over nodes [$/MWh]", [20.0, 20.0, 31.0, 42.0, 42.0]),
        ("d-LMP less LMP [$/MWh]", [0.0, 0.0, 1.0, 2.0, 2.0]),
        ("what a customer pays on a day [$/MWh]", [20.0, 21.0, 30.0, 39.0, 40.0]),
        ("operator's result of a day [$]", [10.0, 11.0, 20.0, 29.0, 30.0]),
        ("cost of a day [$]", [100.0, 110.0, 200.0, 290.0, 300.0]),
    ],
)
def test_quantiles_over_days_and_places(row: str, quantiles: list[float]) -> None:
    """Of two and of three values by straight lines between them."""
    assert table(SWEEP).loc[row].tolist() == pytest.approx(quantiles)
