"""A results file of five minutes on the toy feeder, for tests of what happens to it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from toys import toy_network

from dlmp_cosim.federates.contract.topics import Topic
from dlmp_cosim.federates.results.store import ResultsWriter, create_results
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.runtime.link import Value
from dlmp_cosim.feeders.readers.network_json import network_to_json

NETWORK = toy_network()
CLOCK = Clock(start_utc=1_598_328_000, period_s=60, intervals=5)
TOPICS = (
    Topic("wholesale/lmp", "double", "$/MWh", "", "price"),
    Topic("feeder/voltage_magnitude", "vector", "pu", "node", "voltage"),
    Topic("feeder/regulator_tap", "vector", "", "tap", "taps"),
    Topic("market/clearing", "string", "", "", "record"),
)


def row(k: int) -> dict[str, Value]:
    return {
        "wholesale/lmp": 20.0 + k,
        "feeder/voltage_magnitude": np.full(6, 1.0 + k / 100),
        "feeder/regulator_tap": np.zeros(0),
        "market/clearing": json.dumps({"interval": k, "why": "é" * k}),
    }


def create(path: Path, intervals: int = 5) -> ResultsWriter:
    clock = Clock(CLOCK.start_utc, CLOCK.period_s, intervals)
    constant = {"network": network_to_json(NETWORK)}
    return create_results(path, NETWORK, clock, TOPICS, constant=constant, manifest='{"scenario": {}}')
