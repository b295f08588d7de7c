"""What a unit of cost is worth, whatever the price."""

from __future__ import annotations

import pytest

from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.problem.units import cost_unit, damped_price


@pytest.mark.parametrize(
    ("lmp", "kw", "unit"),
    [
        pytest.param(40.0, 100.0, 4.0, id="100 kW for an hour at 40 $/MWh"),
        pytest.param(-40.0, 100.0, 4.0, id="the size of a price counts"),
        pytest.param(0.0, 100.0, 1.0, id="at no price as at 10 $/MWh"),
        pytest.param(9.99, 1000.0, 10.0, id="a small price is as 10"),
        pytest.param(10.5, 1000.0, 10.5, id="a larger one is itself"),
    ],
)
def test_a_unit_of_cost_is_that_of_power_at_the_price(lmp: float, kw: float, unit: float) -> None:
    assert cost_unit(WholesalePrice(lmp), kw) == pytest.approx(unit)


@pytest.mark.parametrize(("lmp", "price"), [(40.0, 40.0), (0.1, 0.1), (0.0, 0.1), (-25.0, 0.1)])
def test_damping_goes_by_a_price_that_is_positive(lmp: float, price: float) -> None:
    assert damped_price(WholesalePrice(lmp)) == price
