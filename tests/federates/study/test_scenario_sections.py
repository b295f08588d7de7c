"""Tables of a scenario one by one: what each refuses, in a line with file, key and what was expected."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.clock import last_slot_needed
from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.federates.study.scenario import Scenario, TimeSection
from dlmp_cosim.feeders.errors import InputError

FILE = Path("s.toml")
BASE: dict[str, Any] = {
    "study": {"name": "day"},
    "time": {"start": datetime(2020, 8, 25), "intervals": 4},
    "wholesale": {"files": ["lmp.csv"]},
    "results": {"file": "out/results.h5"},
}


def scenario(**tables: Any) -> Scenario:
    """The smallest scenario, with keys of its tables changed or tables added."""
    merged = {
        name: BASE.get(name, {}) | table if isinstance(table, dict) else table
        for name, table in tables.items()
    }
    return validate(Scenario, BASE | merged, FILE)


def refused(**tables: Any) -> str:
    with pytest.raises(InputError) as caught:
        scenario(**tables)
    return str(caught.value)


def test_four_tables_are_enough() -> None:
    found = scenario()
    assert (found.feeder.case, found.market.model, found.time.period_s) == ("ieee123", "nodal", 300)
    assert (found.owner, found.profile, found.group, found.agent_hosts) == ([], [], [], 0)


@pytest.mark.parametrize("table", BASE)
def test_each_of_the_four_is_needed(table: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(Scenario, {name: value for name, value in BASE.items() if name != table}, FILE)
    assert str(caught.value).startswith(f"s.toml {table}: missing key")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"study": {"name": "a b"}}, "s.toml study.name: 'a b' cannot be used; expected string should match"),
        (
            {"study": {"name": "Tag/1"}},
            "s.toml study.name: 'Tag/1' cannot be used; expected string should match",
        ),
        (
            {"study": {"sed": 1}},
            "s.toml study.sed: unknown key 'sed'; expected one of name, seed; did you mean 'seed'?",
        ),
        (
            {"time": {"intervals": 0}},
            (
                "s.toml time.intervals: 0 cannot be used; expected input should be greater "
                "than or equal to 1 (market intervals to run)"
            ),
        ),
        (
            {"time": {"intervals": 2.5}},
            (
                "s.toml time.intervals: 2.5 cannot be used; expected input should be a "
                "valid integer, got a number with a fractional part (market intervals to run)"
            ),
        ),
        (
            {"time": {"period_s": 59}},
            (
                "s.toml time.period_s: 59 cannot be used; expected input should be greater "
                "than or equal to 60 (length of an interval [s])"
            ),
        ),
        (
            {"time": {"period_s": 60, "rounds_max": 29}},
            "s.toml time: rounds_max does not fit into 60 s; expected at most 27 rounds",
        ),
        (
            {"wholesale": {"files": []}},
            (
                "s.toml wholesale.files: [] cannot be used; expected list should have at "
                "least 1 item after validation, not 0 (price files of ISO New England)"
            ),
        ),
        (
            {"wholesale": {"slope": 1.0, "supply": "s.csv"}},
            "s.toml wholesale: both slope and supply are given; expected a number or a table",
        ),
        (
            {"wholesale": {"slope": -1.0}},
            (
                "s.toml wholesale.slope: -1.0 cannot be used; expected input should be "
                "greater than or equal to 0 (rise of the LMP for each MW that the feeder draws "
                "[$/MWh per MW])"
            ),
        ),
        (
            {"feeder": {"engine": "opends"}},
            (
                "s.toml feeder.engine: 'opends' cannot be used; expected input should "
                "be 'opendss' or 'power_grid_model' (which program solves it; power_grid_model "
                "leaves regulators alone); did you mean 'opendss'?"
            ),
        ),
        (
            {"feeder": {"load_scale": 0.0}},
            (
                "s.toml feeder.load_scale: 0.0 cannot be used; expected input should "
                "be greater than 0 (factor on every listed load)"
            ),
        ),
        (
            {"feeder": {"load_scale": float("inf")}},
            (
                "s.toml feeder.load_scale: inf cannot be used; expected input "
                "should be a finite number (factor on every listed load)"
            ),
        ),
        (
            {"market": {"voltage_min_pu": 1.05}},
            "s.toml market: voltage_min_pu is not below voltage_max_pu; expected a band such as 0.95 to 1.05",
        ),
        (
            {"market": {"voltage_margin_pu": 0.05}},
            "s.toml market: voltage_min_pu is not below voltage_max_pu; expected a band such as 0.95 to 1.05",
        ),
        (
            {"market": {"method": "pack"}},
            (
                "s.toml market.method: 'pack' cannot be used; expected input should be "
                "'interior-point', 'pac-accelerated', 'pac', 'nst-pac' or 'central' (how the optimum "
                "is found); did you mean 'pac'?"
            ),
        ),
        (
            {"results": {"file": ""}},
            (
                "s.toml results.file: '' cannot be used; expected string should have at "
                "least 1 character (HDF5 file, relative to the federates' folder)"
            ),
        ),
        (
            {"results": {"file": "a/../../b.h5"}},
            (
                "s.toml results.file: 'a/../../b.h5' leads out of the folder "
                "that federates run in; expected a path inside it, or an absolute one"
            ),
        ),
    ],
)
def test_what_a_table_refuses(tables: dict[str, Any], message: str) -> None:
    assert refused(**tables).startswith(message)


@pytest.mark.parametrize(
    ("start", "utc"),
    [
        (datetime(2020, 8, 25), 1_598_328_000),
        (datetime(2020, 1, 15, 12), 1_579_107_600),
        (datetime(2020, 3, 8, 1, 59), 1_583_650_740),
        (datetime(2020, 3, 8, 3), 1_583_650_800),
        (datetime(2020, 11, 1, 1), 1_604_206_800),
        (datetime(2020, 11, 1, 2), 1_604_214_000),
    ],
)
def test_a_start_is_local_time_also_where_clocks_change(start: datetime, utc: int) -> None:
    """Spring: a minute from 1:59 to 3:00. Autumn: two hours from the first 1:00 to 2:00."""
    assert scenario(time={"start": start}).time.start_utc == utc


def test_a_start_with_an_offset_is_refused() -> None:
    assert refused(time={"start": "2020-08-25T00:00:00-04:00"}) == (
        "s.toml time: start has an offset; expected local time without one"
    )


@given(st.integers(60, 3600), st.integers(1, 2000))
def test_as_many_rounds_fit_as_the_message_says(period: int, rounds: int) -> None:
    most = (period - 5) // 2
    table = {"start": datetime(2020, 1, 1), "intervals": 1, "period_s": period, "rounds_max": rounds}
    if rounds <= most:
        TimeSection.model_validate(table)
        assert last_slot_needed(rounds) < period - 1
    else:
        with pytest.raises(ValueError, match=f"expected at most {most} rounds"):
            TimeSection.model_validate(table)


@pytest.mark.parametrize(
    ("table", "answers"),
    [({}, False), ({"slope": 2.0}, True), ({"supply": "s.csv"}, True), ({"slope": 0.0}, False)],
)
def test_a_price_answers_where_a_curve_is_given(table: dict[str, Any], answers: bool) -> None:
    assert scenario(wholesale=table).wholesale.answers is answers


FIVE, TEN = {"minutes": 5, "steps": 3}, {"minutes": 10}


@pytest.mark.parametrize(
    ("market", "message"),
    [
        (
            {"horizon": [TEN, FIVE]},
            (
                "s.toml market: horizon has a table without steps that is not the last; "
                "expected a number of steps"
            ),
        ),
        (
            {"horizon": [FIVE, TEN], "horizon_end": "none"},
            'horizon has a table without steps and no end; expected steps, or horizon_end = "run"',
        ),
        (
            {"horizon": [FIVE, {"minutes": 7}]},
            (
                "s.toml: market.horizon[1]: steps of 7 min do not divide into "
                "intervals of 5 min; expected a multiple of 5"
            ),
        ),
        (
            {"horizon": [{"minutes": 10, "steps": 2}]},
            "s.toml: market.horizon[0]: the first step is the interval; expected minutes = 5",
        ),
        ({"horizon": [{"minutes": 0}]}, "s.toml market.horizon[0].minutes: 0 cannot be used"),
    ],
)
def test_steps_of_a_horizon_are_made_of_intervals(market: dict[str, Any], message: str) -> None:
    assert message in refused(market=market)


def test_a_horizon_may_go_on_to_the_end_of_the_run() -> None:
    assert [group.steps for group in scenario(market={"horizon": [FIVE, TEN]}).market.horizon] == [3, 0]


@pytest.mark.parametrize(
    "market", [{"model": "branch_flow"}, {"method": "pac"}, {"method": "central"}, {"horizon": [FIVE]}]
)
def test_agents_on_the_wire_clear_one_interval_of_the_nodal_market(market: dict[str, Any]) -> None:
    message = refused(market=market, agents={"wire": True})
    assert message == (
        "s.toml: agents.wire: agents on the wire clear one interval at a time; expected market.model = "
        '"nodal", no horizon, and market.method one of interior-point, pac-accelerated'
    )


@pytest.mark.parametrize(
    ("agents", "market", "hosts"),
    [
        ({"wire": True}, {}, 4),
        ({"wire": True, "federates": 2}, {}, 2),
        ({"federates": 2}, {}, 0),
        ({"wire": True, "federates": 3}, {"agents": 0}, 3),
    ],
)
def test_agents_are_hosted_by_as_many_federates_as_are_asked_for(
    agents: dict[str, Any], market: dict[str, Any], hosts: int
) -> None:
    assert scenario(agents=agents, market=market).agent_hosts == hosts


def test_somebody_has_to_host_them() -> None:
    assert refused(agents={"wire": True}, market={"agents": 0}).endswith("expected how many federates host")


def owned(**changes: Any) -> dict[str, Any]:
    return {
        "name": "pv",
        "resource": [{"name": "r", "kind": "generator", "bus": "1", "kw_max": 5.0, **changes}],
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bus": ""}, "r is out of place; expected a bus and no load"),
        ({"load": "x"}, "r is out of place; expected a bus and no load"),
        ({"kind": "flexible_load"}, "r is out of place; expected a load and neither bus nor phases"),
        (
            {"kind": "flexible_load", "bus": "", "load": "x", "phases": "a"},
            "r is out of place; expected a load and neither bus nor phases",
        ),
        ({"kva_max": 4.0}, "kva_max of r is too small; expected at least 5 kVA"),
        ({"phases": "ba"}, "owner[0].resource[0].phases: 'ba' cannot be used; expected string should match"),
        ({"name": "r.1"}, "owner[0].resource[0].name: 'r.1' cannot be used; expected string should match"),
        (
            {"kw_max": 0.0},
            (
                "owner[0].resource[0].kw_max: 0.0 cannot be used; expected input should be greater "
                "than 0 (nameplate real power [kW])"
            ),
        ),
        ({"kind": "generater"}, "did you mean 'generator'?"),
    ],
)
def test_a_resource_has_its_place(changes: dict[str, Any], message: str) -> None:
    assert message in refused(owner=[owned(**changes)])


def test_a_flexible_load_names_its_load_alone() -> None:
    (owner,) = scenario(owner=[owned(kind="flexible_load", bus="", load="x")]).owner
    assert (owner.resource[0].load, owner.resource[0].bus, owner.takes) == ("x", "", [])
