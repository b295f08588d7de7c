"""Devices from interval to interval: what they take, keep and ask for, on numbers that fit on paper."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.devices import KINDS, Car, Device, HeatPump, Moment, Roof, read_devices
from dlmp_cosim.federates.ev import Session
from dlmp_cosim.feeders.errors import InputError

HEAD = (
    "device,kind,kw_max,price,arrival_h,deadline_h,energy_kwh,comfort_kwh,"
    "hold_kw,band_k,time_constant_h,kelvin_per_kwh\n"
)


def at(start_h: float, prices: list[float], hours: float = 1.0, sun: float = 0.0) -> Moment:
    return Moment(start_h, hours, sun, np.array(prices))


def car(price: float = 1e3, **changes: float) -> Car:
    values = {"arrival_h": 0.0, "deadline_h": 4.0, "energy_kwh": 20.0, "comfort_kwh": 0.0, "kw_max": 10.0}
    return Car(Session("car", "", **{**values, **changes}), price)


def pump(**changes: float) -> HeatPump:
    values = {"hold_kw": 1.0, "band_k": 4.0, "time_constant_h": 10.0, "kelvin_per_kwh": 2.0, **changes}
    return HeatPump("pump", 3.0, 25.0, **values)


@pytest.mark.parametrize(
    ("energy_kwh", "hours", "worth"),
    [
        (10.0, 1.0, 10.0),
        (10.1, 1.0, 20.0),
        (30.0, 1.0, 30.0),
        (40.0, 1.0, 40.0),
        (5.0, 0.5, 10.0),
        (0.0, 1.0, 10.0),
    ],
)
def test_a_car_bids_the_dearest_of_the_cheapest_intervals_that_it_needs(
    energy_kwh: float, hours: float, worth: float
) -> None:
    now = at(0.0, [40.0, 10.0, 30.0, 20.0], hours)
    assert car(energy_kwh=energy_kwh, deadline_h=4 * hours).row(now)[2] == worth


def test_a_car_does_not_wait_for_prices_beyond_its_deadline() -> None:
    assert car(deadline_h=2.0, energy_kwh=10.0).row(at(0.0, [50.0, 40.0, 1.0]))[2] == 40.0


def test_an_interval_that_a_deadline_cuts_counts_as_one_to_charge_in() -> None:
    assert car(deadline_h=1.5, energy_kwh=5.0).row(at(0.0, [50.0, 40.0, 1.0]))[2] == 40.0


@pytest.mark.parametrize("start_h", [4.0, 5.0])
def test_a_car_that_left_offers_nothing(start_h: float) -> None:
    low, high, _ = car().row(at(start_h, [30.0]))
    assert (low, high) == (0.0, 0.0)
    assert car().idle(at(start_h, [30.0])) == 0.0


def test_a_car_that_is_still_to_come_offers_nothing() -> None:
    assert car(arrival_h=2.0).row(at(0.0, [30.0] * 4))[:2] == (0.0, 0.0)


def test_a_car_bids_a_negative_price_where_one_is_expected() -> None:
    assert car(energy_kwh=10.0).row(at(0.0, [30.0, -5.0, 20.0, 20.0]))[2] == -5.0


def test_a_car_stops_at_what_it_needs() -> None:
    device = car(energy_kwh=4.0, comfort_kwh=3.0)
    device.move(-10.0, at(0.0, [30.0]))
    assert (device.session.energy_kwh, device.session.comfort_kwh) == (0.0, 0.0)
    assert device.row(at(1.0, [30.0]))[:2] == (0.0, 0.0)


def test_comfort_is_charged_at_any_price() -> None:
    low, high, _ = car(comfort_kwh=6.0).row(at(0.0, [1e3, 0.0, 0.0, 0.0]))
    assert (low, high) == (-10.0, -6.0)


@given(st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8), st.floats(1.0, 40.0))
def test_a_car_leaves_full_whatever_it_is_awarded(shares: list[float], energy: float) -> None:
    device = car(energy_kwh=energy)
    for k, share in enumerate(shares):
        now = at(0.5 * k, [30.0] * (8 - k), 0.5)
        low, high, _ = device.row(now)
        assert low <= high <= 0.0
        device.move(low + share * (high - low), now)
    assert device.session.energy_kwh == pytest.approx(0.0, abs=1e-9)


def test_a_heat_pump_at_its_set_point_holds_it() -> None:
    device = pump()
    assert device.idle(at(0.0, [30.0])) == -1.0
    device.move(-1.0, at(0.0, [30.0]))
    assert device.deviation_k == 0.0


def test_a_kwh_more_warms_by_what_the_table_says() -> None:
    device = pump()
    device.move(-2.0, at(0.0, [30.0], hours=0.5))
    assert device.deviation_k == pytest.approx(2.0 * 0.5 * (2.0 - 1.0))


def test_a_deviation_decays_by_its_time_constant() -> None:
    device = pump(deviation_k=3.0)
    device.move(-1.0, at(0.0, [30.0], hours=10.0))
    assert device.deviation_k == pytest.approx(3.0 / math.e)


@pytest.mark.parametrize(
    ("deviation_k", "least", "most"),
    [
        (0.0, 0.0, 3.0),
        (4.0, 0.0, 1.0 + (4.0 - 4.0 * math.exp(-0.1)) / 2.0),
        (-4.0, 1.0 + (-4.0 + 4.0 * math.exp(-0.1)) / 2.0, 3.0),
    ],
)
def test_a_heat_pump_draws_between_the_ends_of_its_band(
    deviation_k: float, least: float, most: float
) -> None:
    low, high, _ = pump(deviation_k=deviation_k).row(at(0.0, [30.0]))
    assert (-high, -low) == pytest.approx((least, most))


@pytest.mark.parametrize(("deviation_k", "price"), [(-4.0, 50.0), (-2.0, 37.5), (2.0, 12.5), (6.0, 0.0)])
def test_a_heat_pump_asks_by_how_cold_it_is(deviation_k: float, price: float) -> None:
    assert pump(deviation_k=deviation_k).row(at(0.0, [30.0]))[2] == pytest.approx(price)


@given(st.floats(-4.0, 4.0), st.floats(0.05, 2.0))
def test_left_alone_a_heat_pump_never_drifts_away(deviation_k: float, hours: float) -> None:
    device = pump(deviation_k=deviation_k)
    now = at(0.0, [30.0], hours)
    device.move(device.idle(now), now)
    assert abs(device.deviation_k) <= abs(deviation_k) + 1e-12


@pytest.mark.parametrize(("sun", "kw"), [(0.0, 0.0), (0.5, 4.0), (1.0, 8.0)])
def test_a_roof_follows_the_sun_and_keeps_no_state(sun: float, kw: float) -> None:
    roof, now = Roof("roof", 8.0, -3.0), at(0.0, [30.0], sun=sun)
    roof.move(1.0, now)
    assert roof.row(now) == (0.0, kw, -3.0)
    assert roof.idle(now) == kw


def read(folder: Path, rows: str, head: str = HEAD) -> list[Device]:
    file = folder / "devices.csv"
    file.write_text(head + rows)
    return read_devices(file)


def test_columns_may_come_in_any_order_and_those_of_other_kinds_may_be_missing(tmp_path: Path) -> None:
    (device,) = read(tmp_path, "2,roof,8,pv\n", "price,device,kw_max,kind\n")
    assert (device.name, device.kw_max) == ("roof", 8.0)


@pytest.mark.parametrize("name", ["wärmepumpe", "<b>&", 'with "quotes"', "a b"])
def test_a_device_may_have_any_name(tmp_path: Path, name: str) -> None:
    cell = '"' + name.replace('"', '""') + '"'
    assert read(tmp_path, f"{cell},pv,8,1,,,,,,,,\n")[0].name == name


def test_a_name_counts_once_whatever_its_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, "a,pv,1,1,,,,,,,,\na,car,7,50,1,5,20,2,,,,\n")
    where = f"{tmp_path / 'devices.csv'} row 2"
    assert str(caught.value) == f"{where}: device 'a' is listed twice; expected each once"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            "a,cars,7,50,1,5,20,2,,,,",
            "row 1: unknown kind of device 'cars'; expected one of car, heat_pump, pv; did you mean 'car'?",
        ),
        ("a,pv,inf,1,,,,,,,,", "row 1: kw_max is 'inf'; expected numbers for kw_max,price"),
        ("a,pv,1,nan,,,,,,,,", "row 1: price is 'nan'; expected numbers for kw_max,price"),
        ("a,pv,-1,1,,,,,,,,", "row 1: has no name or no power; expected device, and kw_max above 0"),
        (",pv,1,1,,,,,,,,", "row 1: has no name or no power; expected device, and kw_max above 0"),
        (
            "a,car,10,50,5,1,0,0,,,,",
            (
                "row 1: a needs 0 kWh and can take -40 kWh; "
                "expected comfort_kwh <= energy_kwh <= kw_max * (deadline_h - arrival_h)"
            ),
        ),
        (
            "a,heat_pump,3,25,,,,,1,0,30,2",
            (
                "row 1: a cannot hold its set point; "
                "expected 0 <= hold_kw <= kw_max, and band_k, time_constant_h, kelvin_per_kwh above 0"
            ),
        ),
    ],
)
def test_a_wrong_row_is_told_in_one_line(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, row + "\n")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_a_kind_is_asked_for(tmp_path: Path, kind: str) -> None:
    sound = {"kw_max": 10, "price": 1, "arrival_h": 0, "deadline_h": 5, "energy_kwh": 20, "comfort_kwh": 2}
    sound |= {"hold_kw": 1, "band_k": 4, "time_constant_h": 30, "kelvin_per_kwh": 2}
    for left_out in KINDS[kind]:
        columns = [name for name in KINDS[kind] if name != left_out]
        cells = ",".join(str(sound[name]) for name in columns)
        with pytest.raises(InputError, match=f"{left_out} is None; expected numbers for"):
            read(tmp_path, f"a,{kind},{cells}\n", f"device,kind,{','.join(columns)}\n")
