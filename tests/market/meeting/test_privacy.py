"""What crosses between agents: recorded and searched for offers, costs, limits and loads."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.meeting.line import HEADER
from dlmp_cosim.market.nodal.layout import POWER_UNIT
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.settings import Method
from tests.market.conftest import Situation
from tests.market.meeting.situations import PRICE, apart

NEAR = 1e-9
"""Relative distance within which a number on the wire is a secret."""
COMMON = (0.0, 1.0)
"""Numbers that tell nothing."""


def recorded(at: Situation, method: Method, agents: int) -> tuple[NodalMarket, FloatArray]:
    """Every number that two agents exchange in three clearings."""
    heard: list[bytes] = []
    market, _ = apart(at, method, agents, listen=lambda _a, _b, raw: heard.append(raw[HEADER.size :]))
    for share in (1.0, 0.97, 0.98):
        market.clear(at.state, share * at.demand, at.offers, PRICE)
    return market, np.frombuffer(b"".join(heard), dtype=np.float64)


def secrets(at: Situation, market: NodalMarket) -> dict[str, FloatArray]:
    """Private numbers in every unit in which they could be sent: offers' and the problem's."""
    offers = at.offers
    columns = {
        "linear cost": [offer.cost_linear for offer in offers],
        "quadratic cost": [offer.cost_quadratic for offer in offers],
        "most power": [offer.p_max_kw for offer in offers],
        "load": [*at.demand.real, *at.demand.imag, *(0.97 * at.demand.real), *(0.98 * at.demand.real)],
    }
    unit = PRICE.lmp * POWER_UNIT / 1e3
    scales = (1.0, 1 / POWER_UNIT, POWER_UNIT / 1e3 / unit, POWER_UNIT**2 / 1e3 / unit, -1.0)
    found = {}
    for name, values in columns.items():
        whole = np.unique(np.outer(scales, np.array(values)).ravel())
        found[name] = whole[~np.isin(np.abs(whole), COMMON) & np.isfinite(whole)]
    anchor = market.model.anchor(at.state, at.demand, offers)
    problem = market.model.problem(anchor, offers, PRICE)
    n = problem.n_state
    found["cost in the problem"] = np.setdiff1d(problem.linear[n:], COMMON)
    found["limit in the problem"] = np.setdiff1d(np.append(problem.lower[n:], problem.upper[n:]), COMMON)
    found["load in the problem"] = np.setdiff1d(problem.row_lower, COMMON)
    return found


def matches(words: FloatArray, wanted: FloatArray) -> int:
    """How many of the wanted numbers were said, to `NEAR`."""
    words = np.unique(words[np.isfinite(words)])
    at = np.clip(np.searchsorted(words, wanted), 1, len(words) - 1)
    near = np.minimum(np.abs(words[at] - wanted), np.abs(words[at - 1] - wanted))
    return int((near <= NEAR * np.abs(wanted)).sum())


@pytest.mark.parametrize(
    ("method", "agents"),
    [("interior-point", 4), ("interior-point", 0), ("pac-accelerated", 4), ("pac-accelerated", 8)],
)
def test_no_offer_cost_limit_or_load_crosses_a_boundary(
    light: Situation, method: Method, agents: int
) -> None:
    market, words = recorded(light, method, agents)
    assert len(words) > 1000
    for name, wanted in secrets(light, market).items():
        assert len(wanted) > 5
        assert matches(words, wanted) == 0, name


def test_the_scan_finds_what_is_there(light: Situation) -> None:
    market, words = recorded(light, "interior-point", 4)
    for name, wanted in secrets(light, market).items():
        assert matches(np.append(words, wanted[3]), wanted) >= 1, name
