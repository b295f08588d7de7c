"""A run's metrics made by hand: every number is another, so that none can stand for its neighbour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dlmp_cosim.runners.judge.customers import GroupCost
from dlmp_cosim.runners.judge.outside import Answer, Emissions
from dlmp_cosim.runners.judge.performance import (
    Curtailment,
    Energy,
    LimitHours,
    Participation,
    Peak,
    Performance,
    ResourceUse,
)
from dlmp_cosim.runners.judge.voltage_quality import VoltageQuality

PLAIN = Performance(
    peak=Peak(3210.4, "2020-08-25 16:00", 12.6, 0.8125, 345.0),
    energy=Energy(70_001.0, 12.0, 8003.0, 0.0, 75_004.0, 2005.0, 0.026),
    voltage=VoltageQuality(0.9512, 1.0478, 0.0125, 1.5e-6, 0.00042, 0.0123, 0.0234, "83", 17.0, 2.0),
    resources=ResourceUse(9006.0, 0.75, 1007.0, 0.125, 58.0, 69.0),
    curtailment=Curtailment(410.0, 0.045, 121.0, 0.0016),
    limits=LimitHours(3.25, 2.0, 1.5, 0.25, 0.5),
)
"""What every run has."""
FULL = replace(
    PLAIN,
    emissions=Emissions(20.125, 3.5, 23.625, 314.9, 40.0, 945.0),
    participation=Participation(8001.0, 902.0, 103.0, 4.4),
    answer=Answer(1.25, 3.75, 0.0021, 0.034),
    groups=(
        GroupCost("homes", 40, 9000.0, 450.0, 50.0, 0.0175),
        GroupCost("all others", None, 66_004.0, 2640.16, 40.0, None),
    ),
)
"""With all that a scenario may ask for."""


def metrics(name: str, *titles: str, found: Performance = PLAIN, **changes: Any) -> Any:
    """What one variant of a comparison came to."""
    from dlmp_cosim.runners.compare.metrics import Metrics

    made = Metrics(
        name=name, titles=titles, intervals=288, violations=1234, unpriced=34, minutes=85.0,
        worst_voltage_pu=0.0256, worst_overload=0.5, voltage_error_pu=6.1e-5, head_error_kw=0.0312,
        cost_usd=1890.4, dlmp_low=-3.5, dlmp_high=99.0, dlmp_spread=7.25, rounds_mean=2.5, rounds_max=4.0,
        unsettled=0, voltage_low=0.93, voltage_high=1.04, predicted_low=0.951, metrics=found,
    )  # fmt: skip
    return replace(made, **changes)
