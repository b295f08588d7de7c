"""Rules of a scenario that tie keys together, with what each refusal says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from dlmp_cosim.federates.study.agents import AgentsSection
from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.federates.study.performance_sections import EmissionsSection
from dlmp_cosim.federates.study.scenario import (
    MarketSection,
    Scenario,
    TimeSection,
    WholesaleSection,
)
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.meeting.rules import Patience

FILE = Path("scenario.toml")
BASE: dict[str, Any] = {
    "study": {"name": "day"},
    "time": {"start": "2020-08-25T00:00:00", "intervals": 4, "period_s": 300},
    "wholesale": {"files": ["prices.csv"]},
    "results": {"file": "out/results.h5"},
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The scenario with dotted keys set; None takes a key out."""
    table = copy.deepcopy(BASE)
    for key, value in changes.items():
        *path, name = key.split(".")
        inner = table
        for part in path:
            inner = inner.setdefault(part, {})
        if value is None:
            del inner[name]
        else:
            inner[name] = value
    return table


def test_what_is_needed_is_enough() -> None:
    found = validate(Scenario, BASE, FILE)
    assert (found.agent_hosts, found.market.model, found.feeder.case) == (0, "nodal", "ieee123")
    assert found.clock.start_utc == 1_598_328_000


HOUR = {"minutes": 60, "steps": 2}
CELL = {"name": "cell", "kind": "storage", "bus": "b", "kw_max": 50.0}
SHED = {"name": "shed", "kind": "flexible_load", "load": "x", "kw_max": 5.0}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no prices": (
        {"wholesale.files": []},
        ("scenario.toml wholesale.files: [] cannot be used; expected list should have at least 1 item after "
        "validation, not 0 (price files of ISO New England)"),
    ),
    "an offset": (
        {"time.start": "2020-08-25T00:00:00-04:00"},
        "scenario.toml time: start has an offset; expected local time without one",
    ),
    "rounds that do not fit": (
        {"time.period_s": 60, "time.rounds_max": 28},
        "scenario.toml time: rounds_max does not fit into 60 s; expected at most 27 rounds",
    ),
    "two supply curves": (
        {"wholesale.slope": 2.0, "wholesale.supply": "curve.csv"},
        "scenario.toml wholesale: both slope and supply are given; expected a number or a table",
    ),
    "two emission rates": (
        {"emissions.rate": 400.0, "emissions.rates": "rates.csv"},
        "scenario.toml emissions: both rate and rates are given; expected a number or a table",
    ),
    "no band": (
        {"market.voltage_min_pu": 1.05},
        ("scenario.toml market: voltage_min_pu is not below voltage_max_pu; expected a band such as "
        "0.95 to 1.05"),
    ),
    "margins that meet": (
        {"market.voltage_margin_pu": 0.05},
        ("scenario.toml market: voltage_min_pu is not below voltage_max_pu; expected a band such as "
        "0.95 to 1.05"),
    ),
    "an open table in the middle": (
        {"market.horizon": [{"minutes": 5}, HOUR]},
        ("scenario.toml market: horizon has a table without steps that is not the last; "
        "expected a number of steps"),
    ),
    "a horizon without end": (
        {"market.horizon": [{"minutes": 5}], "market.horizon_end": "none"},
        ("scenario.toml market: horizon has a table without steps and no end; expected steps, "
        'or horizon_end = "run"'),
    ),
    "steps that do not divide": (
        {"market.horizon": [{"minutes": 5, "steps": 1}, {"minutes": 12, "steps": 2}]},
        ("scenario.toml: market.horizon[1]: steps of 12 min do not divide into intervals of 5 min; "
        "expected a multiple of 5"),
    ),
    "a first step that is no interval": (
        {"market.horizon": [HOUR]},
        "scenario.toml: market.horizon[0]: the first step is the interval; expected minutes = 5",
    ),
    "a method that agents do not know": (
        {"agents.wire": True, "market.method": "pac"},
        ("scenario.toml: agents.wire: agents on the wire clear one interval at a time; expected "
        'market.model = "nodal", no horizon, and market.method one of interior-point, pac-accelerated'),
    ),
    "agents that nobody hosts": (
        {"agents.wire": True, "market.agents": 0},
        "scenario.toml: agents.federates is 0 and so is market.agents; expected how many federates host",
    ),
    "a fault that ends first": (
        {"agents.fault": [{"agent": 1, "kind": "silent", "first": 5, "last": 4}]},
        "scenario.toml agents: agents.fault ends before it begins; expected last >= 5",
    ),
    "a storage without a bus": (
        {"owner": [{"name": "o", "resource": [CELL | {"bus": ""}]}]},
        "scenario.toml owner[0].resource[0]: cell is out of place; expected a bus and no load",
    ),
    "a flexible load with a bus": (
        {"owner": [{"name": "o", "resource": [SHED | {"bus": "b"}]}]},
        ("scenario.toml owner[0].resource[0]: shed is out of place; expected a load and neither bus "
        "nor phases"),
    ),
    "a flexible load with phases": (
        {"owner": [{"name": "o", "resource": [SHED | {"phases": "a"}]}]},
        ("scenario.toml owner[0].resource[0]: shed is out of place; expected a load and neither bus "
        "nor phases"),
    ),
    "a rating below its power": (
        {"owner": [{"name": "o", "resource": [CELL | {"kva_max": 49.0}]}]},
        "scenario.toml owner[0].resource[0]: kva_max of cell is too small; expected at least 50 kVA",
    ),
    "results elsewhere": (
        {"results.file": "out/../../x.h5"},
        ("scenario.toml results.file: 'out/../../x.h5' leads out of the folder that federates run in; "
        "expected a path inside it, or an absolute one"),
    ),
    "a number that is none": (
        {"feeder.load_scale": float("inf")},
        ("scenario.toml feeder.load_scale: inf cannot be used; expected input should be a finite number "
        "(factor on every listed load)"),
    ),
    "a word that is not among those allowed": (
        {"market.on_failure": "hold_lasst"},
        ("scenario.toml market.on_failure: 'hold_lasst' cannot be used; expected input should be "
        "'hold_last', 'dispatch_anyway' or 'fail' (what is dispatched when no clearing settles); "
        "did you mean 'hold_last'?"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_told(name: str) -> None:
    changes, message = REFUSED[name]
    with pytest.raises(InputError) as caught:
        validate(Scenario, changed(changes), FILE)
    assert str(caught.value) == message


ACCEPTED: dict[str, dict[str, Any]] = {
    "rounds that just fit": {"time.period_s": 60, "time.rounds_max": 27},
    "results in a folder of their own": {"results.file": "a/../b/results.h5"},
    "results anywhere, named outright": {"results.file": "/data/results.h5"},
    "a horizon that ends with the run": {"market.horizon": [{"minutes": 5, "steps": 12}, {"minutes": 60}]},
    "agents on the wire": {"agents.wire": True, "agents.federates": 3},
    "an owner with both kinds": {"owner": [{"name": "o", "resource": [CELL, SHED | {"kva_max": 5.0}]}]},
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_can_be_meant_is_read(name: str) -> None:
    table = changed(ACCEPTED[name])
    assert validate(Scenario, table, FILE).model_dump(mode="json", by_alias=True, exclude_unset=True) == table


@pytest.mark.parametrize(
    ("wire", "federates", "agents", "hosts"), [(False, 3, 4, 0), (True, 3, 4, 3), (True, 0, 4, 4)]
)
def test_who_hosts_agents(wire: bool, federates: int, agents: int, hosts: int) -> None:
    table = changed({"agents.wire": wire, "agents.federates": federates, "market.agents": agents})
    assert validate(Scenario, table, FILE).agent_hosts == hosts


@pytest.mark.parametrize(
    ("changes", "answers"), [({}, False), ({"slope": 1.0}, True), ({"supply": "c.csv"}, True)]
)
def test_a_price_answers_where_a_curve_is_stated(changes: dict[str, Any], answers: bool) -> None:
    assert WholesaleSection(files=["p.csv"], **changes).answers is answers


@pytest.mark.parametrize(
    ("changes", "known"), [({}, False), ({"rate": 1.0}, True), ({"rates": "r.csv"}, True)]
)
def test_emissions_are_known_where_a_rate_is_stated(changes: dict[str, Any], known: bool) -> None:
    assert EmissionsSection(**changes).known is known


def test_a_market_passes_on_all_of_its_settings() -> None:
    section = MarketSection(model="x:Y", voltage_margin_pu=0.01, tolerance=1e-6, agents=7, loss_weight=0.5)
    found = section.settings
    assert (found.model, found.voltage_margin_pu, found.tolerance) == ("x:Y", 0.01, 1e-6)
    assert (found.agents, found.loss_weight) == (7, 0.5)


@pytest.mark.parametrize(("month", "hours"), [("2020-01-25", 5), ("2020-08-25", 4)])
def test_a_start_is_local_time(month: str, hours: int) -> None:
    found = TimeSection.model_validate({"start": f"{month}T00:00:00", "intervals": 1})
    assert found.start_utc % 86_400 == hours * 3600


def test_what_may_be_lost_is_repeated() -> None:
    lossy = AgentsSection.model_validate({"link": [{"loss": 0.1}], "word_s": 5.0, "first_repeat_s": 0.5})
    assert lossy.patience == Patience(True, 0.5, 5.0, 300.0)
    assert not AgentsSection().patience.repeats
