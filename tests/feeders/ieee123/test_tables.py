from __future__ import annotations

import csv
import hashlib
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.ieee123.commands import TAP_STEP, commands
from dlmp_cosim.feeders.ieee123.conductors import read_ratings
from dlmp_cosim.feeders.ieee123.tables import LEFT_OUT, SWITCH_OHM, read_tables
from dlmp_cosim.feeders.network import ComplexArray, Element, Network, delta, wye

CASES = Path(__file__).parents[2] / "cases" / "ieee123"
WRONG = tomllib.loads((CASES / "wrong_tables.toml").read_text(encoding="utf-8"))["case"]


def branch_of(network: Network, name: str) -> Element:
    return next(branch for branch in network.branches if branch.name == name)


def series_ohm(branch: Element) -> ComplexArray:
    """Series impedance between the two ends of a line."""
    n = len(branch.terminals[0].phases)
    return np.asarray(np.linalg.inv(-branch.admittance_s[:n, n:]))


def ends(branch: Element) -> tuple[str, ...]:
    return tuple(terminal.bus for terminal in branch.terminals)


def test_the_tables_are_those_that_were_carried_over() -> None:
    for line in (ieee123.TABLES / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((ieee123.TABLES / name).read_bytes()).hexdigest() == digest, name


def test_the_source_states_conductor_and_ampacity_of_every_configuration() -> None:
    page = (ieee123.TABLES / "SOURCE.md").read_text(encoding="utf-8")
    table = page[page.index("## Conductors and ampacities") :]
    stated = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == 5 and cells[3].endswith(" A"):
            first, _, last = cells[0].replace(",", " ").partition(" to ")
            names = range(int(first), int(last) + 1) if last else map(int, first.split())
            stated |= {str(name): (float(cells[3].removesuffix(" A")), cells[4]) for name in names}
    rows = (ieee123.TABLES / "line_config_construction.csv").read_text().splitlines()[1:]
    ratings = read_ratings(ieee123.TABLES)
    for row in csv.reader(rows):
        rating, source = stated[row[0]]
        assert rating == ratings[row[3]], row
        assert "Kersting" in source
    assert len(stated) == len(rows) == 12


def test_what_the_feeder_consists_of(feeder: Network) -> None:
    assert (len(feeder.buses), len(feeder.node_ids), len(feeder.branches)) == (130, 274, 132)
    assert Counter(branch.kind for branch in feeder.branches) == {"line": 118, "switch": 6, "transformer": 8}
    lines = [branch for branch in feeder.branches if branch.kind == "line"]
    assert Counter(len(line.terminals[0].phases) for line in lines) == {3: 60, 2: 3, 1: 55}
    assert feeder.buses[0].name == "150"
    assert not {bus.name for bus in feeder.buses} & set(LEFT_OUT)


def test_listed_demand_by_model_and_phase(feeder: Network) -> None:
    assert len(feeder.loads) == 95
    assert feeder.listed_demand.sum() == 3490 + 1920j
    by_model: Counter[tuple[int, int]] = Counter()
    for load in feeder.loads:
        by_model[len(load.phases), load.model] += round(load.kw)
    assert by_model == {(1, 1): 1895, (1, 5): 460, (1, 2): 710, (2, 1): 40, (2, 5): 245, (2, 2): 140}
    listed = [
        sum(complex(x.kw, x.kvar) for x in feeder.loads if x.legs[0][0] == phase) for phase in (1, 2, 3)
    ]
    assert listed == [1420 + 775j, 915 + 515j, 1155 + 630j]


@pytest.mark.parametrize(
    ("name", "bus", "legs", "model", "kw", "kvar"),
    [
        ("s1a", "1", wye((1,)), 1, 40, 20),
        ("s47b", "47", wye((2,)), 5, 35, 25),
        ("s48c", "48", wye((3,)), 2, 70, 50),
        ("s35ab", "35", delta((1, 2)), 1, 40, 20),
        ("s65ca", "65", delta((3, 1)), 2, 70, 50),
        ("s76bc", "76", delta((2, 3)), 5, 70, 50),
    ],
)
def test_some_loads(
    feeder: Network,
    name: str,
    bus: str,
    legs: tuple[tuple[int, int], ...],
    model: int,
    kw: float,
    kvar: float,
) -> None:
    load = feeder.loads[feeder.load_ids.index(name)]
    assert (load.bus, load.legs, load.model, load.kw, load.kvar) == (bus, legs, model, kw, kvar)
    assert (load.vmin_pu, load.vlow_pu, load.vmax_pu) == (0.7, 0.49, 2.0)


def test_capacitors(feeder: Network) -> None:
    kvar = {
        element.name: (ends(element), element.terminals[0].phases, element.admittance_s[0, 0].imag)
        for element in feeder.elements
        if element.kind == "capacitor"
    }
    listed = {
        f"capacitor.c83{letter}": ("83", phase, 200.0) for letter, phase in zip("abc", (1, 2, 3), strict=True)
    }
    listed |= {
        "capacitor.c88a": ("88", 1, 50.0),
        "capacitor.c90b": ("90", 2, 50.0),
        "capacitor.c92c": ("92", 3, 50.0),
    }
    assert set(kvar) == set(listed)
    for name, (bus, phase, size) in listed.items():
        assert kvar[name][:2] == ((bus,), (phase,))
        assert 1e3 * kvar[name][2] * feeder.buses[0].kv_base ** 2 == pytest.approx(size, rel=1e-9)


def test_regulators_stand_in_front_of_their_segments(feeder: Network) -> None:
    tap_changers = [branch for branch in feeder.branches if branch.controlled]
    assert {ends(branch) for branch in tap_changers} == {
        ("150", "rg1"),
        ("9", "rg2"),
        ("25", "rg3"),
        ("160", "rg4"),
    }
    phases = {branch.name: branch.terminals[1].phases for branch in tap_changers}
    assert phases["transformer.reg1abc"] == (1, 2, 3)
    assert [phases[f"transformer.reg{name}"] for name in ("2a", "3a", "3c")] == [(1,), (1,), (3,)]
    behind = {ends(b): b.kind for b in feeder.branches if ends(b)[0].startswith("rg")}
    assert behind == {
        ("rg1", "149"): "switch",
        ("rg2", "14"): "line",
        ("rg3", "26"): "line",
        ("rg4", "67"): "line",
    }
    assert feeder.tap_ids == ("reg1abc", "reg2a", "reg3a", "reg3c", "reg4a", "reg4b", "reg4c")
    assert feeder.initial_taps.tolist() == [7, -1, 0, -1, 8, 1, 5]
    assert [regulator.step_pu for regulator in feeder.regulators] == pytest.approx([TAP_STEP] * 7)
    first = read_tables(ieee123.TABLES).tap_changers[0]
    assert (first.phases, first.monitored_phase, first.voltage_level_v, first.band_v) == (
        (1, 2, 3),
        1,
        120.0,
        2.0,
    )
    assert (first.pt_ratio, first.ct_primary_a, first.ldc_r_v, first.ldc_x_v) == (20.0, 700.0, 3.0, 7.5)


def test_xfm_1_feeds_bus_610_behind_its_switch(feeder: Network) -> None:
    transformer = branch_of(feeder, "transformer.xfm-1")
    assert ends(transformer) == ("xf1", "610")
    assert ends(branch_of(feeder, "line.61-xf1")) == ("61", "xf1")
    assert transformer.rating_a == pytest.approx((150 / 3**0.5 / 4.16, 150 / 3**0.5 / 0.48))
    assert feeder.buses[feeder.bus_index["610"]].kv_base == pytest.approx(0.48 / 3**0.5)
    assert not [load for load in feeder.loads if load.bus == "610"]


def test_impedance_follows_length_and_phasing(feeder: Network) -> None:
    lateral = branch_of(feeder, "line.13-34")
    assert lateral.terminals[0].phases == (3,)
    assert series_ohm(lateral)[0, 0] == pytest.approx((1.3292 + 1.3475j) * 150 / 5280, rel=1e-9)
    two_phase = branch_of(feeder, "line.rg3-26")
    assert series_ohm(two_phase)[0, 1] == pytest.approx((0.1535 + 0.3849j) * 350 / 5280, rel=1e-9)
    sections = {(s.from_bus, s.to_bus): s for s in read_tables(ieee123.TABLES).sections}
    assert sections["60", "62"].susceptance_us[1, 1] == pytest.approx(67.2242 * 250 / 5280, rel=1e-12)
    cable = branch_of(feeder, "line.60-62").admittance_s
    assert (cable[1, 1] + cable[1, 4]).imag * 1e6 == pytest.approx(67.2242 * 250 / 5280 / 2, rel=1e-6)
    assert series_ohm(branch_of(feeder, "line.13-152"))[0, 0] == pytest.approx(SWITCH_OHM, rel=1e-9)


def test_ratings_follow_the_conductor(feeder: Network) -> None:
    names = (
        "line.149-1",
        "line.13-34",
        "line.60-62",
        "line.13-152",
        "transformer.reg1abc",
        "transformer.reg2a",
    )
    ratings = [branch_of(feeder, name).rating_a[0] for name in names]
    assert ratings == pytest.approx([530, 230, 155, 900, 700, 50])


def test_every_bus_has_a_place_to_be_drawn(feeder: Network) -> None:
    assert all(bus.x is not None and bus.y is not None for bus in feeder.buses)
    places = {bus.name: (bus.x, bus.y) for bus in feeder.buses}
    assert places["rg2"] == places["9"]
    assert places["xf1"] == places["610"]


def test_every_section_points_away_from_the_source_with_the_phases_it_needs() -> None:
    tables = read_tables(ieee123.TABLES)
    reached = {"150", *(item.to_bus for item in (*tables.tap_changers, *tables.step_downs))}
    for section in tables.sections:
        assert set(section.phases) <= set(tables.phases[section.from_bus])
        assert tables.phases[section.to_bus] == section.phases
        reached.add(section.to_bus)
    assert reached == set(tables.phases)


def test_reading_twice_gives_equal_commands(tables: Path) -> None:
    own = commands(read_tables(ieee123.TABLES))
    assert ieee123.case().commands == own
    assert ieee123.case(tables).commands == own
    assert ieee123.load() == ieee123.load()


def test_another_folder_of_tables(tables: Path) -> None:
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
        ieee123.case(tables)
    for part in case["says"]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["line_segments.csv", "line_ratings.csv", "regulators.csv", "bus_coords.csv", "transformers.csv"],
)
def test_a_missing_table_is_named(tables: Path, name: str) -> None:
    (tables / name).unlink()
    with pytest.raises(InputError, match=f"{name}: no such file"):
        ieee123.case(tables)


def test_shared_ratings_are_finite(feeder: Network) -> None:
    assert np.isfinite([rating for branch in feeder.branches for rating in branch.rating_a]).all()


@pytest.mark.parametrize("again", ["13,152,open", "13,152,closed", "152,13,open"])
def test_a_switch_is_listed_once_closed_or_open(tmp_path: Path, again: str) -> None:
    for file in ieee123.TABLES.glob("*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    file = tmp_path / "switches.csv"
    lines = file.read_text().splitlines()
    (first,) = (k for k, line in enumerate(lines, 1) if line.startswith("13,152,"))
    file.write_text("\n".join([*lines, again]) + "\n")
    with pytest.raises(InputError) as caught:
        read_tables(tmp_path)
    assert str(caught.value) == (
        f"switches.csv:{len(lines) + 1} node_a: '13-152' is already on line {first}; expected each one once"
    )
