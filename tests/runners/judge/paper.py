"""A run of one load and one generator whose every amount fits on paper, without a results file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlmp_cosim.federates.contract.topics import find_topic
from dlmp_cosim.feeders.network import Network
from tests.handmade import chain, generator, load
from tests.runners.told import ToldResults

SHED = replace(generator("shed", "b", owner="homes"), kind="flexible_load", load="x")
NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b"), SHED])
ANGLES = np.deg2rad([0.0, -120.0, 120.0])
TOLD: dict[str, Any] = {
    "wholesale/lmp": [30.0, 50.0],
    "wholesale/demand_ratio": [1.0, 1.0],
    "feeder/voltage_magnitude": np.ones((2, 6)),
    "feeder/voltage_angle": np.tile(ANGLES, (2, 2)),
    "feeder/load_real": [[30.0], [24.0]],
    "feeder/load_reactive": [[12.0], [9.6]],
    "feeder/demand_real": [[30.0], [24.0]],
    "feeder/demand_reactive": [[12.0], [9.6]],
    "feeder/injection_real": [[10.0, 0.0], [0.0, 0.0]],
    "feeder/injection_reactive": np.zeros((2, 2)),
    "feeder/machine_real": np.zeros((2, 0)),
    "feeder/machine_reactive": np.zeros((2, 0)),
    "feeder/head_power_real": [[7.0] * 3, [9.0] * 3],
    "feeder/head_power_reactive": [[4.0] * 3, [3.2] * 3],
    "feeder/losses_real": [1.0, 3.0],
    "market/dispatch_real": [[10.0, 0.0], [0.0, 6.0]],
    "market/dlmp_real": [[30.0] * 3 + [36.0] * 3, [50.0] * 3 + [60.0] * 3],
    "market/dlmp_reactive": [[0.0] * 3 + [2.0] * 3] * 2,
    "market/dlmp_real_loss": [[0.0] * 3 + [6.0] * 3, [0.0] * 3 + [10.0] * 3],
    "market/dlmp_real_voltage": np.zeros((2, 6)),
    "market/dlmp_real_congestion": np.zeros((2, 6)),
}
"""Half an hour each: 30 kW, then 24 kW of which 6 are spared, at a bus where a MWh costs a fifth more."""
SCENARIO = {"study": {"name": "paper"}, "market": {"model": "nodal"}, "feeder": {"load_scale": 1.0}}
FINE = {
    "converged": True,
    "voltage_error_pu": 1e-5,
    "branch_error_kw": 0.1,
    "head_error_kw": 0.1,
    "losses_error_kw": 0.0,
    "balance_error_kw": 0.0,
    "violations": [],
}
"""The audit of an interval in which nothing was broken."""
NO_OFFERS = [{"interval": 0, "offers": []}, {"interval": 1, "offers": []}]


class FinishedRun(ToldResults):
    """What is told, with as much of a file about it as its readers ask for."""

    def __init__(
        self,
        network: Network,
        values: Mapping[str, Any],
        texts: Mapping[str, list[Any]] | None = None,
        *,
        expected: int | None = None,
        path: Path = Path("results.h5"),
        **more: Any,
    ) -> None:
        super().__init__(network, values, texts, **more)
        self.expected = self.intervals if expected is None else expected
        self.path = path

    @property
    def complete(self) -> bool:
        return self.intervals == self.expected

    def ids(self, key: str) -> tuple[str, ...]:
        topic = find_topic(key)
        return topic.id_list(self.network) if topic else ()

    def __enter__(self) -> FinishedRun:
        return self

    def __exit__(self, *error: object) -> None:
        return


def strict(text: str) -> Any:
    """Read JSON as the standard has it, which knows no NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def paper_run(
    changes: Mapping[str, Any] | None = None,
    texts: Mapping[str, list[Any]] | None = None,
    scenario: Mapping[str, Any] | None = None,
    **more: Any,
) -> Any:
    """The run, with other numbers, texts or tables of its scenario."""
    told: dict[str, list[Any]] = {"market/clearing": [{}, {}], "assets/offer": NO_OFFERS}
    return FinishedRun(
        more.pop("network", NETWORK),
        TOLD | dict(changes or {}),
        told | dict(texts or {}),
        scenario=SCENARIO | dict(scenario or {}),
        **more,
    )
