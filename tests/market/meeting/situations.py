"""A market whose agents are apart, beside the same market in one loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.meeting.faults import Fault
from dlmp_cosim.market.meeting.form import Apart, Matter, Together, agree
from dlmp_cosim.market.meeting.network import Fate, Simulated
from dlmp_cosim.market.meeting.rules import Conditions, Patience
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.pac.clear import Effort, Warmth
from dlmp_cosim.market.problem.solution import Solution
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market.conftest import Situation

PRICE = WholesalePrice(30.0, reactive=1.0)


class Sweeping(Together):
    """All agents in one loop that takes every step by sweeps, as agents apart do."""

    def agree(self, matter: Matter, running: FloatArray) -> tuple[Solution, Effort, Warmth]:
        del running
        return agree(matter)


def together(at: Situation, method: Method = "interior-point", agents: int = 4) -> NodalMarket:
    """All agents in one loop."""
    return NodalMarket(at.network, MarketSettings(method=method, agents=agents, voltage_min_pu=0.97))


def apart(
    at: Situation,
    method: Method = "interior-point",
    agents: int = 4,
    *,
    conditions: Conditions | None = None,
    faults: Sequence[Fault] = (),
    seed: int = 0,
    patience: Patience | None = None,
    listen: Callable[[int, int, bytes], None] | None = None,
    held_intervals: int = 2,
) -> tuple[NodalMarket, Apart]:
    """Each agent on its own, on a simulated network."""
    market = together(at, method, agents)
    here = conditions or Conditions()
    patience = patience or Patience(repeats=here.loss > 0)
    carrier = Simulated(patience, Fate(seed, lambda *_: here), faults, listen)
    form = Apart(carrier, held_intervals)
    market.form = form
    return market, form
