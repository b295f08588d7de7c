from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Network, Resource, delta, wye
from dlmp_cosim.feeders.opendss.case import Circuit
from dlmp_cosim.feeders.readers.assets import CAPACITY, COLUMNS, OPTIONAL, read_assets
from tests import circuits

CASES = Path(__file__).parents[2] / "cases" / "ieee123"
WRONG = tomllib.loads((CASES / "wrong_assets.toml").read_text(encoding="utf-8"))["case"]
GOOD = ("dg_13,generator,13,abc,,240,250,,27.5,0.02", "flex_s2b,flexible_load,,,s2b,,,0.2,40,1")
TYPICAL_LMP = 27.0


def write(folder: Path, *lines: str, header: str = ",".join(COLUMNS)) -> Path:
    path = folder / "assets.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study() -> Network:
    """IEEE 123 with its own table."""
    return ieee123.load()


@pytest.fixture(scope="module")
def plants() -> Circuit:
    """A circuit with plants of its own, a neutral and a centre-tapped service."""
    return circuits.circuit("mixed")


PLACING = OPTIONAL[:3]
HEADER = ",".join((*COLUMNS, *PLACING))


def generators(network: Network) -> list[Resource]:
    return [resource for resource in network.resources if resource.kind == "generator"]


def test_a_generator_and_a_flexible_load(tmp_path: Path, feeder: Network) -> None:
    resources, terms = read_assets(write(tmp_path, *GOOD), feeder)
    assert resources[0] == Resource("dg_13", "generator", "13", wye((1, 2, 3)), 240.0, 250.0)
    assert (terms[0].cost_linear, terms[0].cost_quadratic, terms[0].curtailable_share) == (27.5, 0.02, 0.0)
    assert terms[0].q_max_kvar == pytest.approx(70.0)
    assert terms[0].reactive_ratio is None
    expected = Resource("flex_s2b", "flexible_load", "2", wye((2,)), 4.0, 0.2 * math.hypot(20, 10), "s2b")
    assert resources[1] == expected
    assert (terms[1].curtailable_share, terms[1].reactive_ratio, terms[1].q_max_kvar) == (0.2, 0.5, 0.0)


def test_resources_may_have_another_owner(tmp_path: Path, feeder: Network) -> None:
    path = write(tmp_path, GOOD[0] + ",battery", GOOD[1] + ",", header=",".join((*COLUMNS, "owner")))
    assert [resource.owner for resource in read_assets(path, feeder)[0]] == ["battery", "assets"]


def test_a_delta_load_is_curtailed_between_its_phases(tmp_path: Path, feeder: Network) -> None:
    path = write(tmp_path, "flex_s65ca,flexible_load,,,s65ca,,,0.5,40,1")
    assert read_assets(path, feeder)[0][0].legs == ((3, 1),)


@pytest.mark.parametrize("case", WRONG, ids=[case["name"] for case in WRONG])
def test_a_wrong_line_is_refused_where_it_is_wrong(
    tmp_path: Path, feeder: Network, case: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as caught:
        read_assets(write(tmp_path, case["line"], GOOD[1]), feeder)
    for part in case["says"]:
        assert part in str(caught.value)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, feeder: Network, column: str) -> None:
    header = ",".join(name for name in COLUMNS if name != column)
    with pytest.raises(InputError, match=f"assets.csv:1: column '{column}' is missing"):
        read_assets(write(tmp_path, header=header), feeder)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"my_assets.csv: no such file"):
        ieee123.load(assets=tmp_path / "my_assets.csv")


def test_another_table_takes_the_place_of_the_own_one(tmp_path: Path) -> None:
    assert ieee123.load(assets=write(tmp_path, *GOOD)).resource_ids == ("dg_13", "flex_s2b")


def test_thirteen_generators_of_70_percent_of_the_load(study: Network) -> None:
    found = generators(study)
    assert len(found) == 13
    assert sum(resource.kw_max for resource in found) == 2443.0
    assert all(resource.name == f"dg_{resource.bus}" for resource in found)
    single = [resource.phases for resource in found if len(resource.phases) == 1]
    assert {phase for phases in single for phase in phases} == {1, 2, 3}
    assert any(resource.kva_max > resource.kw_max for resource in found)


