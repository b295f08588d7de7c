"""What a slack and its price become when a step asks more of them than they can give."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.interior_point.pairs import KEPT, LEAST_SHARE, follow, off_centre

positive = st.floats(1e-6, 1e6)
anything = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("now", "asked", "t", "becomes"),
    [
        pytest.param((1.0, 2.0), (0.5, 3.0), 1.0, (0.5, 3.0), id="both go where the step leads"),
        pytest.param((1.0, 2.0), (-4.0, 3.0), 1e-3, (0.1, 3.0), id="a slack stops short of its wall"),
        pytest.param((1.0, 2.0), (0.5, -9.0), 1e-3, (0.5, 0.2), id="a price stops short of nothing"),
        pytest.param((1.0, 2.0), (0.0, 0.0), 1e-3, (0.1, 0.2), id="a tenth of each is left"),
        pytest.param((1e-4, 1e-3), (0.0, 0.0), 1.0, (1.0, 1e-4), id="the smaller one gives way: slack"),
        pytest.param((1e-3, 1e-4), (0.0, 0.0), 1.0, (1e-4, 1.0), id="the smaller one gives way: price"),
    ],
)
def test_a_pair_follows_as_far_as_it_stays_positive(
    now: tuple[float, float], asked: tuple[float, float], t: float, becomes: tuple[float, float]
) -> None:
    assert follow(*now, *asked, t) == pytest.approx(becomes)


@settings(max_examples=40)
@given(positive, positive, anything, anything, st.floats(1e-9, 1e3))
def test_a_pair_never_loses_its_sign_nor_its_way_back(
    slack: float, price: float, new_slack: float, new_price: float, t: float
) -> None:
    after = follow(slack, price, new_slack, new_price, t)
    assert min(after) > 0
    assert after[0] >= KEPT * slack
    assert after[1] >= KEPT * price
    assert after[0] * after[1] >= LEAST_SHARE * t * (1 - 1e-12)


@settings(max_examples=40)
@given(positive, positive, anything, anything, st.floats(1e-9, 1e3))
def test_slacks_and_prices_are_treated_alike(
    slack: float, price: float, new_slack: float, new_price: float, t: float
) -> None:
    if max(new_slack, KEPT * slack) == max(new_price, KEPT * price):
        return
    one = follow(slack, price, new_slack, new_price, t)
    other = follow(price, slack, new_price, new_slack, t)
    assert one == pytest.approx(other[::-1], rel=1e-12)


@settings(max_examples=40)
@given(positive, st.floats(1e-9, 1e3))
def test_a_pair_on_the_centre_is_not_off(slack: float, t: float) -> None:
    assert max(off_centre(slack, t / slack, t)) <= 1e-12 * max(slack, t / slack)


@pytest.mark.parametrize(
    ("slack", "price", "off"),
    [
        pytest.param(0.5, 4.0, (0.25, 0.0), id="a small slack is off by what its price leaves it"),
        pytest.param(4.0, 0.5, (0.0, 0.25), id="a small price is off by what its slack leaves it"),
        pytest.param(1e-9, 100.0, (0.01 - 1e-9, 0.0), id="a dear limit asks for a hundredth"),
    ],
)
def test_the_smaller_of_a_pair_is_the_one_that_is_off(
    slack: float, price: float, off: tuple[float, float]
) -> None:
    assert off_centre(slack, price, 1.0) == pytest.approx(off)
