from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.ev import EvFleet, Session, read_sessions, share_out
from dlmp_cosim.federates.offering import Awarded, Interval
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Resource

CONFIGS = Path(__file__).parents[2] / "configs"
POINTS = {"p": Resource("p", "storage", "b", (1,), 50.0, 50.0)}
HEAD = "car,point,arrival_h,deadline_h,energy_kwh,comfort_kwh,kw_max\n"


def car(**changes: float) -> Session:
    values = {"arrival_h": 1.0, "deadline_h": 6.0, "energy_kwh": 20.0, "comfort_kwh": 0.0, "kw_max": 10.0}
    return Session("c", "p", **{**values, **changes})


def test_a_car_takes_power_only_while_it_is_there() -> None:
    assert [car().most(start, 1.0) for start in (0.0, 0.5, 1.0, 5.5, 6.0)] == [0.0, 5.0, 10.0, 5.0, 0.0]


def test_it_can_wait_until_its_deadline_forces_it() -> None:
    assert [car().least(start, 1.0) for start in (1.0, 2.0, 3.0)] == [0.0, 0.0, 0.0]
    assert car().least(4.0, 1.0) == 10.0
    assert car(energy_kwh=15.0).least(4.0, 1.0) == 5.0


def test_comfort_comes_first() -> None:
    assert car(comfort_kwh=4.0).least(1.0, 1.0) == 4.0
    assert car(comfort_kwh=14.0).least(1.0, 1.0) == 10.0


def test_what_cannot_wait_is_served_before_the_rest() -> None:
    early, late = car(deadline_h=3.0), car(comfort_kwh=6.0)
    assert share_out(18.0, [early, late], 1.0, 1.0) == [10.0, 8.0]
    assert share_out(8.0, [early, late], 1.0, 1.0) == [8.0, 0.0]
    assert share_out(0.0, [early, late], 1.0, 1.0) == [0.0, 0.0]


SESSIONS = st.builds(
    lambda arrival, stay, share, comfort, kw: Session(
        "c", "p", arrival, arrival + stay, share * stay * kw, comfort * share * stay * kw, kw
    ),
    st.floats(0, 10), st.floats(0.5, 8), st.floats(0, 1), st.floats(0, 1), st.floats(3, 22),
)  # fmt: skip


@given(st.lists(SESSIONS, min_size=1, max_size=5), st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_every_car_leaves_full_whatever_is_awarded_within_the_limits(
    cars: list[Session], shares: list[float]
) -> None:
    hours = 0.5
    for number, share in enumerate(shares):
        start = number * hours
        least, most = (sum(limit(c, start, hours) for c in cars) for limit in (Session.least, Session.most))
        kw = least + share * (most - least)
        given_out = share_out(kw, cars, start, hours)
        assert sum(given_out) == pytest.approx(kw, abs=1e-9)
        for one, power in zip(cars, given_out, strict=True):
            one.charge(power * hours)
    assert max(one.energy_kwh for one in cars) < 1e-6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c,q,0,2,10,0,11", r"session 1: unknown charging point 'q'"),
        ("c,p,0,2,30,0,11", r"session 1: c needs 30 kWh and can take 22 kWh"),
        ("c,p,0,2,10,12,11", r"comfort_kwh <= energy_kwh"),
        ("c,p,0,x,10,0,11", r"session 1: is not a session"),
        ("c,p,0", r"session 1: is not a session"),
    ],
)
def test_wrong_sessions_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "sessions.csv"
    file.write_text(f"# a comment\n{HEAD}{text}\n")
    with pytest.raises(InputError, match=message):
        read_sessions(file, POINTS)
    with pytest.raises(InputError, match=r"nothing\.csv: cannot be read"):
        read_sessions(tmp_path / "nothing.csv", POINTS)


def test_a_point_offers_between_what_cannot_wait_and_what_it_can_take() -> None:
    fleet = EvFleet(load_study(CONFIGS / "ieee123_ev"))
    offers = {offer.resource: offer for offer in fleet.offer(Interval(2, 1.0, 30.0, 0.5))}
    garage = offers["garage_47"]
    assert garage.p_min_kw < garage.p_max_kw <= 0.0
    fleet.award(Interval(2, 1.0, 30.0, 0.5), {"garage_47": Awarded(garage.p_min_kw, 0.0, 20.0, 0.0)})
    assert fleet.delivered == pytest.approx(-garage.p_min_kw)


def test_every_car_of_the_study_leaves_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path))
    study = load_study(CONFIGS / "ieee123_ev")
    run_direct(study, {**ROLES, "ev": EvFleet})
    with Results(study.results_file) as results:
        assert results.complete
        energy, missed = results.values("ev/energy"), results.values("ev/missed")
        ids = results.ids("market/dispatch_real")
        points = [ids.index(name) for name in ("garage_47", "garage_101")]
        kw = -results.values("market/dispatch_real")[:, points].sum(axis=1)
        lmp = results.values("wholesale/lmp")
    assert missed.max() < 1e-9
    assert energy[-1] == pytest.approx(437.0, abs=1e-9)
    assert np.abs(np.diff(energy, prepend=0.0) - kw).max() < 1e-9
    assert lmp @ kw < 0.8 * (lmp @ at_once(EvFleet(study).sessions)), "waiting saves a fifth"


def at_once(cars: list[Session]) -> np.ndarray:
    """Power of a fleet that charges on arrival, hour by hour [kW]."""
    power = np.zeros(16)
    for hour in range(16):
        for one in cars:
            kw = one.most(hour, 1.0)
            one.charge(kw)
            power[hour] += kw
    return power
