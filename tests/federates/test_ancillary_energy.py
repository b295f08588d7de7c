"""A battery that sells capacity: energy stands behind what it sells, and follows what it gave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import ROLES, make_substation

from dlmp_cosim.federates.battery import Battery
from dlmp_cosim.federates.offering import Awarded, Interval
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_together
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.substation import load_substation
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray

HOURS = 1 / 60.0
WAY = 0.9
KW = 200.0
COLUMNS = "resource,kind,bus,phases,load,kw_max,kva_max,curtailable_share,cost_linear,cost_quadratic,owner"
CAPACITY = "regulation_up,regulation_down,reserve"
ASSETS = f"""{COLUMNS},{CAPACITY}
dg,generator,b,abc,,300,300,,18,0.05,,40,40,40
big,generator,b,abc,,250,250,,10,0.01,,,,
"""
TABLED = ASSETS + "cell,storage,b,abc,,200,220,,0,0,{owner},4,3,2\n"
OWNER = """
[[owner]]
name = "battery"
[[owner.resource]]
name = "cell"
kind = "storage"
bus = "b"
phases = "abc"
kw_max = 200
kva_max = 220
"""
SETTINGS = """
[owner.settings]
energy_kwh = 100
reserve_kwh = 10
start_kwh = {start}
charge_efficiency = 0.9
discharge_efficiency = 0.9
{more}
"""
SELLS = """
[owner.settings.capacity]
regulation_up = 4
regulation_down = 3
reserve = 2
"""
RESERVE = """
[ancillary]
band_kw = 10
gate_minutes = 6
[ancillary.reserve]
requirement_kw = 150
minutes = 1
{more}
"""
DOWN = RESERVE.replace("ancillary.reserve", "ancillary.regulation_down")
TRIP = """
[[disruption]]
feeder = "two"
resource = "big"
begin_minutes = 1
minutes = 4
"""
BATTERY = {
    "name": "battery",
    "core_type": "zmq",
    "period": 1.0,
    "uninterruptible": True,
    "terminate_on_error": True,
    "publications": [
        {"key": "battery/offer", "type": "string", "unit": "kW, kvar, $/MWh", "global": True},
        {"key": "battery/energy", "type": "double", "unit": "kWh", "global": True, "info": "energy stored"},
    ],
    "subscriptions": [
        {"key": "wholesale/lmp", "type": "double", "unit": "$/MWh", "required": True},
        {"key": "wholesale/demand_ratio", "type": "double", "required": True},
        {"key": "market/dispatch_real", "type": "vector", "unit": "kW", "required": True},
        {"key": "market/dispatch_reactive", "type": "vector", "unit": "kvar", "required": True},
        {"key": "market/dlmp_real", "type": "vector", "unit": "$/MWh", "required": True},
        {"key": "market/dlmp_reactive", "type": "vector", "unit": "$/(MVAR*h)", "required": True},
    ],
}


@dataclass(frozen=True)
class Played:
    """What a run left of the battery, interval by interval [kW, kWh], and of the substation."""

    energy: FloatArray
    power: FloatArray
    response: FloatArray
    awards: list[Mapping[str, float]]
    rows: Mapping[str, FloatArray]
    settled: FloatArray


def study_of(folder: Path, market: str, start: float, more: str = SELLS, **study: Any) -> Path:
    """Write two feeders, the first with a battery that begins with some energy [kWh]."""
    made = make_substation(folder / "all", "one", "two", settings=market, model="nodal", **study)
    for name in ("one", "two"):
        (made / name / "assets.csv").write_text(ASSETS)
    file = made / "one" / "scenario.toml"
    text = file.read_text() + OWNER + SETTINGS.format(start=start, more=more)
    file.write_text(text)
    for name in ("market", "recorder"):
        (made / "one" / f"{name}.json").unlink()
    (made / "one" / "battery.json").write_text(json.dumps(BATTERY))
    return made


def ahead(made: Path) -> None:
    """Let the market of the battery's feeder look ahead."""
    file = made / "one" / "scenario.toml"
    horizon = "horizon = [{minutes = 1, steps = 4}]"
    file.write_text(file.read_text().replace("[market]", f"[market]\n{horizon}", 1))


def play(made: Path) -> Played:
    study = load_substation(made)
    run_together(study, {"one": {**ROLES, "battery": Battery}, "two": ROLES})
    with Results(study.results_file.parent / "one.h5") as results:
        cell = results.network.resource_ids.index("cell")
        energy, power = results.values("battery/energy"), results.values("feeder/injection_real")[:, cell]
        response = results.values("feeder/response_real")[:, cell]
    with Results(study.results_file) as results:
        records = results.records("substation/record")
        rows = {key: results.values(key) for key in results.keys if key != "substation/record"}
    awards = [record["ancillary"]["awards"].get("one", {}).get("cell", {}) for record in records]
    return Played(energy, power, response, awards, rows, rows["substation/settled"])


def test_a_battery_that_is_nearly_empty_sells_no_reserve(tmp_path: Path) -> None:
    """It has 0.9 kWh above what it never sells: enough for 9 kW over six minutes, and for 90 over none."""
    full = play(study_of(tmp_path / "full", RESERVE.format(more=""), 90.0))
    low = play(study_of(tmp_path / "low", RESERVE.format(more=""), 11.0))
    none = play(study_of(tmp_path / "none", RESERVE.format(more=""), 10.0))
    assert [award["reserve"] for award in full.awards[:3]] == pytest.approx([150.0] * 3, abs=1e-2)
    assert 0.0 < low.awards[0]["reserve"] <= (11.0 - 10.0) * WAY / (6 * HOURS) + 1e-4
    assert none.awards[0].get("reserve", 0.0) <= 1e-3
    for run in (low, none):
        assert np.allclose(run.rows["reserve/procured"], 150.0, atol=1e-2), "others sell in its place"
    assert low.rows["reserve/price"][0] > full.rows["reserve/price"][0] + 10.0


