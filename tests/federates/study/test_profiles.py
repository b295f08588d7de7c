from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import make_study, toy_network

from dlmp_cosim.federates.anchoring.demand import nominal_demand
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.profiles import with_profiles, with_tables
from dlmp_cosim.federates.study.series_sections import ProfileSection
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.opendss.case import Circuit, LoadShape

SHAPE = LoadShape(1.0, (0.1, 0.2, 0.3), (0.0, 0.5, 1.0))
CIRCUIT = Circuit(toy_network(), shapes={"day": SHAPE}, load_shape={"load_a": "day"})
CLOCK = Clock(start_utc=0, period_s=1800, intervals=8)


def test_demand_by_the_wholesale_ratio_has_no_profiles() -> None:
    assert with_profiles(CIRCUIT, CLOCK, 0.0, "wholesale") == toy_network()


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(0.0, (0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.1, 0.1)), (1.5, (0.2, 0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.3))],
)
def test_a_shape_holds_for_its_step_and_starts_over_at_its_end(
    hour: float, expected: tuple[float, ...]
) -> None:
    (profile,) = with_profiles(CIRCUIT, CLOCK, hour, "load_shapes").profiles
    assert profile.real == expected


def test_only_loads_with_a_shape_follow_it() -> None:
    network = with_profiles(CIRCUIT, CLOCK, 0.0, "load_shapes")
    assert [load.profile for load in network.loads] == ["day", "", ""]


def test_thirds_of_an_hour_fall_into_their_own_step() -> None:
    circuit = replace(CIRCUIT, shapes={"day": replace(SHAPE, step_h=1 / 3)})
    clock = replace(CLOCK, period_s=1200, intervals=6)
    (profile,) = with_profiles(circuit, clock, 0.0, "load_shapes").profiles
    assert profile.real == (0.1, 0.2, 0.3) * 2


def section(name: str, *loads: str) -> ProfileSection:
    return ProfileSection(name=name, loads=list(loads), file=f"{name}.csv")


def with_table(tmp_path: Path, text: str, loads: str = '["load_b", "load_c"]') -> Study:
    folder = make_study(tmp_path / "study")
    (folder / "schools.csv").write_text(text)
    scenario = folder / "scenario.toml"
    table = f'[[profile]]\nname = "schools"\nloads = {loads}\nfile = "schools.csv"\n[results]'
    scenario.write_text(scenario.read_text().replace("[results]", table))
    return load_study(folder)


def test_loads_follow_a_table_of_the_study_and_all_others_the_ratio(tmp_path: Path) -> None:
    network = with_table(tmp_path, "minutes,value\n0,0.5\n2,0.25\n").network
    listed = network.listed_demand
    for interval, share in ((0, 0.5), (1, 0.5), (2, 0.25), (5, 0.25)):
        found = nominal_demand(network, interval, ratio=0.8, load_scale=1.1)
        assert found / listed == pytest.approx(np.array([0.8, share, share]) * 1.1)


def test_a_table_goes_before_a_shape() -> None:
    shaped = with_profiles(CIRCUIT, CLOCK, 0.0, "load_shapes")
    found = with_tables(shaped, [section("own", "load_*")], lambda _: np.full(8, 0.7))
    assert nominal_demand(found, 3, 0.8, 1.0) == pytest.approx(0.7 * found.listed_demand)
    assert with_tables(shaped, [], lambda _: np.zeros(8)) == shaped


@pytest.mark.parametrize(
    ("sections", "least", "message"),
    [
        ([section("a", "load_x")], 0.0, "profile.a.loads: unknown load 'load_x'"),
        ([section("a", "load_a"), section("b", "load_?")], 0.0, "load 'load_a' follows another table"),
        ([section("a", "load_a"), section("a", "load_b")], 0.0, "'a' is listed twice"),
        ([section("a", "load_a")], -0.5, r"a.csv falls to -0.5; expected 0 or more"),
    ],
)
def test_tables_that_cannot_be_followed_are_named(
    sections: list[ProfileSection], least: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        with_tables(toy_network(), sections, lambda _: np.full(8, least), "scenario.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minutes,value\n5,1\n", "does not begin at 0 minutes"),
        ("minutes,share\n0,1\n", "profile.schools.file"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _ = with_table(tmp_path, text).network
