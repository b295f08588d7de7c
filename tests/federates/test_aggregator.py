"""Aggregators in a run: awards shared and conserved, markets by interval, vetoes, and who is paid what."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.aggregator import Aggregator, read_markets
from dlmp_cosim.federates.devices import Car
from dlmp_cosim.federates.ev import dues, share_out
from dlmp_cosim.federates.offering import Awarded, Interval
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES, run_local
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.judge.ledger import account_for
from dlmp_cosim.runners.judge.performance import performance
from dlmp_cosim.runners.judge.verdict import read_notes

CONFIGS = Path(__file__).parents[2] / "configs"
OWNERS = {name: partial(Aggregator, name=name) for name in ("homes", "solar")}
HOURS = 7
"""From eight in the morning: one of the feeder's market, and six of the wholesale market."""


def study(place: Path, **changes: str) -> Study:
    """Seven hours of the operator's day, with the markets that the fields sell in."""
    folder = place / "configs" / "ieee123_operator"
    shutil.copytree(CONFIGS / "ieee123_operator", folder)
    for name in ("ieee123_day", "ieee123_pv"):
        (place / "configs" / name).symlink_to(CONFIGS / name)
    (folder / "markets.csv").write_text("minutes,market\n0,retail\n60,wholesale\n420,out\n")
    file = folder / "scenario.toml"
    text = (
        file.read_text().replace("T00:00:00", "T08:00:00").replace("intervals = 24", f"intervals = {HOURS}")
    )
    text = text.replace("results/ieee123_operator/results.h5", str(place / "run.h5"))
    for old, new in changes.items():
        text = text.replace(CHANGES[old], new)
    file.write_text(text)
    return load_study(folder)