def test_a_battery_that_is_full_sells_no_regulation_downwards(tmp_path: Path) -> None:
    half = play(study_of(tmp_path / "half", DOWN.format(more=""), 50.0))
    full = play(study_of(tmp_path / "full", DOWN.format(more=""), 100.0))
    assert half.awards[0]["regulation_down"] == pytest.approx(150.0, abs=1e-2)
    assert full.awards[0].get("regulation_down", 0.0) <= 1e-3


def test_how_long_a_product_may_be_called_says_how_much_energy_stands_behind_it(tmp_path: Path) -> None:
    short = play(study_of(tmp_path / "short", RESERVE.format(more="duration_minutes = 2"), 11.0))
    gate = play(study_of(tmp_path / "gate", RESERVE.format(more=""), 11.0))
    assert short.awards[0]["reserve"] == pytest.approx(0.9 / (2 * HOURS), abs=1e-2)
    assert gate.awards[0]["reserve"] == pytest.approx(0.9 / (6 * HOURS), abs=1e-2)
    assert gate.awards[-1]["reserve"] >= gate.awards[0]["reserve"], "the gate is nearer"


@pytest.mark.parametrize(
    ("start", "looks"),
    [(12.0, "now"), (14.0, "now"), (60.0, "now"), (97.0, "now"), (60.0, "ahead"), (97.0, "ahead")],
)
def test_energy_is_conserved_through_a_call(tmp_path: Path, start: float, looks: str) -> None:
    """The energy moves by what it really gave, and is never outside of its limits."""
    both = RESERVE.format(more="") + DOWN.format(more="").split("gate_minutes = 6")[1] + TRIP
    made = study_of(tmp_path, both, start)
    if looks == "ahead":
        ahead(made)
    run = play(made)
    stored = np.where(run.power > 0.0, run.power / WAY, run.power * WAY)
    wanted = start - np.cumsum(stored) * HOURS
    assert np.abs(run.energy - wanted).max() <= 1e-9
    assert (run.energy >= 10.0 - 1e-6).all()
    assert (run.energy <= 100.0 + 1e-6).all()
    assert (np.abs(run.power) <= KW + 1e-6).all()
    assert (run.response > 1.0).any(), "it was called"
    assert run.settled.all()


def test_a_battery_that_trips_keeps_its_energy(tmp_path: Path) -> None:
    trip = TRIP.replace('"two"', '"one"').replace('"big"', '"cell"')
    run = play(study_of(tmp_path, "[ancillary]\ngate_minutes = 6\n" + trip, 60.0))
    assert run.power[0] != 0.0
    assert not run.power[1:5].any()
    assert (run.energy[1:5] == run.energy[0]).all()
    assert run.energy[0] == pytest.approx(60.0 - max(run.power[0] / WAY, run.power[0] * WAY) * HOURS)


@pytest.fixture
def sells(tmp_path: Path) -> Study:
    """Feeder whose battery stands in the asset table, prices and ramp with it."""
    made = study_of(tmp_path, RESERVE.format(more=""), 60.0, more="")
    file = made / "one" / "scenario.toml"
    text = file.read_text().replace(OWNER, '\n[[owner]]\nname = "battery"\ntakes = ["cell"]\n')
    file.write_text(text)
    ramped = TABLED.format(owner="").replace(CAPACITY, f"{CAPACITY},ramp_kw_per_minute")
    lines = [line + ("" if "ramp" in line else ",60" if "cell" in line else ",") for line in ramped.split()]
    (made / "one" / "assets.csv").write_text("\n".join(lines) + "\n")
    return load_substation(made).member("one")


def test_what_comes_back_from_a_call_is_not_sold(sells: Study) -> None:
    """Called by 150 kW at 60 kW/min it still gives 90 and 30 kW in the two minutes after the call."""
    battery = Battery(sells)
    now = Interval(1, HOURS, 25.0, 0.5)
    (before,) = battery.offer(now)
    battery.award(Interval(0, HOURS, 25.0, 0.5), {"cell": Awarded(0.0, 0.0, 25.0, 0.0, response_kw=150.0)})
    assert battery.energy == pytest.approx(60.0 - 150.0 / WAY * HOURS, abs=1e-12)
    (after,) = battery.offer(now)
    assert before.capacity is not None
    assert after.capacity is not None
    assert (before.capacity.regulation_up, before.capacity.ramp_kw_per_minute) == (4.0, 60.0)
    assert before.capacity.up_kwh == pytest.approx(50.0 * WAY)
    assert after.capacity.up_kwh == pytest.approx((battery.energy - 10.0) * WAY - (90.0 + 30.0) * HOURS)
    assert after.capacity.down_kwh == pytest.approx((100.0 - battery.energy) / WAY)


def test_a_storage_whose_energy_nobody_knows_sells_none(tmp_path: Path) -> None:
    made = study_of(tmp_path, RESERVE.format(more=""), 60.0)
    (made / "two" / "assets.csv").write_text(TABLED.format(owner=""))
    with pytest.raises(InputError, match=r"storage 'cell' sells capacity, and 'assets' does not know.*takes"):
        _ = load_substation(made).member("two").network
