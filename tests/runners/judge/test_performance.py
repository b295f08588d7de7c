"""Metrics of the operator: on a real run, under a price of CO2, and for groups of customers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.network import Bus
from dlmp_cosim.market.audit import Limits
from dlmp_cosim.market.money.payment_schemes import Rates, Scenario, agent_bills, bill_tariff
from dlmp_cosim.runners.judge.customers import REST, group_costs
from dlmp_cosim.runners.judge.ledger import Account, account_for
from dlmp_cosim.runners.judge.metrics_shown import metric_figures
from dlmp_cosim.runners.judge.offered import Offered, read_offered
from dlmp_cosim.runners.judge.performance import Performance, as_plain, at_price, performance
from dlmp_cosim.runners.judge.summary import summary_command
from dlmp_cosim.runners.judge.voltage_quality import outside, unbalance
from tests.runners.conftest import make_study

pytestmark = pytest.mark.federation
RATES, PRICE, OWN = "0,300\n60,500\n120,0\n", 40.0, 450.0
CARBON = f"""
[emissions]
rates = "rates.csv"
price = {PRICE}
own = {{dg_76 = {OWN}}}
"""
GROUP = """
[[group]]
name = "estate"
loads = ["s1a", "s2b"]
customers = 30
income = 30000

[[group]]
name = "shops"
loads = ["s48a"]
"""


def run(folder: Path, text: str) -> Results:
    """Three hours of the project's day with more in its scenario."""
    make_study(
        folder,
        start='"2020-08-25T15:00:00"',
        intervals="3",
        period_s="3600",
        file=f'"{folder / "run.h5"}"',
    )
    with (folder / "scenario.toml").open("a") as file:
        file.write(text)
    (folder / "rates.csv").write_text("minutes,value\n" + RATES)
    study = load_study(folder)
    run_direct(study)
    return Results(study.results_file)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run(tmp_path_factory.mktemp("plain") / "study", GROUP)


