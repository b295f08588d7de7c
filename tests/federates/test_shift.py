"""Owners that tell a market of time: loads that shift, batteries and cars."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.battery import Battery
from dlmp_cosim.federates.ev import EvFleet
from dlmp_cosim.federates.offering import Awarded, Interval
from dlmp_cosim.federates.shift import Shift
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.horizon.terms import Owed

CONFIGS = Path(__file__).parents[2] / "configs"


def changed(tmp_path: Path, name: str, *edits: tuple[str, str]) -> Study:
    """A study of the package with its scenario edited."""
    folder = tmp_path / "configs" / name
    shutil.copytree(CONFIGS / name, folder)
    (tmp_path / "configs" / "ieee123_day").symlink_to(CONFIGS / "ieee123_day")
    file = folder / "scenario.toml"
    text = file.read_text()
    for find, put in edits:
        assert find in text
        text = text.replace(find, put)
    file.write_text(text)
    return load_study(folder)


@pytest.fixture
def shift() -> Shift:
    return Shift(load_study(CONFIGS / "ieee123_shift"))


def test_a_load_offers_what_it_can_put_off_and_what_may_come_back(shift: Shift) -> None:
    offer = next(o for o in shift.offer(Interval(0, 1.0, 30.0, 0.5)) if o.resource == "flex_s48a")
    assert offer.p_max_kw == pytest.approx(0.2 * 0.5 * 70.0)
    assert offer.p_min_kw == pytest.approx(-0.3 * 70.0)
    assert offer.ahead is not None
    assert offer.ahead.rebound is not None
    assert offer.ahead.rebound.owed == ()


def test_what_is_put_off_waits_until_it_is_caught_up_with(shift: Shift) -> None:
    names = list(shift.resources)
    nothing = dict.fromkeys(names, Awarded(0.0, 0.0, 30.0, 0.0))
    told = shift.award(Interval(0, 1.0, 30.0, 0.5), nothing | {names[0]: Awarded(5.0, 0.0, 30.0, 0.0)})
    assert told == {"energy": pytest.approx(5.0)}
    (offer, *_) = shift.offer(Interval(1, 1.0, 30.0, 0.5))
    assert offer.ahead is not None
    assert offer.ahead.rebound is not None
    assert offer.ahead.rebound.owed == (Owed(5.0, 4.0),)
    told = shift.award(Interval(1, 1.0, 30.0, 0.5), nothing | {names[0]: Awarded(-5.0, 0.0, 30.0, 0.0)})
    assert told == {"energy": pytest.approx(0.0)}


def test_shifting_needs_a_market_that_looks_ahead(tmp_path: Path) -> None:
    study = changed(tmp_path, "ieee123_shift", ("horizon = [{ minutes = 60 }]", ""))
    with pytest.raises(InputError, match=r"owner\.shift: loads that shift need a market that looks ahead"):
        Shift(study)


def test_shifting_needs_room_for_what_comes_back(tmp_path: Path) -> None:
    study = changed(tmp_path, "ieee123_shift", ("more_share = 0.3", "more_share = 0.0"))
    with pytest.raises(InputError, match="cannot consume more than its demand; expected flexible loads"):
        Shift(study)


def test_a_battery_tells_what_it_holds_and_what_it_can_do_now() -> None:
    battery = Battery(load_study(CONFIGS / "ieee123_storage"), "battery_76")
    (offer,) = battery.offer(Interval(0, 1 / 12, 20.0, 0.7))
    assert offer.ahead is not None
    assert offer.ahead.store is not None
    assert (offer.ahead.store.energy_kwh, offer.ahead.store.end_kwh) == (350.0, 350.0)
    assert (offer.p_min_kw, offer.p_max_kw, offer.cost_linear) == (-175.0, 175.0, 0.0)
    assert len(offer.ahead.later.p_max_kw) == 11 + 23
    battery.energy = 3.0
    (offer,) = battery.offer(Interval(1, 1 / 12, 20.0, 0.7))
    assert offer.p_max_kw == pytest.approx(3.0 * 0.95 * 12)


def test_its_energy_follows_the_award_exactly() -> None:
    battery = Battery(load_study(CONFIGS / "ieee123_storage"), "battery_76")
    told = battery.award(Interval(0, 1 / 12, 20.0, 0.7), {"battery_76": Awarded(95.0, 0.0, 20.0, 0.0)})
    assert told["energy"] == pytest.approx(350.0 - 100.0 / 12, abs=1e-12)


def test_an_end_that_it_cannot_hold_is_named(tmp_path: Path) -> None:
    study = changed(tmp_path, "ieee123_storage", ("end_kwh = 350", "end_kwh = 800"))
    with pytest.raises(InputError, match=r"settings: end_kwh is 800; expected 0 to 700"):
        Battery(study, "battery_76")


def test_cars_tell_when_they_need_what() -> None:
    fleet = EvFleet(load_study(CONFIGS / "ieee123_ev"))
    for hour in range(16):
        now = Interval(hour, 1.0, 30.0, 0.5)
        for offer in fleet.offer(now):
            assert offer.ahead is not None
            waiting = [car for car in fleet.sessions if car.point == offer.resource and car.deadline_h > hour]
            told = sum(session.energy_kwh for session in offer.ahead.sessions or ())
            assert told == pytest.approx(sum(car.energy_kwh for car in waiting))
            for session in offer.ahead.sessions or ():
                room = session.kw_max * (session.end_h - session.start_h)
                assert session.energy_kwh <= room + 1e-6
        fleet.award(now, {o.resource: Awarded(o.p_min_kw, 0.0, 30.0, 0.0) for o in fleet.offer(now)})


def test_cars_that_need_more_than_their_point_gives_are_named(tmp_path: Path) -> None:
    study = changed(tmp_path, "ieee123_ev", ("kw_max = 66", "kw_max = 7"))
    with pytest.raises(InputError, match=r"at garage_101 between .* deadlines that can be met"):
        EvFleet(study)


def test_an_owner_knows_the_later_steps() -> None:
    battery = Battery(load_study(CONFIGS / "ieee123_storage"), "battery_76")
    later = battery.later_steps(Interval(0, 1 / 12, 20.0, 0.7))
    np.testing.assert_allclose(later, [1 / 12] * 11 + [1.0] * 23)
    assert Battery(load_study(CONFIGS / "ieee123_battery")).later_steps(Interval(0, 1.0, 20.0, 0.7)) == ()
