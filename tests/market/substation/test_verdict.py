"""What feeders drew together, held against what they share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.substation.limits import SharedRules
from dlmp_cosim.market.substation.verdict import SharedViolation, find_shared_violations, worst


def found(rules: SharedRules, *drawn: complex, minutes: float = 5.0) -> list[tuple[int, str, float, float]]:
    """Interval, cause, power and limit of every violation, with a tolerance of 1 kW."""
    all_of = find_shared_violations(rules, np.array(drawn, dtype=complex), minutes, 1.0)
    return [(item.interval, item.cause, item.kw, item.limit_kw) for item in all_of]


@pytest.mark.parametrize(
    ("rules", "drawn", "violations"),
    [
        pytest.param(SharedRules(), (1e6, -1e6), [], id="nothing shared"),
        pytest.param(
            SharedRules(import_max_kw=500.0), (500.0, 500.9, 502.0), [(2, "import", 502.0, 500.0)],
            id="import, beyond tolerance",
        ),
        pytest.param(
            SharedRules(export_max_kw=100.0), (-100.0, -150.0), [(1, "export", -150.0, -100.0)], id="export"
        ),
        pytest.param(
            SharedRules(rating_kva=500.0), (450 + 300j, -450 + 300j, 390 + 300j),
            [(0, "rating", 450.0, 400.0), (1, "rating", -450.0, -400.0)],
            id="a rating beside reactive power, both ways",
        ),
        pytest.param(
            SharedRules(ramp_kw_per_minute=10.0), (900.0, 960.0, 900.0),
            [(1, "ramp_up", 960.0, 950.0), (2, "ramp_down", 900.0, 910.0)],
            id="ramps, of which the first interval has none",
        ),
        pytest.param(
            SharedRules(import_max_kw=500.0, margin_kw=50.0), (480.0,), [], id="a margin is no limit"
        ),
        pytest.param(
            SharedRules(peak_target_kw=400.0, peak_price=30.0), (480.0,), [], id="nor is a target"
        ),
    ],
)  # fmt: skip
def test_violations(
    rules: SharedRules, drawn: tuple[complex, ...], violations: list[tuple[int, str, float, float]]
) -> None:
    assert found(rules, *drawn) == violations


@settings(max_examples=40)
@given(st.lists(st.floats(-900.0, 900.0), min_size=1, max_size=12), st.floats(10.0, 400.0))
def test_what_is_within_a_band_is_never_violated(drawn: list[float], most: float) -> None:
    rules = SharedRules(import_max_kw=most, export_max_kw=most)
    outside = {k for k, kw in enumerate(drawn) if abs(kw) > most + 1.0}
    assert {item[0] for item in found(rules, *drawn)} == outside


def test_the_worst_goes_furthest() -> None:
    one, other = SharedViolation(3, "import", 530.0, 500.0), SharedViolation(7, "export", -160.0, -100.0)
    assert (one.excess, other.excess) == (30.0, 60.0)
    assert worst([one, other]) is other
    assert worst([]) is None
