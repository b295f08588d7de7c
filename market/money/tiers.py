"""One ledger of two tiers: what feeders buy at a substation, and what the substation buys on their behalf.

Every feeder pays the LMP and the adder for what it draws at its head, and the substation pays the LMP for the
sum. What is left is the rent of the shared limits. It is computed twice: from what the feeders' own ledgers
paid, and from the adder and the power that the substation itself metered. Ancillary services come on top:
the substation pays those who sell them, and the operators of the feeders pay the substation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.money import AncillaryLedger
from dlmp_cosim.market.money.settlement import KWH_PER_MWH, Settlement


@dataclass(frozen=True)
class Metered:
    """What the substation's own meters and records say.

    Attributes
    ----------
    hours : float
        Length of an interval [h].
    adder : ndarray, shape (n,)
        What shared limits added to the LMP [$/MWh].
    head_kw : mapping of str to ndarray, shape (n,) each
        Power that every feeder drew [kW].
    lmp : mapping of str to ndarray, shape (n,) each
        LMP at the head of every feeder [$/MWh].
    """

    hours: float
    adder: FloatArray
    head_kw: Mapping[str, FloatArray]
    lmp: Mapping[str, FloatArray]

    @property
    def wholesale_usd(self) -> float:
        """What the substation pays the wholesale market [$]."""
        bought = sum(self.head_kw[name] * self.lmp[name] for name in self.head_kw)
        return float(np.sum(bought)) * self.hours / KWH_PER_MWH

    @property
    def rent_usd(self) -> float:
        """Adder on all that feeders drew [$]."""
        drawn = sum(self.head_kw.values())
        return float(np.sum(drawn * self.adder)) * self.hours / KWH_PER_MWH


@dataclass(frozen=True)
class FeederAccount:
    """What one feeder's participants and its operator end up with over the run [$].

    Attributes
    ----------
    customers : mapping of str to float
        Every load: what it pays, negative, with what it is paid for not consuming.
    resources : mapping of str to float
        Every generator and storage.
    machines : float
        The circuit's own machines.
    operator : float
        The operator of the feeder, by the parts of its prices.
    bought : float
        What it pays the substation.
    """

    customers: Mapping[str, float]
    resources: Mapping[str, float]
    machines: float
    operator: float
    bought: float

    @property
    def balance(self) -> float:
        """Sum of all of them and of what is paid to the substation: 0 when the feeder's ledger closes [$]."""
        inside = sum(self.customers.values()) + sum(self.resources.values())
        return inside + self.machines + self.operator + self.bought


@dataclass(frozen=True)
class TwoTiers:
    """The ledger of all.

    Attributes
    ----------
    feeders : mapping of str to FeederAccount
        Every feeder.
    substation : float
        What the operator of the substation keeps, by its own meters [$].
    wholesale : float
        What the wholesale market is paid [$].
    ancillary : AncillaryLedger, optional
        What resources are paid for capacity, and what operators of feeders pay for it; None without a market.
    """

    feeders: Mapping[str, FeederAccount]
    substation: float
    wholesale: float
    ancillary: AncillaryLedger | None = None

    @property
    def bought(self) -> float:
        """What all feeders pay the substation [$]."""
        return sum(account.bought for account in self.feeders.values())

    @property
    def imbalance_usd(self) -> float:
        """Sum of every account [$]: 0 when both tiers close and their meters agree."""
        inside = sum(account.balance - account.bought for account in self.feeders.values())
        passed_on = self.ancillary.imbalance_usd if self.ancillary is not None else 0.0
        return inside + self.substation + self.wholesale - passed_on


def feeder_account(
    settlement: Settlement, loads: tuple[str, ...], resources: tuple[str, ...]
) -> FeederAccount:
    """Sum up a feeder's settlement by who takes part.

    Parameters
    ----------
    settlement : Settlement
        Its settlement, at the LMP and the adder.
    loads, resources : tuple of str
        Names of its loads and resources, in the order of its network.
    """
    consumed = settlement.flexible.owner_usd.sum(axis=0) - settlement.load.owner_usd.sum(axis=0)
    return FeederAccount(
        customers=dict(zip(loads, consumed.tolist(), strict=True)),
        resources=dict(zip(resources, settlement.generation.owner_usd.sum(axis=0).tolist(), strict=True)),
        machines=float(settlement.machine.usd.sum()),
        operator=float(settlement.parts.net.sum()),
        bought=float(settlement.wholesale_usd.sum()),
    )


def two_tiers(
    feeders: Mapping[str, FeederAccount], metered: Metered, ancillary: AncillaryLedger | None = None
) -> TwoTiers:
    """Join the feeders' accounts with what the substation metered, and an ancillary market's if there is one.

    Parameters
    ----------
    feeders : mapping of str to FeederAccount
        Every feeder.
    metered : Metered
        What the substation metered.
    ancillary : AncillaryLedger, optional
        Ledger of the ancillary market.
    """
    return TwoTiers(feeders, metered.rent_usd, metered.wholesale_usd, ancillary)
