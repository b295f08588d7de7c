"""Who is paid for ancillary services, and who pays.

A resource is paid the price of the product for the capacity that it held, less what of it was called and did
not come in time. Called energy is in the ledger of its feeder at the d-LMP already, as all energy is; an
offer that states a price for it is paid the difference. The cost is shared among the feeders by a stated
rule; the substation passes it on and keeps nothing. What it collects is computed by product, from prices and
capacity in all, and what it pays by resource: the two agree only when every kW is in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.calls import SIGN
from dlmp_cosim.market.ancillary.products import Product

KW_PER_MW = 1e3
LEAST_KW = 1e-9
"""Sum of deviations that nobody can be charged by [kW]."""

Rule = Literal["energy", "peak", "deviation"]


@dataclass(frozen=True)
class Sold:
    """What one resource sold of one product over a run; arrays are of shape (n,).

    Attributes
    ----------
    feeder, resource, product : str
        Who, and what.
    award, called, given : ndarray
        Capacity awarded, called and delivered [kW].
    missed : ndarray
        Called power that was due and not there [kW].
    price : ndarray
        Price of the product [$/MW for an hour].
    dlmp : ndarray
        What its feeder's ledger pays for a MWh of it [$/MWh].
    asked : ndarray
        What its offer asks for called energy [$/MWh]; NaN for the d-LMP.
    """

    feeder: str
    resource: str
    product: Product
    award: FloatArray
    called: FloatArray
    given: FloatArray
    missed: FloatArray
    price: FloatArray
    dlmp: FloatArray
    asked: FloatArray

    @property
    def kept(self) -> FloatArray:
        """Capacity that counts as held: what was awarded, less what of it was due and not there [kW]."""
        return self.award - np.minimum(self.missed, self.award)

    def capacity_usd(self, hours: float) -> FloatArray:
        """Return what it is paid for capacity in every interval [$]."""
        return self.price * self.kept * hours / KW_PER_MW

    def called_usd(self, hours: float) -> FloatArray:
        """Return what it is paid for called energy beside the d-LMP in every interval [$]."""
        more = np.where(np.isnan(self.asked), 0.0, self.asked - self.dlmp)
        return SIGN[self.product] * more * self.given * hours / KW_PER_MW


@dataclass(frozen=True)
class SellerAccount:
    """What one resource is paid for one product over the run [$], and the capacity that it held [kWh]."""

    feeder: str
    resource: str
    product: Product
    held_kwh: float
    capacity_usd: float
    called_usd: float

    @property
    def usd(self) -> float:
        """All that it is paid [$]."""
        return self.capacity_usd + self.called_usd


@dataclass(frozen=True)
class AncillaryLedger:
    """The ledger of the ancillary market.

    Attributes
    ----------
    sellers : tuple of SellerAccount
        Every resource that sold capacity.
    charged : mapping of str to float
        What the operator of every feeder pays the substation [$].
    products : mapping of str to float
        What every product cost, from its price and its capacity in all [$].
    """

    sellers: tuple[SellerAccount, ...]
    charged: Mapping[str, float]
    products: Mapping[Product, float]

    @property
    def paid(self) -> float:
        """What all sellers are paid [$]."""
        return sum(item.usd for item in self.sellers)

    @property
    def collected(self) -> float:
        """What all feeders pay [$]."""
        return sum(self.charged.values())

    @property
    def imbalance_usd(self) -> float:
        """What is collected less what is paid [$]: 0 when every kW is in both."""
        return self.collected - self.paid

    def of_feeder(self, name: str) -> float:
        """Return what the resources of one feeder are paid [$]."""
        return sum(item.usd for item in self.sellers if item.feeder == name)


def settle_ancillary(
    sold: Sequence[Sold], shares: Mapping[str, FloatArray], hours: float, count: int
) -> AncillaryLedger:
    """Settle the ancillary market of a run.

    Parameters
    ----------
    sold : sequence of Sold
        What every resource sold.
    shares : mapping of str to ndarray, shape (n,) each
        Share of the cost that every feeder bears in every interval; they sum to 1.
    hours : float
        Length of an interval [h].
    count : int
        Intervals.
    """
    sellers = tuple(
        SellerAccount(
            item.feeder,
            item.resource,
            item.product,
            float(item.award.sum()) * hours,
            float(item.capacity_usd(hours).sum()),
            float(item.called_usd(hours).sum()),
        )
        for item in sold
    )
    by_product = {
        product: _cost([item for item in sold if item.product == product], hours, count)
        for product in dict.fromkeys(item.product for item in sold)
    }
    total = sum(by_product.values(), np.zeros(count))
    charged = {name: float((share * total).sum()) for name, share in shares.items()}
    return AncillaryLedger(
        sellers, charged, {product: float(cost.sum()) for product, cost in by_product.items()}
    )


def _cost(sold: Sequence[Sold], hours: float, count: int) -> FloatArray:
    """Cost of one product in every interval, from its price and its capacity in all [$]."""
    held, energy, price = np.zeros(count), np.zeros(count), np.zeros(count)
    for item in sold:
        held += item.kept
        price = np.where(item.award > 0.0, item.price, price)
        energy += item.called_usd(hours)
    return price * held * hours / KW_PER_MW + energy


def cost_shares(
    rule: Rule, head_kw: Mapping[str, FloatArray], expected_kw: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Share the cost of every interval among feeders; the shares of all sum to 1.

    Parameters
    ----------
    rule : {"energy", "peak", "deviation"}
        By the energy that each draws or feeds back in the interval; by the most that it drew over the run; or
        by how far it is off what its market expected, and by energy when nobody is.
    head_kw, expected_kw : mapping of str to ndarray, shape (n,) each
        What every feeder drew, and what its market expected [kW].
    """
    energy = {name: np.abs(kw) for name, kw in head_kw.items()}
    if rule == "peak":
        peak = {name: np.full(len(kw), max(float(kw.max(initial=0.0)), 0.0)) for name, kw in head_kw.items()}
        return _parts(peak, energy)
    if rule == "deviation":
        return _parts({name: np.abs(kw - expected_kw[name]) for name, kw in head_kw.items()}, energy)
    return _parts(energy, energy)


def _parts(weight: Mapping[str, FloatArray], otherwise: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Weights as shares; others where all are nothing, and equal ones where these are nothing too."""
    equal = {name: np.ones(len(kw)) for name, kw in weight.items()}
    found: dict[str, FloatArray] = {}
    for name in weight:
        share = equal[name] / len(weight)
        for table in (otherwise, weight):
            total = np.sum([*table.values()], axis=0)
            share = np.where(total > LEAST_KW, table[name] / np.where(total > LEAST_KW, total, 1.0), share)
        found[name] = share
    return found
