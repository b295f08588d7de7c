"""`dlmp tariffs` on a run that fits on paper: bills, words, and runs that nobody can be billed for."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.market.money.tariffs import TITLES, TariffTerms, Usage, bills
from dlmp_cosim.runners.judge.tariffs import as_table, read_usage, show
from tests.handmade import chain, generator
from tests.runners.judge.paper import paper_run, strict


def told(usage: Usage, names: tuple[str, ...], terms: TariffTerms | None = None) -> list[list[str]]:
    """Rows of the table as a program reads them, and the line below."""
    out = io.StringIO()
    show(bills(usage, terms), usage, names, Console(file=out, width=400))
    return [line.split("\t") for line in out.getvalue().splitlines()]


def day(kwh: list[list[float]], price: list[float]) -> Usage:
    energy, hours = np.array(kwh), np.arange(len(kwh))
    return Usage(energy, energy * np.array(price)[:, None] / 1e3, hours, hours)


def test_usage_is_what_the_ledger_bills() -> None:
    """15 and 12 kWh at 36 and 60 $/MWh, and 6 and 4.8 kvarh at 2."""
    usage = read_usage(paper_run())
    assert usage.kwh.tolist() == [[15.0], [12.0]]
    assert usage.usd[:, 0] == pytest.approx([0.54 + 0.012, 0.72 + 0.0096])
    assert (usage.hour.tolist(), usage.local_hour.tolist()) == ([0, 0], [12, 12])


@pytest.mark.parametrize(
    ("period_h", "hour", "local"),
    [(1.0, [0, 1], [12, 13]), (0.5, [0, 0], [12, 12]), (12.0, [0, 12], [12, 0])],
)
def test_intervals_belong_to_hours_of_the_run_and_of_the_day(
    period_h: float, hour: list[int], local: list[int]
) -> None:
    usage = read_usage(paper_run(period_h=period_h))
    assert (usage.hour.tolist(), usage.local_hour.tolist()) == (hour, local)


def test_a_run_under_a_tariff_has_no_dlmps() -> None:
    model = "dlmp_cosim.market.baselines.none:NetBilling"
    with pytest.raises(ResultsError) as caught:
        read_usage(paper_run(scenario={"market": {"model": model}}))
    assert str(caught.value) == "results.h5: is a run under a tariff; expected one with d-LMPs"


def test_a_feeder_without_loads_has_nobody_to_bill() -> None:
    network = chain("a", "b", resources=[generator("g", "b"), generator("h", "b")])
    none: dict[str, Any] = {
        f"feeder/{name}_{part}": np.zeros((2, 0))
        for name in ("load", "demand")
        for part in ("real", "reactive")
    }
    with pytest.raises(ResultsError) as caught:
        read_usage(paper_run(none, network=network))
    assert str(caught.value) == "results.h5: has nobody to bill; expected loads, and a finished interval"


def test_plain_data_has_every_bill_of_every_customer() -> None:
    usage = day([[1.0, 0.0], [1.0, 2.0]], [20.0, 80.0])
    table = as_table(bills(usage), usage, ("even", "peaky"))
    assert table["customers"] == ["even", "peaky"]
    assert table["kwh"] == [2.0, 2.0]
    assert table["dlmp_usd"] == pytest.approx([0.1, 0.16])
    assert list(table["tariffs"]) == list(TITLES)
    hourly = table["tariffs"]["hourly"]
    assert hourly["bills_usd"] == pytest.approx([0.1, 0.16])
    assert hourly["rate_usd_per_mwh"] == pytest.approx([20.0, 80.0])
    assert hourly["customers_bear"] == pytest.approx(1.0)
    assert table["tariffs"]["flat"]["bills_usd"] == pytest.approx([0.13, 0.13])


def test_plain_data_is_json_on_a_day_without_energy() -> None:
    usage = day([[0.0], [0.0]], [20.0, 80.0])
    table = strict(json.dumps(as_table(bills(usage), usage, ("x",))))
    assert {row["customers_bear"] for row in table["tariffs"].values()} == {0.0}


def test_a_row_says_who_gains_and_who_loses() -> None:
    rows = told(day([[1.0, 0.0], [1.0, 2.0]], [20.0, 80.0]), ("even", "peaky"))
    assert rows[0] == ["Tariffs from d-LMPs"]
    assert rows[2] == [
        "flat rate",
        "0.26",
        "65.0 to 65.0",
        "peaky -0.03 $",
        "even +0.03 $",
        "0.0",
        "0 %",
    ]
    assert [row[0] for row in rows[2:7]] == list(TITLES.values())


def test_a_swing_is_that_of_all_customers_by_their_energy() -> None:
    """One swings by 30 $/MWh over 2 kWh, the other not at all over 2 kWh."""
    rows = told(day([[1.0, 0.0], [1.0, 2.0]], [20.0, 80.0]), ("even", "peaky"))
    assert {row[0]: row[5] for row in rows[2:7]}["hourly real-time"] == "15.0"


def test_a_day_on_which_nobody_used_anything_is_told() -> None:
    rows = told(day([[0.0, 0.0], [0.0, 0.0]], [20.0, 80.0]), ("x", "y"))
    assert {row[5] for row in rows[2:7]} == {"0.0"}
    assert {row[6] for row in rows[2:7]} == {"0 %"}


@pytest.mark.parametrize("name", ["[red]x[/red]", ":smile:", "<b>&", "a\tb"])
def test_names_are_told_as_they_are(name: str) -> None:
    rows = told(day([[1.0], [1.0]], [20.0, 80.0]), (name,))
    assert rows[2][3] == f"{name} +0.00 $".replace("\t", " ")
