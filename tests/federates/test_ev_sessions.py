"""Charging sessions: what a market is told of them, what a point can give together, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.ev import Session, dues, read_sessions, share_out
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.horizon.terms import Session as Due

HEAD = "car,point,arrival_h,deadline_h,energy_kwh,comfort_kwh,kw_max\n"
POINTS = {name: Resource(name, "storage", "b", wye((1,)), 20.0, 20.0) for name in ("p", "q")}


def car(name: str = "c", /, **changes: float) -> Session:
    values = {"arrival_h": 1.0, "deadline_h": 6.0, "energy_kwh": 20.0, "comfort_kwh": 0.0, "kw_max": 10.0}
    return Session(name, "p", **{**values, **changes})


@pytest.mark.parametrize(
    ("start_h", "hours", "kw"),
    [
        (0.0, 2.0, 5.0),
        (0.0, 8.0, 2.5),
        (1.0, 0.25, 10.0),
        (5.75, 0.5, 5.0),
        (6.0, 0.5, 0.0),
    ],
)
def test_the_most_is_a_mean_over_the_interval(start_h: float, hours: float, kw: float) -> None:
    assert car().most(start_h, hours) == pytest.approx(kw)


def test_no_more_than_what_is_missing_is_taken() -> None:
    assert car(energy_kwh=1.0).most(2.0, 0.5) == 2.0
    assert car(energy_kwh=0.0).most(2.0, 0.5) == 0.0


@pytest.mark.parametrize(
    ("changes", "start_h", "kw"),
    [
        ({}, 0.0, 0.0),
        ({"energy_kwh": 50.0}, 1.0, 10.0),
        ({"energy_kwh": 45.0}, 1.0, 5.0),
        ({"energy_kwh": 40.0}, 1.0, 0.0),
        ({"comfort_kwh": 3.0}, 1.0, 3.0),
        ({"comfort_kwh": 3.0}, 0.0, 0.0),
        ({}, 7.0, 0.0),
    ],
)
def test_what_cannot_wait_follows_comfort_and_deadline(
    changes: dict[str, float], start_h: float, kw: float
) -> None:
    assert car("c", **changes).least(start_h, 1.0) == pytest.approx(kw)


def test_charging_pays_comfort_off_first_and_never_below_nothing() -> None:
    one = car(energy_kwh=20.0, comfort_kwh=5.0)
    one.charge(4.0)
    assert (one.energy_kwh, one.comfort_kwh) == (16.0, 1.0)
    one.charge(30.0)
    assert (one.energy_kwh, one.comfort_kwh) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "start_h", "told"),
    [
        ({}, 0.0, (Due(20.0, 6.0, 10.0, 1.0),)),
        ({}, 2.0, (Due(20.0, 4.0, 10.0, 0.0),)),
        ({"comfort_kwh": 5.0}, 0.0, (Due(5.0, 1.5, 10.0, 1.0), Due(15.0, 6.0, 10.0, 1.5))),
        ({"comfort_kwh": 20.0}, 1.0, (Due(20.0, 2.0, 10.0, 0.0),)),
        ({"energy_kwh": 0.0}, 0.0, ()),
        ({}, 6.0, ()),
        ({}, 7.0, ()),
    ],
)
def test_a_market_that_looks_ahead_hears_of_comfort_and_of_the_rest(
    changes: dict[str, float], start_h: float, told: tuple[Due, ...]
) -> None:
    assert dues([car("c", **changes)], start_h) == told


def test_cars_are_told_of_in_their_order() -> None:
    told = dues([car(energy_kwh=kwh) for kwh in (3.0, 1.0, 2.0)], 0.0)
    assert [due.energy_kwh for due in told] == [3.0, 1.0, 2.0]


@given(
    st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 1.0)), min_size=1, max_size=5),
    st.floats(0.0, 5.0),
)
def test_all_energy_of_cars_that_are_not_gone_is_told(cars: list[tuple[float, float]], start: float) -> None:
    fleet = [car(energy_kwh=kwh, comfort_kwh=share * kwh) for kwh, share in cars]
    told = sum(due.energy_kwh for due in dues(fleet, start))
    assert told == pytest.approx(sum(one.energy_kwh for one in fleet), abs=1e-6)


@pytest.mark.parametrize(
    ("kw", "shares"),
    [
        (-3.0, [0.0, 0.0]),
        (0.0, [0.0, 0.0]),
        (3.0, [0.0, 3.0]),
        (6.0, [0.0, 6.0]),
        (7.0, [1.0, 6.0]),
        (40.0, [10.0, 10.0]),
    ],
)
def test_power_goes_to_comfort_then_in_order_and_no_further(kw: float, shares: Sequence[float]) -> None:
    assert share_out(kw, [car("first"), car("second", comfort_kwh=6.0)], 1.0, 1.0) == pytest.approx(shares)


def test_nobody_there_takes_nothing() -> None:
    assert share_out(10.0, [], 0.0, 1.0) == []
    assert dues([], 0.0) == ()


def read(folder: Path, *rows: str) -> list[Session]:
    file = folder / "sessions.csv"
    file.write_text(HEAD + "".join(row + "\n" for row in rows))
    return read_sessions(file, POINTS)


def test_sessions_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, "b,q,0,2,10,0,10", "a,p,1,3,5,5,10")
    assert [(one.car, one.point, one.comfort_kwh) for one in found] == [("b", "q", 0.0), ("a", "p", 5.0)]


def test_a_table_of_no_sessions_charges_nobody(tmp_path: Path) -> None:
    assert read(tmp_path) == []


def test_a_car_may_come_back(tmp_path: Path) -> None:
    assert len(read(tmp_path, "a,p,0,2,10,0,10", "a,p,4,6,10,0,10")) == 2


@pytest.mark.parametrize(
    "rows",
    [
        ("a,p,0,2,30,0,20", "b,p,0,2,20,0,20"),
        ("a,p,0,1,15,0,20", "b,p,0,1,15,0,20", "c,p,5,9,1,0,20"),
        ("a,p,0,4,60,0,20", "b,p,1,2,15,0,20", "c,p,1,2,10,0,20"),
    ],
)
def test_what_a_point_cannot_give_together_is_refused(tmp_path: Path, rows: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"a, b|b, c") as caught:
        read(tmp_path, *rows)
    assert "need" in str(caught.value)
    assert str(caught.value).endswith("; expected deadlines that can be met")


def test_what_a_point_can_just_give_together_passes(tmp_path: Path) -> None:
    assert len(read(tmp_path, "a,p,0,2,20,0,20", "b,p,0,2,20,0,20")) == 2
    assert len(read(tmp_path, "a,p,0,2,40,0,20", "b,q,0,2,40,0,20")) == 2, "points do not share"


@pytest.mark.parametrize(
    "row",
    ["a,p,nan,2,1,0,10", "a,p,0,inf,1,0,10", "a,p,0,2,nan,0,10", "a,p,0,2,1,0,0", "a,p,0,2,1,0,-5"],
)
def test_numbers_that_no_car_has_are_refused(tmp_path: Path, row: str) -> None:
    with pytest.raises(InputError, match=r"sessions\.csv session 1: "):
        read(tmp_path, row)


def test_a_point_is_looked_up_by_its_nearest_name(tmp_path: Path) -> None:
    points = {"garage_47": POINTS["p"]}
    file = tmp_path / "sessions.csv"
    file.write_text(HEAD + "a,garage_74,0,2,10,0,10\n")
    with pytest.raises(InputError, match=r"unknown charging point 'garage_74'; .*did you mean 'garage_47'\?"):
        read_sessions(file, points)
