"""What groups of customers pay in a run, and what share of their income that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.money.payment_schemes import Rates, agent_bills
from dlmp_cosim.market.money.settlement import KWH_PER_MWH
from dlmp_cosim.runners.judge.ledger import Account, account_for

HOURS_A_YEAR = 8760.0
REST = "all others"


@dataclass(frozen=True)
class GroupCost:
    """Cost of one group of customers over a run.

    Attributes
    ----------
    name : str
        Name of the group; that of `REST` for everybody in none.
    customers : int or None
        How many they are; None for the rest.
    energy_kwh : float
        Energy that their loads took [kWh].
    cost_usd : float
        What their loads pay, less what their flexible loads are paid [$].
    price_usd_per_mwh : float
        Cost over energy.
    income_share : float or None
        Cost over what they earn in the hours of the run; None where no income is stated.
    """

    name: str
    customers: int | None
    energy_kwh: float
    cost_usd: float
    price_usd_per_mwh: float
    income_share: float | None


def group_costs(results: Results, account: Account | None = None) -> tuple[GroupCost, ...]:
    """Sum up what each group of the scenario pays; nothing where none is stated.

    Parameters
    ----------
    results : Results
        The run.
    account : Account, optional
        Its account, where it is at hand.
    """
    groups = results.scenario.get("group") or ()
    if not groups:
        return ()
    paid, used = load_bills(results, account or account_for(results))
    place = {name: k for k, name in enumerate(results.network.load_ids)}
    hours, found = results.period_h * results.intervals, []
    for group in groups:
        mine = [place.pop(name) for name in group["loads"]]
        cost, income = float(paid[mine].sum()), group.get("income")
        earned = (income or 0.0) * group["customers"] * hours / HOURS_A_YEAR
        share = cost / earned if earned else None
        found.append(_cost(group["name"], group["customers"], float(used[mine].sum()), cost, share))
    rest = list(place.values())
    return (*found, _cost(REST, None, float(used[rest].sum()), float(paid[rest].sum()), None))


def load_bills(results: Results, account: Account) -> tuple[FloatArray, FloatArray]:
    """Return what every load pays [$] and takes [kWh], shape (n_load,) each.

    A market settles loads one by one. A tariff nets at the meter of a bus: loads share its bill by energy.

    Parameters
    ----------
    results : Results
        The run.
    account : Account
        Its ledger, of a market or of a tariff.
    """
    settlement = account.settlement
    if settlement is not None:
        paid: FloatArray = (settlement.load.owner_usd - settlement.flexible.owner_usd).sum(axis=0)
        return paid, np.asarray(settlement.load.owner_kwh.sum(axis=0))
    used = np.asarray(results.values("feeder/load_real").sum(axis=0) * results.period_h)
    bus = np.array([results.network.bus_index[load.bus] for load in results.network.loads])
    bills = agent_bills(account.scenario, account.metered, account.rates or Rates())
    at_bus = account.metered.load.sum(axis=0)
    per_kwh = np.divide(bills, at_bus, out=np.zeros_like(bills), where=at_bus > 0.0)
    return used * per_kwh[bus], used


def _cost(name: str, customers: int | None, kwh: float, usd: float, share: float | None) -> GroupCost:
    price = usd / kwh * KWH_PER_MWH if kwh else float("nan")
    return GroupCost(name, customers, kwh, usd, price, share)