def test_generators_fit_their_conductors(study: Network) -> None:
    ratings = {branch.terminals[1].bus: branch.rating_a[1] for branch in study.branches}
    for resource in generators(study):
        amps = resource.kva_max / len(resource.phases) / study.buses[0].kv_base
        assert amps < ratings[resource.bus] / 3.0, resource.name


def test_every_load_is_flexible_by_a_fifth(study: Network) -> None:
    flexible = [resource for resource in study.resources if resource.kind == "flexible_load"]
    assert [resource.load for resource in flexible] == list(study.load_ids)
    assert sum(resource.kw_max for resource in flexible) == pytest.approx(0.2 * 3490)


def test_costs_of_the_own_table(feeder: Network) -> None:
    resources, terms = read_assets(ieee123.ASSETS, feeder)
    rise = [
        item.cost_quadratic * resource.kw_max / item.cost_linear
        for resource, item in zip(resources, terms, strict=True)
    ]
    for resource, item, share in zip(resources, terms, rise, strict=True):
        assert item.resource == resource.name
        if resource.kind == "generator":
            assert 22.0 <= item.cost_linear <= 45.0
            assert 0.199 < share < 0.401
        else:
            assert TYPICAL_LMP < item.cost_linear <= 60.0
            assert share == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("phases", "connection", "legs"),
    [
        ("abc", "", wye((1, 2, 3))),
        ("c", "wye", wye((3,))),
        ("ca", "wye", wye((1, 3))),
        ("1.2.3", "wye", wye((1, 2, 3))),
        ("3.1", "delta", delta((1, 3))),
        ("abc", "delta", delta((1, 2, 3))),
        ("2", "", wye((2,))),
    ],
)
def test_phases_and_connection_make_legs(
    tmp_path: Path, feeder: Network, phases: str, connection: str, legs: tuple[tuple[int, int], ...]
) -> None:
    line = f"dg,storage,13,{phases},,240,250,,27.5,0.02,,{connection},"
    (resource,), (terms,) = read_assets(write(tmp_path, line, header=HEADER), feeder)
    assert (resource.kind, resource.legs, resource.element) == ("storage", legs, "")
    assert terms.q_max_kvar == pytest.approx(70.0)


def test_a_resource_may_sit_on_nodes_that_are_no_phases(tmp_path: Path, plants: Circuit) -> None:
    line = "dg,generator,far,4,,10,10,,27.5,0.02"
    assert read_assets(write(tmp_path, line), plants.network)[0][0].legs == ((4, 0),)


def test_case_does_not_count_in_names_of_the_circuit(tmp_path: Path, plants: Circuit) -> None:
    lines = ("dg,generator,MID,abc,,10,10,,27.5,0.02", "flex,flexible_load,,,Yard_A,,,0.2,40,1")
    resources, _ = read_assets(write(tmp_path, *lines), plants.network)
    assert (resources[0].bus, resources[1].load) == ("mid", "yard_a")


def test_an_element_of_the_circuit_brings_its_place_and_ratings(tmp_path: Path, plants: Circuit) -> None:
    path = write(tmp_path, "mill,generator,,,,,,,27.5,0.02,,,Generator.Diesel", header=HEADER)
    (resource,), (terms,) = read_assets(path, plants.network, plants.plants)
    (rated,) = [plant for plant in plants.plants if plant.name == "generator.diesel"]
    assert (resource.bus, resource.legs) == ("mill", rated.legs)
    assert (resource.kw_max, resource.kva_max, resource.element) == (rated.kw, rated.kva, rated.name)
    assert terms.q_max_kvar == pytest.approx(math.sqrt(rated.kva**2 - rated.kw**2))


