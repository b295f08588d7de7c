from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feeders import ieee123
from feeders.errors import InputError
from feeders.ieee123.tables import LEFT_OUT, SWITCH_OHM, read_feeder
from feeders.network import Network, node_id

CASES = Path(__file__).parents[2] / "cases" / "ieee123"
WRONG = tomllib.loads((CASES / "wrong_tables.toml").read_text(encoding="utf-8"))["case"]


def branch_of(network: Network, name: str) -> Any:
    return next(branch for branch in network.branches if branch.name == name)


def test_the_tables_are_those_that_were_carried_over() -> None:
    for line in (ieee123.TABLES / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((ieee123.TABLES / name).read_bytes()).hexdigest() == digest, name


def test_what_the_feeder_consists_of(feeder: Network) -> None:
    assert (len(feeder.buses), len(feeder.node_ids), len(feeder.branches)) == (128, 268, 127)
    assert Counter(branch.kind for branch in feeder.branches) == {"line": 118, "switch": 5, "regulator": 4}
    assert Counter(len(b.phases) for b in feeder.branches if b.kind == "line") == {3: 60, 2: 3, 1: 55}
    assert feeder.buses[0].name == "150"
    assert not {bus.name for bus in feeder.buses} & set(LEFT_OUT)


def test_listed_demand_by_model_and_phase(feeder: Network) -> None:
    assert len(feeder.loads) == 95
    assert feeder.listed_demand.sum() == 3490 + 1920j
    by_model: Counter[tuple[int, int]] = Counter()
    for load in feeder.loads:
        by_model[len(load.phases), load.exponent] += round(load.kw)
    assert by_model == {(1, 0): 1895, (1, 1): 460, (1, 2): 710, (2, 0): 40, (2, 1): 245, (2, 2): 140}
    listed = [sum(complex(x.kw, x.kvar) for x in feeder.loads if x.phases[0] == phase) for phase in (1, 2, 3)]
    assert listed == [1420 + 775j, 915 + 515j, 1155 + 630j]


@pytest.mark.parametrize(
    ("name", "bus", "phases", "exponent", "kw", "kvar"),
    [
        ("s1a", "1", (1,), 0, 40, 20),
        ("s47b", "47", (2,), 1, 35, 25),
        ("s48c", "48", (3,), 2, 70, 50),
        ("s35ab", "35", (1, 2), 0, 40, 20),
        ("s65ca", "65", (3, 1), 2, 70, 50),
        ("s76bc", "76", (2, 3), 1, 70, 50),
    ],
)
def test_some_loads(
    feeder: Network, name: str, bus: str, phases: tuple[int, ...], exponent: int, kw: float, kvar: float
) -> None:
    load = feeder.loads[feeder.load_ids.index(name)]
    assert (load.bus, load.phases, load.exponent, load.kw, load.kvar) == (bus, phases, exponent, kw, kvar)


def test_capacitors(feeder: Network) -> None:
    found = {(item.name, item.bus, item.phase, item.kvar) for item in feeder.capacitors}
    big = {(f"c83{letter}", "83", phase, 200.0) for phase, letter in ((1, "a"), (2, "b"), (3, "c"))}
    assert found == big | {("c88a", "88", 1, 50.0), ("c90b", "90", 2, 50.0), ("c92c", "92", 3, 50.0)}


def test_regulators_stand_in_front_of_their_segments(feeder: Network) -> None:
    regulated = [branch.name for branch in feeder.branches if branch.kind == "regulator"]
    assert sorted(regulated) == ["150-rg1", "160-rg4", "25-rg3", "9-rg2"]
    assert [branch_of(feeder, name).phases for name in ("9-rg2", "25-rg3")] == [(1,), (1, 3)]
    behind = {branch.name: branch.kind for branch in feeder.branches if branch.from_bus.startswith("rg")}
    assert behind == {"rg1-149": "switch", "rg2-14": "line", "rg3-26": "line", "rg4-67": "line"}
    assert feeder.initial_taps.tolist() == [7, 7, 7, -1, 0, -1, 8, 1, 5]
    first = feeder.regulators[0]
    assert (first.phases, first.monitored_phase, first.voltage_level_v, first.band_v) == (
        (1, 2, 3),
        1,
        120.0,
        2.0,
    )
    assert (first.pt_ratio, first.ct_primary_a, first.ldc_r_v, first.ldc_x_v) == (20.0, 700.0, 3.0, 7.5)


def test_impedance_follows_length_and_phasing(feeder: Network) -> None:
    lateral = branch_of(feeder, "13-34")
    assert lateral.phases == (3,)
    assert lateral.impedance_ohm[0, 0] == pytest.approx((1.3292 + 1.3475j) * 150 / 5280, rel=1e-12)
    two_phase = branch_of(feeder, "rg3-26")
    assert two_phase.impedance_ohm[0, 1] == pytest.approx((0.1535 + 0.3849j) * 350 / 5280, rel=1e-12)
    cable = branch_of(feeder, "60-62")
    assert cable.susceptance_us[1][1] == pytest.approx(67.2242 * 250 / 5280, rel=1e-12)
    assert branch_of(feeder, "13-152").impedance_ohm[0, 0] == SWITCH_OHM


def test_ratings_follow_the_conductor(feeder: Network) -> None:
    names = ("149-1", "13-34", "60-62", "13-152", "150-rg1", "9-rg2")
    assert [branch_of(feeder, name).rating_a for name in names] == [530, 230, 155, 900, 700, 50]


def test_every_bus_has_a_place_to_be_drawn(feeder: Network) -> None:
    assert all(bus.x is not None and bus.y is not None for bus in feeder.buses)
    places = {bus.name: (bus.x, bus.y) for bus in feeder.buses}
    assert places["rg2"] == places["9"]


def test_every_bus_hangs_on_the_tree_with_its_phases(feeder: Network) -> None:
    for k, branch in enumerate(feeder.branches):
        assert branch.to_bus == feeder.buses[k + 1].name
        assert feeder.parent[k + 1] <= k
        upstream = feeder.buses[feeder.parent[k + 1]]
        assert set(branch.phases) <= set(upstream.phases)
        assert all(node_id(branch.to_bus, phase) in feeder.node_index for phase in branch.phases)


def test_reading_twice_gives_equal_networks(feeder: Network) -> None:
    assert ieee123.load() == feeder
    assert read_feeder(ieee123.TABLES).resources == ()


def test_another_folder_of_tables(tables: Path, feeder: Network) -> None:
    assert ieee123.load(tables=tables) == feeder
    path = tables / "spot_loads.csv"
    path.write_text(
        path.read_text(encoding="utf-8").replace("wye,PQ,40,20", "wye,PQ,50,20", 1), encoding="utf-8"
    )
    assert ieee123.load(tables=tables).loads[0].kw == 50.0


@pytest.mark.parametrize("case", WRONG, ids=[case["name"] for case in WRONG])
def test_a_wrong_table_is_refused_where_it_is_wrong(tables: Path, case: dict[str, Any]) -> None:
    path = tables / case["file"]
    text = path.read_text(encoding="utf-8")
    assert case["old"] in text
    path.write_text(text.replace(case["old"], case["new"], 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        ieee123.load(tables=tables)
    for part in case["says"]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "name", ["line_segments.csv", "line_ratings.csv", "regulators.csv", "bus_coords.csv"]
)
def test_a_missing_table_is_named(tables: Path, name: str) -> None:
    (tables / name).unlink()
    with pytest.raises(InputError, match=f"{name}: no such file"):
        ieee123.load(tables=tables)


def test_shared_ratings_are_finite(feeder: Network) -> None:
    assert np.isfinite([branch.rating_a for branch in feeder.branches]).all()
