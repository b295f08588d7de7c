"""Cars, heat pumps and roofs: what each can do and what it does to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.devices import Car, HeatPump, Moment, Roof, read_devices
from dlmp_cosim.federates.ev import Session
from dlmp_cosim.feeders.errors import InputError

HEAD = (
    "device,kind,kw_max,price,arrival_h,deadline_h,energy_kwh,comfort_kwh,"
    "hold_kw,band_k,time_constant_h,kelvin_per_kwh\n"
)
PRICES = np.array([30.0, 20.0, 10.0, 40.0, 50.0])


def at(start_h: float = 0.0, sun: float = 0.5) -> Moment:
    return Moment(start_h, 1.0, sun, PRICES[int(start_h) :])


def pump(**changes: float) -> HeatPump:
    values = {"hold_kw": 1.0, "band_k": 4.0, "time_constant_h": 30.0, "kelvin_per_kwh": 2.0, **changes}
    return HeatPump("pump", 3.0, 25.0, **values)


def test_a_car_bids_what_the_hours_that_it_needs_will_cost_but_no_more_than_its_price() -> None:
    car = Car(Session("car", "", 0.0, 4.0, 20.0, 0.0, 10.0), 100.0)
    low, high, price = car.row(at())
    assert (low, high, price) == (-10.0, 0.0, 20.0), "the dearer of its two cheapest hours"
    assert Car(Session("car", "", 0.0, 4.0, 20.0, 0.0, 10.0), 15.0).row(at())[2] == 15.0
    car.move(-10.0, at())
    assert car.session.energy_kwh == 10.0
    assert car.row(at(1.0))[2] == 10.0
    assert car.row(at(3.0))[1] == -10.0, "the last hour cannot be put off"
    assert car.idle(at(1.0)) == -10.0


def test_a_roof_gives_what_the_sun_gives() -> None:
    roof = Roof("roof", 8.0, 1.0)
    assert roof.row(at(sun=0.25)) == (0.0, 2.0, 1.0)
    assert roof.idle(at(sun=0.25)) == 2.0


@given(st.lists(st.floats(0, 1), min_size=30, max_size=30), st.floats(-4, 4))
def test_a_heat_pump_stays_in_its_band_whatever_is_awarded(shares: list[float], begin: float) -> None:
    device = pump(deviation_k=begin)
    for share in shares:
        low, high, price = device.row(at())
        assert -3.0 <= low <= high <= 0.0
        assert 0.0 <= price <= 50.0
        device.move(low + share * (high - low), at())
        assert abs(device.deviation_k) <= 4.0 + 1e-9


def test_the_colder_it_is_the_more_it_bids() -> None:
    assert [pump(deviation_k=k).row(at())[2] for k in (-4.0, 0.0, 4.0)] == [50.0, 25.0, 0.0]


def test_left_alone_it_returns_to_its_set_point() -> None:
    device = pump(deviation_k=1.0)
    device.move(device.idle(at()), at())
    assert device.deviation_k == pytest.approx(0.0)


def test_a_table_holds_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(
        f"# invented\n{HEAD}a,car,7,50,1,5,20,2,,,,\nb,heat_pump,3,25,,,,,1,4,30,2\nc,pv,8,1,,,,,,,,\n"
    )
    kinds = [(device.name, device.kw_max, device.KIND) for device in read_devices(file)]
    assert kinds == [("a", 7.0, "storage"), ("b", 3.0, "storage"), ("c", 8.0, "generator")]


WRONG = {
    "kind": ("a,truck,7,50,,,,,,,,", "unknown kind of device 'truck'"),
    "number": ("a,car,7,50,1,5,x,2,,,,", "energy_kwh is 'x'"),
    "missing": ("a,heat_pump,7,50,,,,,1,4,30,", "kelvin_per_kwh is ''"),
    "time": ("a,car,1,50,1,5,20,2,,,,", "can take 4 kWh"),
    "hold": ("a,heat_pump,3,25,,,,,5,4,30,2", "cannot hold its set point"),
    "power": ("a,pv,0,1,,,,,,,,", "kw_max above 0"),
    "twice": ("a,pv,1,1,,,,,,,,\na,pv,1,1,,,,,,,,", "listed twice"),
    "none": ("", "lists no device"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    rows, says = WRONG[case]
    file = tmp_path / "devices.csv"
    file.write_text(HEAD + rows + "\n")
    with pytest.raises(InputError) as caught:
        read_devices(file)
    assert says in str(caught.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_devices(tmp_path / "none.csv")