CHANGES = {
    "devices": 'devices = "homes.csv"',
    "horizon": "veto_price = 200 ",
    "markets": 'markets = "markets.csv"',
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    made = study(tmp_path_factory.mktemp("aggregator"))
    run_direct(made, {**ROLES, **OWNERS})
    return Results(made.results_file)


def place(run: Results, name: str) -> int:
    return run.network.resource_ids.index(name)


def test_every_award_is_shared_and_conserved(run: Results) -> None:
    assert not any(record["refused"] or record["held"] for record in run.records("market/clearing"))
    for owner in OWNERS:
        assert np.abs(run.values(f"{owner}/unplaced")).max() < 1e-9
    assert np.abs(run.values("homes/shortfall")).max() < 1e-9


def test_what_is_lost_by_one_offer_is_small_and_grows(run: Results) -> None:
    lost = run.values("homes/lost")
    assert (np.diff(lost) >= -1e-9).all()
    assert 0.0 < lost[-1] < 0.05 * np.abs(run.values("homes/cost")).sum()
    assert np.abs(run.values("homes/vetoed")).max() == 0.0


def test_a_wholesale_schedule_is_cut_where_ac_cannot_carry_it_and_nowhere_else(run: Results) -> None:
    k, meant = place(run, "solar_66"), schedules(run)
    power, sold = run.values("market/dispatch_real")[:, k], slice(1, HOURS)
    vetoed = meant[sold] - power[sold]
    assert vetoed.max() > 1.0
    assert (vetoed > -1e-6).all()
    records = run.records("market/clearing")
    for t in np.flatnonzero(vetoed > 1e-3):
        assert records[1 + t]["limits"], "a limit has a price where a schedule is cut"
    noted = [bool(record["notes"]) for record in records[1:]]
    assert noted == (vetoed > 0.01).tolist()
    assert read_notes(run) == {"the wholesale schedule of solar_66 is cut": sum(noted)}
    found = performance(run).participation
    assert found is not None
    assert found.wholesale_kwh == pytest.approx(power[sold].sum())
    assert found.vetoed_kwh == pytest.approx(vetoed.sum(), abs=1e-6)
    assert run.values("solar/vetoed")[-1] > 0.0
    assert performance(run).limits.broken == 0.0


def schedules(run: Results) -> np.ndarray:
    offers = [run.parse("offer", text)["offers"][0] for text in run.texts("solar/offer")]
    assert [offer.get("market", "retail") for offer in offers] == ["retail", *["wholesale"] * (HOURS - 1)]
    return np.array([offer["p_max_kw"] for offer in offers])


def test_wholesale_participants_are_paid_the_lmp_and_others_the_dlmp(run: Results) -> None:
    account = account_for(run)
    assert account.settlement is not None
    assert account.settlement.participants is not None
    k = place(run, "solar_66")
    power, lmp = run.values("feeder/injection_real")[:, k], run.values("wholesale/lmp")
    paid = account.settlement.generation.owner_usd[:, k]
    assert paid[1:] == pytest.approx(power[1:] * lmp[1:] / 1e3)
    node = run.network.node_index["66.3"]
    assert paid[0] == pytest.approx(power[0] * run.values("market/dlmp_real")[0, node] / 1e3, abs=1e-3)
    assert float(account.settlement.participants.usd.sum()) == pytest.approx(paid[1:].sum())
    assert abs(account.imbalance_usd) < 1e-6


def test_the_same_day_in_the_retail_market_costs_the_operator_what_the_prices_say(tmp_path: Path) -> None:
    made = study(tmp_path, markets='market = "retail"')
    run_direct(made, {**ROLES, **OWNERS})
    with Results(made.results_file) as retail:
        account = account_for(retail)
        assert account.settlement is not None
        assert account.settlement.participants is None
        assert performance(retail).participation is None
        assert abs(account.imbalance_usd) < 1e-6


def test_who_stays_out_runs_as_it_would_by_itself(tmp_path: Path) -> None:
    made = study(tmp_path, markets='market = "out"')
    solar = Aggregator(made, "solar")
    (offer,) = solar.offer(Interval(4, 1.0, -50.0, 0.5))
    sun = sum(device.idle(solar._moment(Interval(4, 1.0, 0.0, 0.0))) for device in solar.devices)
    assert offer.p_min_kw == offer.p_max_kw == pytest.approx(sun)
    assert offer.market == "out"
    solar.award(Interval(4, 1.0, -50.0, 0.5), {"solar_66": Awarded(offer.p_max_kw, 0.0, -50.0, 0.0)})
    assert solar.lost == pytest.approx(0.0, abs=1e-12)


@pytest.mark.federation
def test_a_federation_gives_the_same(run: Results, tmp_path: Path) -> None:
    made = study(tmp_path)
    run_local(made, {**ROLES, **OWNERS})
    with Results(made.results_file) as between:
        for key in ("market/dispatch_real", "wholesale/lmp", "homes/lost", "solar/vetoed"):
            assert np.array_equal(between.values(key), run.values(key)), key


CARS = """device,kind,kw_max,price,arrival_h,deadline_h,energy_kwh,comfort_kwh
early,car,50,70,0,4,90,10
late,car,50,40,2.5,5,90,0
short,car,22,90,1,3,40,0
long,car,11,60,0,5,30,5
"""
FLEET_HOURS = 5
AHEAD = 'horizon = [{ minutes = 60, steps = 5 }]\nhorizon_end = "run"\nveto_price = 200 '


def fleet(place: Path, cars: str = CARS, **changes: str) -> Study:
    """Five hours in which homes are cars alone, and the market looks ahead."""
    made = study(place, **{"horizon": AHEAD, "devices": 'devices = "cars.csv"'} | changes)
    (made.folder / "cars.csv").write_text(cars)
    before, rest = made.scenario_file.read_text().split('[[owner]]\nname = "solar"')
    after = rest[rest.index("[results]") :]
    foreseen = '[forecast]\nprice = "perfect"\ndemand = "perfect"\n'
    text = before + foreseen + after
    made.scenario_file.write_text(text.replace(f"intervals = {HOURS}", f"intervals = {FLEET_HOURS}"))
    return load_study(made.folder)


def test_a_market_that_looks_ahead_hears_of_every_car(tmp_path: Path) -> None:
    """One offer of the fleet says what a charging point with the same cars says, interval by interval."""
    made = fleet(tmp_path)
    homes = Aggregator(made, "homes")
    sessions = [device.session for device in homes.devices if isinstance(device, Car)]
    point = [replace(item) for item in sessions]
    for number in range(FLEET_HOURS):
        now = Interval(number, 1.0, 30.0, 0.5)
        (offer,) = homes.offer(now)
        assert offer.ahead is not None
        assert offer.ahead.sessions == dues(point, float(number))
        cars = sorted(point, key=lambda car: (car.deadline_h, car.car))
        most = sum(car.most(float(number), 1.0) for car in cars)
        least = sum(car.least(float(number), 1.0) for car in cars)
        assert (offer.p_min_kw, offer.p_max_kw) == pytest.approx((-most, -least))
        kw = least + 0.3 * (most - least)
        for car, drawn in zip(cars, share_out(kw, cars, float(number), 1.0), strict=True):
            car.charge(drawn)
        figures = homes.award(now, {"homes_76": Awarded(-kw, 0.0, 30.0, 0.0)})
        assert figures["unplaced"] == pytest.approx(0.0, abs=1e-9)
        assert [item.energy_kwh for item in sessions] == pytest.approx([item.energy_kwh for item in point])
    assert figures["shortfall"] == pytest.approx(0.0, abs=1e-9)


def test_a_fleet_is_charged_by_its_deadlines_when_energy_is_cheap(tmp_path: Path) -> None:
    made = fleet(tmp_path)
    run_direct(made, {**ROLES, "homes": OWNERS["homes"]})
    with Results(made.results_file) as ahead:
        refused = [record["refused"] for record in ahead.records("market/clearing")]
        drawn = -ahead.values("market/dispatch_real")[:, place(ahead, "homes_76")]
        short, unplaced = ahead.values("homes/shortfall"), ahead.values("homes/unplaced")
        price = ahead.values("wholesale/lmp")
    assert not any("homes" in text for texts in refused for text in texts)
    assert np.abs(short).max() <= 1e-3
    assert np.abs(unplaced).max() <= 1e-3
    assert drawn.sum() == pytest.approx(250.0, abs=1e-2), "all that the cars asked for"
    paid, best = float(drawn @ price), least_paid(made, price)
    assert best - 1.0 <= paid <= 1.01 * best, "at the LMP, but for comfort, losses and limits"
    assert paid < 0.97 * float(at_once(made) @ price)


def least_paid(made: Study, price: np.ndarray) -> float:
    """Charge every car in the cheapest hours of its time, whatever the feeder does [kWh * $/MWh]."""
    paid = 0.0
    for car in (device.session for device in Aggregator(made, "homes").devices if isinstance(device, Car)):
        left = car.energy_kwh
        for hour in np.argsort(price).tolist():
            there = max(min(hour + 1.0, car.deadline_h) - max(float(hour), car.arrival_h), 0.0)
            taken = min(left, car.kw_max * there)
            left, paid = left - taken, paid + taken * float(price[hour])
        assert left == 0.0
    return paid


def at_once(made: Study) -> np.ndarray:
    """Charge every car as fast as it can from its arrival on, shape (n,) [kW]."""
    cars = [device.session for device in Aggregator(made, "homes").devices if isinstance(device, Car)]
    drawn = np.zeros(FLEET_HOURS)
    for number in range(FLEET_HOURS):
        for car in cars:
            kw = car.most(float(number), 1.0)
            drawn[number] += kw
            car.charge(kw)
    return drawn


@pytest.mark.parametrize(
    ("cars", "settings", "says"),
    [
        (CARS + "roof,pv,5,0,,,,\n", {}, "'roof' is no car"),
        (CARS, {"devices": 'devices = "cars.csv"\nmarket = "out"'}, "throughout"),
        (CARS, {"devices": 'devices = "cars.csv"\noffers = "apart"'}, "owns 1 resources"),
    ],
)
def test_who_is_no_fleet_of_cars_is_refused_by_a_market_that_looks_ahead(
    tmp_path: Path, cars: str, settings: dict[str, str], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        Aggregator(fleet(tmp_path, cars, **settings), "homes")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("minutes,market\n0,abroad\n", "unknown market 'abroad'"),
        ("minutes,market\n5,retail\n", "does not begin at 0"),
        ("minutes,place\n0,retail\n", "is no table of markets"),
    ],
)
def test_a_wrong_table_of_markets_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "markets.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_markets(file, "scenario")
    assert says in str(caught.value)
