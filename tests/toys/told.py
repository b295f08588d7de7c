"""What federates of the toy study tell each other, for tests of one of them alone."""

from __future__ import annotations

import numpy as np
from toys import ToyEngine

from dlmp_cosim.federates.contract.messages import FeederStatus, Stage, encode
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.offers import Offer

PRICE = {
    "wholesale/lmp": 30.0,
    "wholesale/lmp_energy": 30.0,
    "wholesale/lmp_congestion": 0.0,
    "wholesale/lmp_loss": 0.0,
    "wholesale/demand_ratio": 0.5,
    "wholesale/source": "{}",
}
DISPATCH = {"market/dispatch_real": np.array([90.0, 10.0]), "market/dispatch_reactive": np.array([0.0, 3.0])}


OFFERS = [Offer("dg", 0.0, 300.0, 18.0, 0.05), Offer("flex", 0.0, 20.0, 25.0, 0.1, reactive_ratio=0.3)]


def final_text(trials: int = 1, interval: int = 0) -> str:
    return encode({"interval": interval, "trials": trials, "status": "final"})


def state(study: Study, injected_kw: float = 0.0) -> AcState:
    network = study.network
    demand, injection = network.listed_demand * 0.5, np.array([injected_kw + 0j, 0j])
    return ToyEngine(network).solve(demand, injection, controls=False)


def status(stage: Stage, trials: int = 0, *, converged: bool = True, interval: int = 0) -> dict[str, str]:
    return {"feeder/status": FeederStatus(interval, stage, trials, converged, 1).text()}