@pytest.fixture(scope="module")
def carbon(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run(tmp_path_factory.mktemp("carbon") / "study", CARBON)


def test_metrics_agree_with_meters_and_verdict(short_run: Path) -> None:
    with Results(short_run) as results:
        found = performance(results)
        head = results.values("feeder/head_power_real").sum(axis=1)
        settled = account_for(results).metered
    energy = found.energy
    assert energy.drawn_kwh - energy.exported_kwh == pytest.approx(settled.head.sum())
    given = energy.drawn_kwh - energy.exported_kwh + energy.generated_kwh + energy.machines_kwh
    assert given == pytest.approx(energy.served_kwh + energy.losses_kwh, abs=1e-4)
    assert found.peak.power_kw == head.max()
    assert found.peak.load_factor == pytest.approx(head.mean() / head.max())
    assert found.peak.ramp_kw == pytest.approx(np.abs(np.diff(head)).max())
    assert found.limits.broken == 0
    assert 0 < found.limits.voltage_priced <= found.limits.priced <= 6
    assert found.voltage.outside_share == 0.0
    assert 0.95 < found.voltage.low_pu < found.voltage.high_pu < 1.05
    assert 0.0 < found.voltage.unbalance < found.voltage.unbalance_max < 0.05
    assert found.emissions is None
    assert found.answer is None
    assert found.groups == ()


def test_use_of_offers_is_what_was_awarded_of_them(short_run: Path) -> None:
    with Results(short_run) as results:
        found, offered = performance(results), read_offered(results)
        generation = [resource.kind == "generator" for resource in results.network.resources]
        given = results.values("feeder/injection_real")[:, generation].sum()
    most = offered.high[:, generation].sum()
    assert found.resources.generation_offered_kwh == pytest.approx(most)
    assert found.resources.generation_share == pytest.approx(given / most, rel=1e-6)
    assert 0.0 <= found.curtailment.generation_share < 1.0
    assert found.curtailment.demand_kwh > 0.0


def test_what_an_offer_gives_at_a_price_follows_its_curve() -> None:
    row = np.array([[0.0, 0.0, -10.0, np.nan]])
    offered = Offered(
        row,
        np.array([[100.0, 100.0, 10.0, np.nan]]),
        np.array([[20.0, 20.0, 30.0, np.nan]]),
        np.array([[0.5, 0.0, 0.0, np.nan]]),
    )
    assert at_price(offered, np.array([25.0])).tolist() == [[10.0, 100.0, -10.0, 0.0]]


def test_voltages_outside_the_band_count_by_how_far() -> None:
    found = outside(np.array([[0.94, 1.0, 1.06, np.nan]]), Limits())
    assert found[0, :3] == pytest.approx([0.01, 0.0, 0.01])
    assert np.isnan(found[0, 3])


def test_unbalance_is_negative_over_positive_sequence() -> None:
    class Two:
        buses = (Bus("x", (1, 2, 3), 1.0), Bus("y", (1,), 1.0))
        node_index: ClassVar = {"x.1": 0, "x.2": 1, "x.3": 2, "y.1": 3}

    turn = np.exp(2j * np.pi / 3)
    volts = np.array([[1.0, turn**2, turn, 1.0]]) + 0.02 * np.array([[1.0, turn, turn**2, 0.0]])
    ratios, names = unbalance(Two(), volts)  # type: ignore[arg-type]
    assert names == ("x",)
    assert ratios == pytest.approx(np.array([[0.02]]))


def test_groups_share_the_bill_of_all_loads(plain: Results) -> None:
    found, account = performance(plain), account_for(plain)
    assert account.settlement is not None
    assert [group.name for group in found.groups] == ["estate", "shops", REST]
    billed = account.money.load_usd - account.money.flex_usd
    assert sum(group.cost_usd for group in found.groups) == pytest.approx(billed)
    place = plain.network.load_ids.index("s48a")
    own = (account.settlement.load.owner_usd - account.settlement.flexible.owner_usd)[:, place].sum()
    assert found.groups[1].cost_usd == pytest.approx(own)
    estate = found.groups[0]
    assert estate.income_share == pytest.approx(estate.cost_usd / (30 * 30000 * 3 / 8760))
    assert found.groups[1].income_share is None


@pytest.mark.parametrize("scenario", ["traditional", "retail_m", "retail_b"])
def test_under_a_tariff_loads_share_the_bill_of_their_bus(plain: Results, scenario: Scenario) -> None:
    metered, rates = account_for(plain).metered, Rates(0.1, 0.2)
    money = bill_tariff(scenario, metered, rates)
    found = group_costs(plain, Account(scenario, metered, money, None, rates))
    total = agent_bills(scenario, metered, rates).sum()
    assert total == pytest.approx(money.load_usd - money.dg_usd)
    if scenario == "traditional":
        shops = (
            metered.load[:, plain.network.bus_index["48"]]
            - metered.generation[:, plain.network.bus_index["48"]]
        )
        own = plain.values("feeder/load_real")[:, plain.network.load_ids.index("s48a")].sum()
        at_bus = metered.load[:, plain.network.bus_index["48"]].sum()
        assert found[1].cost_usd == pytest.approx(0.1 * np.maximum(shops, 0.0).sum() * own / at_bus)
    loaded = metered.load.sum(axis=0) > 0.0
    assert sum(group.cost_usd for group in found) == pytest.approx(
        agent_bills(scenario, metered, rates)[loaded].sum()
    )


def test_head_power_costs_the_lmp_and_its_rate_times_the_price_of_co2(
    plain: Results, carbon: Results
) -> None:
    rate = np.array([300.0, 500.0, 0.0])
    more = rate * PRICE / 1e3
    assert carbon.values("wholesale/emission_rate").tolist() == rate.tolist()
    assert carbon.values("wholesale/lmp") == pytest.approx(plain.values("wholesale/lmp") + more)
    assert carbon.values("market/dlmp_real_energy")[:, 0] == pytest.approx(carbon.values("wholesale/lmp"))
    cheaper = carbon.values("feeder/head_power_real").sum(axis=1)[:2]
    assert (cheaper < plain.values("feeder/head_power_real").sum(axis=1)[:2]).all()
    assert (
        carbon.values("market/dlmp_real")[:2].mean(axis=1) > plain.values("market/dlmp_real")[:2].mean(axis=1)
    ).all()


def test_a_generator_that_emits_runs_less_where_only_it_pays(plain: Results, carbon: Results) -> None:
    """In the third hour power at the head emits nothing, so what CO2 costs falls on the generator alone."""
    place = plain.network.resource_ids.index("dg_76")
    with_it, without = (run.values("market/dispatch_real")[2, place] for run in (carbon, plain))
    offered, price = read_offered(carbon), carbon.values("market/dlmp_real")
    marginal = offered.linear[2, place] + offered.quadratic[2, place] * with_it + OWN * PRICE / 1e3
    nodes = [carbon.network.node_index[f"76.{phase}"] for phase in (1, 2, 3)]
    if with_it < offered.high[2, place] - 1e-3:
        assert marginal == pytest.approx(price[2, nodes].mean(), abs=0.3)
    assert with_it < without


def test_co2_is_counted_at_the_head_and_at_generators(carbon: Results) -> None:
    found = performance(carbon).emissions
    assert found is not None
    head = carbon.values("feeder/head_power_real").sum(axis=1)
    place = carbon.network.resource_ids.index("dg_76")
    bought = head @ np.array([300.0, 500.0, 0.0]) / 1e6
    own = carbon.values("feeder/injection_real")[:, place].sum() * OWN / 1e6
    assert found.wholesale_t == pytest.approx(bought)
    assert found.own_t == pytest.approx(own)
    assert found.cost_usd == pytest.approx(PRICE * (bought + own))


def test_the_ledger_balances_with_a_price_of_co2(carbon: Results) -> None:
    assert abs(account_for(carbon).imbalance_usd) < 1e-6


def test_the_command_prints_and_writes_them(copied_run: Path) -> None:
    runner = CliRunner(env={"COLUMNS": "200"})
    printed = runner.invoke(summary_command, [str(copied_run), "--metrics"])
    assert printed.exit_code == 0, printed.output
    assert "voltage unbalance index" in printed.output
    told: dict[str, Any] = json.loads(
        runner.invoke(summary_command, [str(copied_run), "--metrics", "--json"]).output
    )
    assert set(told["metrics"]) == {"peak", "energy", "voltage", "resources", "curtailment", "limits"}
    assert "metrics" not in json.loads(runner.invoke(summary_command, [str(copied_run), "--json"]).output)


def test_every_metric_is_shown_once(carbon: Results, plain: Results) -> None:
    for results in (carbon, plain):
        found: Performance = performance(results)
        titles = [figure.title for figure in metric_figures(found)]
        assert len(titles) == len(set(titles))
    assert any(title.startswith("share of income of estate") for title in titles)
    assert as_plain(found)["groups"][1]["income_share"] is None