def test_a_table_may_give_an_element_other_ratings(tmp_path: Path, plants: Circuit) -> None:
    path = write(tmp_path, "mill,generator,,,,50,60,,27.5,0.02,,,generator.diesel", header=HEADER)
    (resource,), _ = read_assets(path, plants.network)
    assert (resource.kw_max, resource.kva_max) == (50.0, 60.0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x,generator,,,,,,,1,0,,,generator.deisel", ["element", "did you mean 'generator.diesel'?"]),
        ("x,storage,,,,5,5,,1,0,,,generator.diesel", ["generator.diesel is no storage", "a storage"]),
        ("x,generator,,,,,,,1,0,,,generator.diesel", ["kw_max", "empty cell"]),
        ("x,generator,mid,a,,5,5,,1,0,,delta,", ["phases", "1 phases cannot be connected in delta"]),
        ("x,generator,mid,abc,,5,5,,1,0,,star,", ["connection", "unknown connection 'star'"]),
        ("x,generator,mid,1.1,,5,5,,1,0,,,", ["phases", "is not a list of nodes"]),
        ("x,generator,mid,0.1,,5,5,,1,0,,,", ["phases", "is not a list of nodes"]),
        ("x,generator,mid,4,,5,5,,1,0,,,", ["bus mid has no phase 4", "out of abc"]),
        ("x,flexible_load,,,pq,,,0.2,1,0,,delta,", ["connection", "no meaning for a flexible_load"]),
    ],
)
def test_what_a_circuit_does_not_have_is_refused(
    tmp_path: Path, plants: Circuit, line: str, says: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        read_assets(write(tmp_path, line, header=HEADER), plants.network)
    for part in ["assets.csv:2", *says]:
        assert part in str(caught.value)


def test_an_element_is_driven_once(tmp_path: Path, plants: Circuit) -> None:
    lines = [f"{name},generator,,,,5,5,,1,0,,,generator.diesel" for name in ("one", "two")]
    with pytest.raises(InputError, match=r"'generator\.diesel' is already on line 2"):
        read_assets(write(tmp_path, *lines, header=HEADER), plants.network)


NUMBER = st.floats(0.01, 1e6)


@given(NUMBER, st.floats(1.0, 3.0), st.floats(-1e3, 1e3), st.floats(0.0, 1e3))
def test_numbers_arrive_unchanged(
    tmp_path_factory: pytest.TempPathFactory,
    feeder: Network,
    kw: float,
    factor: float,
    linear: float,
    quadratic: float,
) -> None:
    kva = kw * factor
    line = f"dg,generator,13,abc,,{kw!r},{kva!r},,{linear!r},{quadratic!r}"
    (resource,), (terms,) = read_assets(write(tmp_path_factory.mktemp("assets"), line), feeder)
    assert (resource.kw_max, resource.kva_max) == (kw, kva)
    assert (terms.cost_linear, terms.cost_quadratic) == (linear, quadratic)
    assert math.hypot(kw, terms.q_max_kvar) == pytest.approx(kva)


SELLING = ",".join((*COLUMNS, *CAPACITY))


def test_what_is_sold_to_an_ancillary_market_is_read(tmp_path: Path, feeder: Network) -> None:
    lines = (
        "dg,generator,13,abc,,240,240,,18,0.05,4,,2,-5,30",
        "other,generator,30,abc,,240,240,,18,0.05,,,,,9",
    )
    _, terms = read_assets(write(tmp_path, *lines, header=SELLING), feeder)
    sold = {"regulation_up": 4.0, "reserve": 2.0, "called": -5.0, "ramp_kw_per_minute": 30.0}
    assert [dict(item.capacity) for item in terms] == [sold, {"ramp_kw_per_minute": 9.0}]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ("-4,,,,", "regulation_up.*too small.*at least 0"),
        (",,cheap,,", "reserve.*'cheap' is not a number"),
        ("4,,,,0", "ramp_kw_per_minute.*more than 0"),
        (",,,60,", "called.*no capacity"),
    ],
)
def test_what_cannot_be_sold_is_named(tmp_path: Path, feeder: Network, cells: str, says: str) -> None:
    line = f"dg,generator,13,abc,,240,240,,18,0.05,{cells}"
    with pytest.raises(InputError, match=says):
        read_assets(write(tmp_path, line, header=SELLING), feeder)
