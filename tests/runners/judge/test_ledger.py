"""From what a run says to its account: payments on paper, tariffs, and what is stored of a settlement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.contract.topics import Topic
from dlmp_cosim.federates.results.store import create_results
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.readers.network_json import network_to_json
from dlmp_cosim.market.money.payment_schemes import MODELS, Rates
from dlmp_cosim.market.money.settlement import Settlement
from dlmp_cosim.runners.judge.ledger import (
    SUBSTATION_PART,
    account_for,
    columns,
    complex_values,
    curtailment_rule,
    local_time,
    missing_part,
    read_prices,
    read_readings,
    store_settlement,
)
from tests.runners.judge.paper import NETWORK, NO_OFFERS, paper_run


def settled(*told: Any, **more: Any) -> Settlement:
    found = account_for(paper_run(*told, **more)).settlement
    assert found is not None
    return found


def test_every_side_is_paid_what_paper_says() -> None:
    found = account_for(paper_run()).money
    assert found.load_usd == pytest.approx(0.5 * (30 * 36 + 24 * 60 + (12 + 9.6) * 2) / 1e3)
    assert found.dg_usd == pytest.approx(0.5 * 10 * 36 / 1e3)
    assert found.flex_usd == pytest.approx(0.5 * (6 * 60 + 2.4 * 2) / 1e3)
    assert found.wholesale_usd == pytest.approx(0.5 * (21 * 30 + 27 * 50) / 1e3)
    assert found.net_usd == pytest.approx(1.2816 - 0.18 - 0.1824 - 0.99)


def test_parts_of_the_revenue_are_those_of_the_prices() -> None:
    parts = settled().parts
    assert parts.loss_collected == pytest.approx([(15 - 5) * 6 / 1e3, 12 * 10 / 1e3])
    assert parts.loss_cost == pytest.approx([0.5 * 1 * 30 / 1e3, 0.5 * 3 * 50 / 1e3])
    assert parts.reactive == pytest.approx([0.5 * 12 * 2 / 1e3, 0.5 * 9.6 * 2 / 1e3])
    assert parts.curtailment == pytest.approx([0.0, 0.1824])
    for part in (parts.voltage, parts.congestion, parts.substation):
        assert not part.any()


def test_a_run_that_adds_up_has_no_imbalance() -> None:
    assert account_for(paper_run()).imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_power_that_nobody_metered_is_out_of_balance_at_the_lmp() -> None:
    """The head gives 3 kW more than is served and lost: nobody pays for them."""
    more = paper_run({"feeder/head_power_real": [[8.0] * 3, [9.0] * 3]})
    assert account_for(more).imbalance_usd == pytest.approx(0.5 * 3 * 30 / 1e3)


@settings(max_examples=30)
@given(
    st.lists(st.floats(-80.0, 200.0), min_size=2, max_size=2),
    st.lists(st.floats(-40.0, 40.0), min_size=2, max_size=2),
    st.floats(0.0, 60.0),
)
def test_any_prices_balance_that_add_up_from_their_parts(
    lmp: list[float], loss: list[float], given_kw: float
) -> None:
    """Negative prices too: where power balances, what one pays another gets."""
    parts = np.array([[0.0] * 3 + [part] * 3 for part in loss])
    run = paper_run(
        {
            "wholesale/lmp": lmp,
            "market/dlmp_real": parts + np.array(lmp)[:, None],
            "market/dlmp_real_loss": parts,
            "feeder/injection_real": [[given_kw, 0.0], [0.0, 0.0]],
            "feeder/head_power_real": [[(31.0 - given_kw) / 3] * 3, [9.0] * 3],
        }
    )
    assert account_for(run).imbalance_usd == pytest.approx(0.0, abs=1e-9)


def test_an_adder_of_a_substation_is_paid_at_the_head() -> None:
    adder = {"substation/adder": [0.0, 4.0], SUBSTATION_PART: [[0.0] * 6, [4.0] * 6]}
    priced = {"market/dlmp_real": [[30.0] * 3 + [36.0] * 3, [54.0] * 3 + [64.0] * 3]}
    run = paper_run(adder | priced)
    found = settled(adder | priced)
    assert found.wholesale_usd == pytest.approx([0.5 * 21 * 30 / 1e3, 0.5 * 27 * 54 / 1e3])
    assert found.parts.substation == pytest.approx([0.0, 0.5 * (24 - 27) * 4.0 / 1e3])
    assert account_for(run).imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_reactive_power_at_the_head_has_the_price_of_the_scenario() -> None:
    priced = settled({}, {}, {"wholesale": {"reactive_price": 5.0}})
    assert priced.wholesale_usd - settled().wholesale_usd == pytest.approx(
        [0.5 * 12 * 5 / 1e3, 0.5 * 9.6 * 5 / 1e3]
    )


def test_a_wholesale_participant_is_paid_the_lmp() -> None:
    row = {"resource": "g", "p_max_kw": 60.0, "cost_linear": 20.0, "market": "wholesale"}
    found = settled({}, {"assets/offer": [{"interval": 0, "offers": [row]}, NO_OFFERS[1]]})
    assert found.participants is not None
    assert found.generation.usd == pytest.approx([0.5 * 10 * 30 / 1e3, 0.0])


def test_what_is_not_asked_for_is_what_loads_would_have_drawn() -> None:
    """Twice the scale asks for twice as much: all that is beyond the demand was spared."""
    found = read_readings(paper_run({}, {}, {"feeder": {"load_scale": 2.0}})).curtailed
    assert found == pytest.approx(np.array([[30.0 + 12.0j], [36.0 + 14.4j]]))


def test_a_run_without_an_interval_has_nothing_to_settle() -> None:
    run = paper_run(expected=4, path=Path("short.h5"))
    run.intervals = 0
    with pytest.raises(ResultsError) as failure:
        read_readings(run)
    assert str(failure.value) == "short.h5: no interval of 4 finished: nothing to settle"


def test_prices_have_a_substation_part_only_where_it_is_on_record() -> None:
    assert read_prices(paper_run()).substation is None
    part = read_prices(paper_run({SUBSTATION_PART: np.full((2, 6), 3.0)})).substation
    assert part is not None
    assert part.shape == (2, 6)


@pytest.mark.parametrize("scenario", ["traditional", "no_export", "retail_m", "retail_b"])
def test_a_tariff_bills_what_the_meter_of_a_bus_sees(scenario: Any) -> None:
    found = account_for(paper_run({}, {}, {"market": {"model": MODELS[scenario]}}), Rates(0.2, 0.1))
    assert (found.scenario, found.settlement, found.rates) == (scenario, None, Rates(0.2, 0.1))
    assert found.money.load_usd == pytest.approx(0.2 * (15 - 5 + 12))
    assert found.money.dg_usd == 0.0


EXPORTING = {
    "feeder/injection_real": [[50.0, 0.0], [0.0, 0.0]],
    "feeder/head_power_real": [[-19.0 / 3] * 3, [9.0] * 3],
}
"""20 kW beyond the load in the first half hour, 24 kW of load in the second."""


@pytest.mark.parametrize(
    ("scenario", "load", "dg"),
    [("no_export", 12.0, 0.0), ("retail_m", 12 - 10.0, 0.0), ("retail_b", 12.0, 10.0)],
)
def test_exports_are_netted_over_the_day_or_paid_by_interval(scenario: Any, load: float, dg: float) -> None:
    found = account_for(paper_run(EXPORTING, {}, {"market": {"model": MODELS[scenario]}}), Rates(0.2, 0.1))
    assert found.money.load_usd == pytest.approx(0.2 * load)
    assert found.money.dg_usd == pytest.approx(0.1 * dg)
    assert found.imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_under_a_tariff_lost_energy_is_out_of_balance_at_the_lmp() -> None:
    told = {"feeder/head_power_real": [[8.0] * 3, [9.0] * 3]}
    found = account_for(paper_run(told, {}, {"market": {"model": MODELS["retail_b"]}}))
    assert found.imbalance_usd == pytest.approx(0.5 * 3 * 30 / 1e3)


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ({}, "paper"),
        ({"settlement": {}}, "paper"),
        ({"settlement": {"curtailment": "net"}}, "net"),
        ({"settlement": {"curtailment": "paper"}}, "paper"),
    ],
)
def test_the_rule_is_the_scenarios_and_the_papers_where_it_says_none(table: Any, rule: str) -> None:
    assert curtailment_rule(paper_run({}, {}, table)) == rule


def test_a_rule_that_is_asked_for_stands_above_the_scenarios() -> None:
    run = paper_run({}, {}, {"settlement": {"curtailment": "net"}})
    assert account_for(run).money.flex_usd == 0.0
    assert account_for(run, rule="paper").money.flex_usd == pytest.approx(0.1824)


def test_two_topics_are_one_complex_quantity() -> None:
    np.testing.assert_array_equal(complex_values(paper_run(), "feeder/load"), [[30.0 + 12.0j], [24.0 + 9.6j]])


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (1_598_371_200, "2020-08-25 12:00"),
        (1_604_208_600, "2020-11-01 01:30"),
        (1_604_212_200, "2020-11-01 01:30"),
        (1_583_650_800, "2020-03-08 03:00"),
        (0, "1969-12-31 19:00"),
    ],
)
def test_times_are_local_with_summer_and_winter(when: int, shown: str) -> None:
    assert local_time(when) == shown


def test_a_whole_run_misses_nothing() -> None:
    assert missing_part(paper_run()) == ""


def test_a_run_cut_short_says_from_when() -> None:
    said = missing_part(paper_run(expected=5))
    assert said == "the run stopped: 2 of 5 intervals, missing from 2020-08-25 13:00 on"


def test_every_column_has_the_shape_of_its_axes() -> None:
    length = {"node": 6, "load": 1, "resource": 2}
    found = {column.key: column for column in columns(settled())}
    for column in found.values():
        assert column.values.shape == ((2, length[column.ids]) if column.ids else (2,)), column.key
        assert column.unit == ("kWh" if "energy" in column.key else "$")
    assert found["generation_account"].ids == "resource"
    assert found["flexible_account"].ids == found["load_account"].ids == "load"


def test_columns_of_the_revenue_add_up_to_its_net() -> None:
    found = {column.key: column.values for column in columns(settled())}
    cost = found["parts/loss_cost"] + found["parts/curtailment"]
    gain = sum(found[f"parts/{key}"] for key in ("loss_collected", "voltage", "congestion", "reactive"))
    assert gain - cost == pytest.approx(found["parts/net"])
    assert found["parts/net"] == pytest.approx(found["net_revenue"])


def test_the_substations_part_is_a_column_only_where_it_is_something() -> None:
    adder = {"substation/adder": [0.0, 4.0], SUBSTATION_PART: [[0.0] * 6, [4.0] * 6]}
    with_adder = {column.key for column in columns(settled(adder))}
    assert with_adder - {column.key for column in columns(settled())} == {"parts/substation"}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Results of a run of three intervals that was cut short after two, with its settlement."""
    path, topic = tmp_path / "run.h5", Topic("wholesale/lmp", "double", "$/MWh", "", "price")
    writer = create_results(
        path,
        NETWORK,
        Clock(1_598_371_200, 1800, 3),
        (topic,),
        constant={"network": network_to_json(NETWORK)},
        manifest="{}",
    )
    for price in (30.0, 50.0):
        writer.append({"wholesale/lmp": price})
    writer.close()
    store_settlement(path, settled())
    return path


