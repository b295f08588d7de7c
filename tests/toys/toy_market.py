"""Markets that never agree with the physics, for scenarios to point at: ``model = "toy_market:Stubborn"``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.baselines.uniform import UniformMarket
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import Offer, WholesalePrice


class Stubborn(UniformMarket):
    """Expects voltages that nobody will see, except in the first interval."""

    cleared = 0

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        found = super().clear(state, demand, offers, price)
        self.cleared += 1
        return found if self.cleared <= 2 else replace(found, voltage=1.01 * found.voltage)


class Helpless(UniformMarket):
    """Finds no clearing after the first interval."""

    cleared = 0

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        self.cleared += 1
        if self.cleared > 2:
            raise ClearingError("no numbers today")
        return super().clear(state, demand, offers, price)
