from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import toy_network

from dlmp_cosim.federates.study.owners import read_settings, with_owners
from dlmp_cosim.federates.study.scenario import OwnerSection, Scenario, Section
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Resource, delta, wye

FILE = Path("scenario.toml")
DG = Resource("dg", "generator", "b", wye((1, 2, 3)), 300.0, 300.0)
NETWORK = replace(toy_network(), resources=(DG,))
CELL = {"name": "cell", "kind": "storage", "bus": "b", "phases": "ab", "kw_max": 50.0}


def owner(name: str = "battery", **changes: Any) -> OwnerSection:
    return OwnerSection(name=name, **changes)


def test_a_resource_joins_the_network_behind_those_of_the_table() -> None:
    network = with_owners(NETWORK, [owner(resource=[CELL | {"kva_max": 60.0}])], FILE)
    assert network.resources == (
        DG,
        Resource("cell", "storage", "b", wye((1, 2)), 50.0, 60.0, owner="battery"),
    )


def test_a_resource_between_phases_has_a_leg_between_them() -> None:
    (cell,) = with_owners(NETWORK, [owner(resource=[CELL | {"connection": "delta"}])], FILE).resources[1:]
    assert cell.legs == delta((1, 2)) == ((1, 2),)


def test_phases_and_rating_have_defaults() -> None:
    bare = {key: value for key, value in CELL.items() if key != "phases"}
    (cell,) = with_owners(NETWORK, [owner(resource=[bare])], FILE).resources[1:]
    assert (cell.phases, cell.kva_max) == ((1, 2, 3), 50.0)


def test_a_flexible_load_sits_where_its_load_is() -> None:
    table = {"name": "ac", "kind": "flexible_load", "load": "load_b", "kw_max": 40.0}
    (load,) = with_owners(NETWORK, [owner(resource=[table])], FILE).resources[1:]
    assert (load.bus, load.phases, load.load) == ("b", (2,), "load_b")
    assert load.kva_max == pytest.approx(40.0 * abs(200 + 60j) / 200)


def test_an_owner_takes_over_a_resource_of_the_table() -> None:
    network = with_owners(NETWORK, [owner(takes=["dg"])], FILE)
    assert network.resources == (replace(DG, owner="battery"),)


FLEX = {"name": "x", "kind": "flexible_load", "load": "load_a", "kw_max": 1.0}


@pytest.mark.parametrize(
    ("owners", "message"),
    [
        ([owner(), owner()], r"owner 'battery' is listed twice"),
        ([owner(takes=["dq"])], r"owner\.battery\.takes: unknown resource 'dq'.*did you mean 'dg'"),
        ([owner(resource=[CELL | {"bus": "c"}])], r"owner\.battery\.resource\.cell\.bus: unknown bus 'c'"),
        ([owner(resource=[CELL | {"name": "dg"}])], r"there is a resource 'dg' already.*takes = \[\"dg\"\]"),
        ([owner(resource=[FLEX | {"load": "lod_a"}])], r"unknown load 'lod_a'.*did you mean 'load_a'"),
        ([owner(resource=[FLEX, FLEX | {"name": "y"}])], r"'x' and 'y' both curtail load 'load_a'"),
    ],
)
def test_a_wrong_table_is_refused_by_name(owners: list[OwnerSection], message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_owners(NETWORK, owners, FILE)


def test_a_phase_that_the_bus_lacks_is_refused() -> None:
    bus = replace(NETWORK.buses[1], phases=(1, 2))
    network = replace(NETWORK, buses=(NETWORK.buses[0], bus))
    with pytest.raises(InputError, match=r"bus b has no phase c; expected out of ab"):
        with_owners(network, [owner(resource=[CELL | {"phases": "bc"}])], FILE)


TABLES = {
    "a generator without a bus": 'kind = "generator"\nkw_max = 10',
    "a flexible load with a bus": 'kind = "flexible_load"\nload = "load_a"\nbus = "b"\nkw_max = 10',
    "a rating below the power": 'kind = "storage"\nbus = "b"\nkw_max = 10\nkva_max = 9',
    "phases out of order": 'kind = "storage"\nbus = "b"\nphases = "ba"\nkw_max = 10',
    "an unknown key": 'kind = "storage"\nbus = "b"\nkw_max = 10\nkwh = 9',
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_the_scenario_names_the_file_and_the_key(toy_study: Study, text: str) -> None:
    file = toy_study.scenario_file
    file.write_text(f'{file.read_text()}\n[[owner]]\nname = "x"\n[[owner.resource]]\nname = "y"\n{text}\n')
    with pytest.raises(InputError, match=r"scenario\.toml owner\[0\]\.resource\[0\]"):
        load_study(toy_study.folder)


def test_the_feeder_of_a_study_holds_what_owners_add(toy_study: Study) -> None:
    unit = 'name = "y"\nkind = "storage"\nbus = "b"\nkw_max = 9\n'
    table = f'[[owner]]\nname = "x"\ntakes = ["flex"]\n[[owner.resource]]\n{unit}'
    toy_study.scenario_file.write_text(f"{toy_study.scenario_file.read_text()}\n{table}")
    study = load_study(toy_study.folder)
    assert [(r.name, r.owner) for r in study.network.resources] == [
        ("dg", "assets"),
        ("flex", "x"),
        ("y", "x"),
    ]


class Likes(Section):
    level: float


def scenario(study: Study, **settings: Any) -> Scenario:
    return study.scenario.model_copy(update={"owner": [OwnerSection(name="cat", settings=settings)]})


def test_settings_are_the_owners_own(toy_study: Study) -> None:
    assert read_settings(scenario(toy_study, level=2), FILE, "cat", Likes).level == 2.0


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("cat", {}, r"scenario\.toml owner\.cat\.settings level: missing key"),
        ("cat", {"level": 1, "levle": 2}, r"unknown key 'levle'.*did you mean 'level'"),
        ("cta", {"level": 1}, r"no \[\[owner\]\] table for 'cta'.*did you mean 'cat'"),
    ],
)
def test_wrong_settings_name_file_owner_and_key(
    toy_study: Study, name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_settings(scenario(toy_study, **settings), FILE, name, Likes)
