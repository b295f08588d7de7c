from __future__ import annotations

from dataclasses import replace

import pytest
from toys import toy_network

from federates.runtime.clock import Clock
from federates.study.profiles import with_profiles
from feeders.opendss.case import Circuit, LoadShape

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
