"""What a scenario says of the ancillary market: products, tables, and what goes wrong when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.ancillary import (
    AncillarySection,
    Disruption,
    DisruptionSection,
    disruptions_of,
    head_open,
    out_of_service,
    read_plan,
    tripped,
)
from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.feeders.errors import InputError

FILE = Path("study/scenario.toml")
RESERVE = {"requirement_kw": 100.0, "minutes": 10.0}


def section(**changes: Any) -> AncillarySection:
    return validate(AncillarySection, {"reserve": RESERVE} | changes, FILE)


def disruption(**changes: Any) -> DisruptionSection:
    table = {"feeder": "north", "resource": "dg", "begin_minutes": 10.0, "minutes": 15.0}
    merged = {name: value for name, value in (table | changes).items() if value is not None}
    return validate(DisruptionSection, merged, FILE)


def clock(period_s: int = 300, intervals: int = 6) -> Clock:
    return Clock(0, period_s, intervals)


@pytest.mark.parametrize(
    ("period_s", "begin", "minutes", "first", "end"),
    [
        pytest.param(300, 10.0, 15.0, 2, 5, id="whole intervals"),
        pytest.param(300, 12.0, 1.0, 2, 3, id="a minute takes the interval that it lies in"),
        pytest.param(300, 14.0, 2.0, 2, 4, id="and both where it lies in two"),
        pytest.param(300, 0.0, 5.0, 0, 1, id="from the start"),
        pytest.param(100, 5.0, 5.0, 3, 6, id="intervals that are no whole minutes"),
        pytest.param(3600, 60.0, 0.5, 1, 2, id="half a minute of an hour"),
    ],
)
def test_minutes_become_intervals(period_s: int, begin: float, minutes: float, first: int, end: int) -> None:
    found = disruptions_of([disruption(begin_minutes=begin, minutes=minutes)], "north", period_s)
    assert found == (Disruption("dg", first, end),)


@settings(max_examples=40)
@given(st.sampled_from([60, 72, 90, 100, 144, 300, 450]), st.integers(0, 500), st.integers(1, 90))
def test_what_begins_with_an_interval_begins_in_it(period_s: int, first: int, length: int) -> None:
    begin, minutes = first * period_s / 60, length * period_s / 60
    found = disruptions_of([disruption(begin_minutes=begin, minutes=minutes)], "north", period_s)
    assert (found[0].first, found[0].end) == (first, first + length)


def test_disruptions_are_those_of_one_feeder() -> None:
    both = [disruption(), disruption(feeder="south", resource=None, head=True)]
    assert [item.resource for item in disruptions_of(both, "north", 300)] == ["dg"]
    assert [item.resource for item in disruptions_of(both, "south", 300)] == [""]
    assert disruptions_of(both, "west", 300) == ()


TRIP, SLOW, OPEN = Disruption("dg", 2, 4), Disruption("cell", 1, 6, 5.0), Disruption("", 3, 5)


@pytest.mark.parametrize(
    ("interval", "known", "out", "opened"),
    [
        (1, False, set(), False),
        (2, False, {"dg"}, False),
        (2, True, set(), False),
        (3, True, {"dg"}, False),
        (3, False, {"dg"}, True),
        (4, False, set(), True),
        (4, True, set(), True),
        (5, False, set(), False),
    ],
)
def test_what_is_out_and_what_the_market_knows_of_it(
    interval: int, known: bool, out: set[str], opened: bool
) -> None:
    """What trips in an interval is news; what is slow is not out."""
    what = (TRIP, SLOW, OPEN)
    assert tripped(what, interval, known=known) == out
    assert head_open(what, interval, known=known) is opened
    everything = {"dg", "cell", "pv"} if opened else out
    assert out_of_service(what, interval, ("dg", "cell", "pv"), known=known) == everything


@pytest.mark.parametrize(
    ("other", "clash"),
    [
        ({"begin_minutes": 20.0}, True),
        ({"begin_minutes": 25.0}, False),
        ({"begin_minutes": 0.0, "minutes": 10.0}, False),
        ({"begin_minutes": 0.0, "minutes": 10.5}, True),
        ({"resource": "cell"}, False),
        ({"feeder": "south"}, False),
        ({"ramp_kw_per_minute": 5.0}, False),
        ({"resource": None}, False),
    ],
)
def test_the_same_thing_cannot_be_out_twice(other: dict[str, Any], clash: bool) -> None:
    one, two = disruption(), disruption(**other)
    assert one.at_once_with(two) is two.at_once_with(one) is clash


def test_what_is_out_is_called_by_its_name() -> None:
    assert disruption().what == "north.dg"
    assert disruption(resource=None).what == "the head of 'north'"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"head": True},
            (
                f"{FILE}: resource 'dg' and head are both given; expected one of the two: with the head open "
                "nothing of the feeder is in service"
            ),
        ),
        (
            {"resource": None, "ramp_kw_per_minute": 5.0},
            "study/scenario.toml: ramp_kw_per_minute is given and no resource; a head is open or closed",
        ),
        (
            {"minutes": 0.0},
            (
                f"{FILE} minutes: 0.0 cannot be used; expected input should be greater than 0 "
                "(for how long [min])"
            ),
        ),
        (
            {"resorce": "dg"},
            (
                f"{FILE} resorce: unknown key 'resorce'; expected one of feeder, resource, head, "
                "begin_minutes, minutes, ramp_kw_per_minute; did you mean 'resource'?"
            ),
        ),
    ],
)
def test_disruptions_that_cannot_be_meant(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        disruption(**changes)
    assert str(caught.value) == message


def test_numbers_hold_for_all_intervals() -> None:
    plan = read_plan(section(gate_minutes=15.0), FILE, clock())
    assert plan.required["reserve"].tolist() == [100.0] * 6
    assert plan.signals == {}
    assert (plan.gate, plan.period_s) == (3, 300)


@pytest.mark.parametrize(
    ("duration", "lasts"),
    [
        pytest.param(None, [3, 2, 1, 3, 2, 1], id="until the next gate"),
        pytest.param(30.0, [6, 6, 6, 6, 6, 6], id="for as long as is said"),
        pytest.param(2.0, [1, 1, 1, 1, 1, 1], id="for the interval at least"),
    ],
)
def test_how_long_a_product_may_be_called(duration: float | None, lasts: list[float]) -> None:
    reserve = RESERVE | ({} if duration is None else {"duration_minutes": duration})
    plan = read_plan(section(reserve=reserve, gate_minutes=15.0), FILE, clock())
    needs = [plan.needs(k) for k in range(6)]
    assert [need.lasts for (need,) in needs] == lasts
    assert needs[0][0].product == "reserve"
    assert (needs[0][0].kw, needs[0][0].minutes, needs[0][0].cap) == (100.0, 10.0, 1000.0)


def write(folder: Path, name: str, *rows: str) -> str:
    (folder / name).write_text("\n".join(["minutes,value", *rows]) + "\n")
    return name


def test_tables_hold_from_their_minute_on(tmp_path: Path) -> None:
    made = section(
        reserve={"requirement_kw": write(tmp_path, "need.csv", "0,50", "12,80"), "minutes": 10.0,
                 "signal": write(tmp_path, "call.csv", "0,0", "5,-1", "10,0.5")},
        regulation_up={"requirement_kw": 5.0, "minutes": 5.0},
        gate_minutes=5.0,
    )  # fmt: skip
    assert made.tables == ("need.csv", "call.csv")
    assert list(made.products) == ["regulation_up", "reserve"]
    plan = read_plan(made, tmp_path / "scenario.toml", clock(intervals=4))
    assert plan.required["reserve"].tolist() == [50.0, 50.0, 50.0, 80.0]
    assert plan.signals["reserve"].tolist() == [0.0, -1.0, 0.5, 0.5]
    assert plan.signal(1) == {"reserve": -1.0}
    assert [need.kw for need in plan.needs(3)] == [5.0, 80.0]


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (7.0, "7 min are 1.4 intervals"),
        (2.5, "2.5 min are 0.5 intervals"),
    ],
)
def test_a_gate_is_a_whole_number_of_intervals(gate: float, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_plan(section(gate_minutes=gate), FILE, clock())
    assert str(caught.value) == f"{FILE} ancillary.gate_minutes: {message}; expected a multiple of 5 min"


@pytest.mark.parametrize(
    ("key", "rows", "what", "expected"),
    [
        ("requirement_kw", ["0,5", "5,-1"], "t.csv has negative values", "requirements of 0 kW or more"),
        ("signal", ["0,0", "5,1.5"], "{folder}/t.csv leaves the range", "values of -1 to 1"),
        (
            "signal",
            ["5,0"],
            "{folder}/t.csv does not begin at 0 minutes and rise",
            "minutes from 0, ascending",
        ),
        ("signal", ["0,much"], "{folder}/t.csv is no table of values over time", "minutes,value"),
    ],
)
def test_tables_that_cannot_be_used(
    tmp_path: Path, key: str, rows: list[str], what: str, expected: str
) -> None:
    made = section(reserve=RESERVE | {key: write(tmp_path, "t.csv", *rows)})
    file = tmp_path / "scenario.toml"
    with pytest.raises(InputError) as caught:
        read_plan(made, file, clock(intervals=12))
    told = what.format(folder=tmp_path)
    assert str(caught.value) == f"{file} ancillary.reserve.{key}: {told}; expected {expected}"