def test_intervals_that_did_not_finish_are_not_settled(stored: Path) -> None:
    with h5py.File(stored) as file:
        paid = file["settlement/load_account"][:]
    assert paid[:2, 0] == pytest.approx([0.552, 0.7296])
    assert np.isnan(paid[2]).all()


@pytest.mark.parametrize(
    ("key", "unit", "axis"),
    [
        ("load_real", b"$", "node"),
        ("load_energy", b"kWh", "node"),
        ("load_account", b"$", "load"),
        ("generation_account", b"$", "resource"),
    ],
)
def test_what_is_stored_has_units_and_axes(stored: Path, key: str, unit: bytes, axis: str) -> None:
    with h5py.File(stored) as file:
        data = file[f"settlement/{key}"]
        assert data.attrs["units"] == unit
        assert [data.dims[k][0] for k in (0, 1)] == [file["time"], file[axis]]


def test_storing_again_takes_the_place_of_the_old_byte_by_byte(stored: Path) -> None:
    before = stored.read_bytes()
    store_settlement(stored, settled())
    assert stored.read_bytes() == before


def test_another_settlement_leaves_nothing_of_the_old(stored: Path) -> None:
    adder = {"substation/adder": [0.0, 4.0], SUBSTATION_PART: [[0.0] * 6, [4.0] * 6]}
    store_settlement(stored, settled(adder))
    store_settlement(stored, settled())
    with h5py.File(stored) as file:
        assert "substation" not in file["settlement/parts"]
