"""What every resource of a run earned, what its offers say that it cost, and what it holds at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.network import FloatArray, Network, Resource
from dlmp_cosim.market.money.settlement import KWH_PER_MWH, Settlement
from dlmp_cosim.runners.judge.offered import read_offered


@dataclass(frozen=True)
class Holding:
    """One resource over a run.

    Attributes
    ----------
    resource, kind, owner : str
        Its name, what it is, and the federate that offers it.
    energy_kwh : float
        Given to the grid, or not consumed [kWh]; negative for a storage that took more than it gave.
    earned_usd : float
        Paid to it [$]; negative when it paid.
    cost_usd : float
        Cost of its awards by its own offers [$]; NaN when an offer that was awarded is not on record.
    stored_kwh : float
        Energy of a storage at the end, where its owner publishes ``<owner>/energy`` [kWh]; else NaN.
    """

    resource: str
    kind: str
    owner: str
    energy_kwh: float
    earned_usd: float
    cost_usd: float
    stored_kwh: float

    @property
    def profit_usd(self) -> float:
        """Earned less cost [$]."""
        return self.earned_usd - self.cost_usd


def holdings(results: Results, settlement: Settlement) -> list[Holding]:
    """Settle every resource of a run, in the order of the network.

    Parameters
    ----------
    results : Results
        The run.
    settlement : Settlement
        The same run settled.

    Raises
    ------
    ResultsError
        When the file lacks the dispatch.
    """
    network = results.network
    loads = {name: k for k, name in enumerate(network.load_ids)}
    costs = costs_by_resource(results)
    found = []
    for k, resource in enumerate(network.resources):
        paid = settlement.flexible if resource.load else settlement.generation
        place = loads[resource.load] if resource.load else k
        found.append(
            Holding(
                resource=resource.name,
                kind=resource.kind,
                owner=resource.owner,
                energy_kwh=float(paid.owner_kwh[:, place].sum()),
                earned_usd=float(paid.owner_usd[:, place].sum()),
                cost_usd=float(costs[k]),
                stored_kwh=_stored(results, network, resource),
            )
        )
    return found


def costs_by_resource(results: Results) -> FloatArray:
    """Cost of every resource's awards by its own offers, shape (n_resource,) [$]."""
    dispatch = results.values("market/dispatch_real")
    offered = read_offered(results)
    per_hour = (offered.linear + offered.quadratic * dispatch / 2) * dispatch / KWH_PER_MWH
    total: FloatArray = results.period_h * np.where(dispatch == 0.0, 0.0, per_hour).sum(axis=0)
    return total


def penalised(results: Results) -> list[int]:
    """Finished intervals whose prices contain a penalty, because a limit could not be held."""
    return [
        k
        for k, record in enumerate(results.records("market/clearing"))
        if any(limit.get("exceeded") for limit in record.get("limits", ()))
    ]


def _stored(results: Results, network: Network, resource: Resource) -> float:
    """Read the last energy that the owner of one storage published [kWh]."""
    key = f"{resource.owner}/energy"
    own = [other for other in network.resources if other.owner == resource.owner and other.kind == "storage"]
    if resource.kind != "storage" or len(own) != 1 or key not in results:
        return math.nan
    return float(results.values(key)[-1])
