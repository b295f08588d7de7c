"""What several market tests start from; built once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.engine import Regulators
from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.readers.assets import read_assets
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.offers import Offer
from tests.market.support import solve, terms_to_offers


@dataclass(frozen=True)
class Situation:
    """One interval of the 123-node feeder before its market clears; `state` has no dispatch."""

    case: Case
    network: Network
    feeder: OpenDssFeeder
    demand: ComplexArray
    offers: tuple[Offer, ...]
    state: AcState


def situation(ratio: float, regulators: Regulators = "automatic") -> Situation:
    """The feeder at a share of its listed demand, its regulators settled and then left alone."""
    case = ieee123.case()
    resources, terms = read_assets(ieee123.ASSETS, read_circuit(case).network)
    network = replace(read_circuit(case).network, resources=resources)
    feeder = OpenDssFeeder(case, network, regulators=regulators, tolerance=1e-10)
    demand = ratio * network.listed_demand
    state = solve(feeder, demand, controls=True)
    return Situation(case, network, feeder, demand, terms_to_offers(network, terms, demand), state)


@pytest.fixture(scope="session")
def usual() -> Situation:
    """Most of the listed demand; regulators hold the voltage."""
    return situation(0.9)


@pytest.fixture(scope="session")
def sagging() -> Situation:
    """All of the listed demand with regulators at neutral: the far end is below 0.95 pu."""
    return situation(1.0, "neutral")


@pytest.fixture(scope="session")
def light() -> Situation:
    """A third of the listed demand: generators cover most of it and laterals run backwards."""
    return situation(0.33)


@pytest.fixture(scope="session")
def situations(usual: Situation, sagging: Situation, light: Situation) -> dict[str, Situation]:
    return {"usual": usual, "sagging": sagging, "light": light}
