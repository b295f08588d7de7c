"""How an operator performed in a run: the metrics that all commands show, each computed here alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.emissions import KG_PER_T
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.offers import Participation as WhereTo
from dlmp_cosim.runners.judge.customers import GroupCost, group_costs
from dlmp_cosim.runners.judge.holdings import penalised
from dlmp_cosim.runners.judge.ledger import Account, local_time
from dlmp_cosim.runners.judge.offered import Offered, read_offered
from dlmp_cosim.runners.judge.outside import Answer, Emissions, over, read_answer, read_emissions
from dlmp_cosim.runners.judge.voltage_quality import VoltageQuality, voltage_quality
from dlmp_cosim.runners.plain_json import finite


@dataclass(frozen=True)
class Peak:
    """Power at the head, averages over intervals.

    Attributes
    ----------
    power_kw : float
        Largest power drawn [kW].
    at : str
        Local start of that interval.
    export_kw : float
        Largest power given back [kW]; 0 where none is.
    load_factor : float
        Mean over largest power drawn; NaN where none is drawn.
    ramp_kw : float
        Largest change from one interval to the next [kW].
    """

    power_kw: float
    at: str
    export_kw: float
    load_factor: float
    ramp_kw: float


@dataclass(frozen=True)
class Energy:
    """Energy over the run [kWh].

    Attributes
    ----------
    drawn_kwh, exported_kwh : float
        Through the head, either way.
    generated_kwh : float
        Given by resources, less what storage took.
    machines_kwh : float
        Given by the circuit's own machines.
    served_kwh, losses_kwh : float
        What loads took, and what was lost.
    losses_share : float
        Losses over what was served and lost.
    """

    drawn_kwh: float
    exported_kwh: float
    generated_kwh: float
    machines_kwh: float
    served_kwh: float
    losses_kwh: float
    losses_share: float


@dataclass(frozen=True)
class ResourceUse:
    """What became of offers; shares are NaN where nothing was offered.

    Attributes
    ----------
    generation_offered_kwh, flexible_offered_kwh : float
        Upper limits of the offers of generators, and of flexible loads, over the run [kWh].
    generation_share, flexible_share : float
        Part of it that was awarded.
    storage_given_kwh, storage_taken_kwh : float
        What storage gave, and took [kWh].
    """

    generation_offered_kwh: float
    generation_share: float
    flexible_offered_kwh: float
    flexible_share: float
    storage_given_kwh: float
    storage_taken_kwh: float


@dataclass(frozen=True)
class Curtailment:
    """What was held back.

    Attributes
    ----------
    generation_kwh : float
        Energy that generators offered for less than the price at the head and were not asked for: what
        they would give at that price, less what they gave [kWh].
    generation_share : float
        Over what they would give; NaN where that is nothing.
    demand_kwh : float
        Demand not consumed, at nominal voltage [kWh]; what came back later counts against it.
    demand_share : float
        Over all demand at nominal voltage.
    """

    generation_kwh: float
    generation_share: float
    demand_kwh: float
    demand_share: float


@dataclass(frozen=True)
class LimitHours:
    """Time with limits [h].

    Attributes
    ----------
    priced : float
        With a price on any limit.
    voltage_priced, rating_priced : float
        With a price on a voltage limit, on a rating.
    penalty : float
        With a penalty in prices, because a limit could not be held.
    broken : float
        With a limit that AC broke.
    """

    priced: float
    voltage_priced: float
    rating_priced: float
    penalty: float
    broken: float


@dataclass(frozen=True)
class Participation:
    """Energy of resources by where they took part, whichever way it went.

    Attributes
    ----------
    retail_kwh, wholesale_kwh, out_kwh : float
        Sums of sizes of awards [kWh].
    vetoed_kwh : float
        Of schedules of wholesale participants, what the operator cut [kWh].
    """

    retail_kwh: float
    wholesale_kwh: float
    out_kwh: float
    vetoed_kwh: float


@dataclass(frozen=True)
class Performance:
    """All metrics of a run; a part that the scenario does not ask for is None or empty.

    Attributes
    ----------
    peak : Peak
        Power at the head.
    energy : Energy
        Energy and losses.
    voltage : VoltageQuality
        Indices of voltage.
    resources : ResourceUse
        Use of what was offered.
    curtailment : Curtailment
        What was held back.
    limits : LimitHours
        Time with limits.
    emissions : Emissions or None
        CO2, where a marginal rate is stated.
    participation : Participation or None
        Where resources took part, where any took part elsewhere than in the retail market.
    answer : Answer or None
        How the LMP answered, where it does.
    groups : tuple of GroupCost
        Cost by customer group, where groups are stated.
    """

    peak: Peak
    energy: Energy
    voltage: VoltageQuality
    resources: ResourceUse
    curtailment: Curtailment
    limits: LimitHours
    emissions: Emissions | None = None
    participation: Participation | None = None
    answer: Answer | None = None
    groups: tuple[GroupCost, ...] = ()


def performance(results: Results, account: Account | None = None) -> Performance:
    """Compute all metrics of the finished intervals of a run.

    Parameters
    ----------
    results : Results
        The run.
    account : Account, optional
        Its account, where it is at hand; groups of customers need one, and it is made for them.

    Raises
    ------
    ResultsError
        When the file lacks a topic, or no interval finished.
    """
    offered = read_offered(results)
    energy = _energy(results)
    return Performance(
        peak=_peak(results),
        energy=energy,
        voltage=voltage_quality(results),
        resources=_use(results, offered),
        curtailment=_curtailment(results, offered),
        limits=_limits(results),
        emissions=read_emissions(results, energy.served_kwh),
        participation=_participation(results, offered),
        answer=read_answer(results),
        groups=group_costs(results, account),
    )


def as_plain(found: Performance) -> dict[str, Any]:
    """Return metrics as plain data for JSON, without the parts that the run does not have."""
    table = {name: part for name, part in asdict(found).items() if part not in (None, ())}
    return {name: finite(part) for name, part in table.items()}


def _peak(results: Results) -> Peak:
    head = results.values("feeder/head_power_real").sum(axis=1)
    top = int(head.argmax())
    peak = max(float(head[top]), 0.0)
    return Peak(
        power_kw=peak,
        at=local_time(int(results.time[top])),
        export_kw=max(float(-head.min()), 0.0),
        load_factor=over(float(head.mean()), peak),
        ramp_kw=float(np.abs(np.diff(head)).max(initial=0.0)),
    )


def _energy(results: Results) -> Energy:
    hours = results.period_h
    head = results.values("feeder/head_power_real").sum(axis=1)
    served = hours * float(results.values("feeder/load_real").sum())
    losses = hours * float(results.values("feeder/losses_real").sum())
    return Energy(
        drawn_kwh=hours * float(np.maximum(head, 0.0).sum()),
        exported_kwh=hours * float(np.maximum(-head, 0.0).sum()),
        generated_kwh=hours * float(results.values("feeder/injection_real").sum()),
        machines_kwh=hours * float(results.values("feeder/machine_real").sum()),
        served_kwh=served,
        losses_kwh=losses,
        losses_share=over(losses, served + losses),
    )


def _use(results: Results, offered: Offered) -> ResourceUse:
    kinds = np.array([resource.kind for resource in results.network.resources])
    power, most = results.values("market/dispatch_real"), np.nan_to_num(offered.high)
    hours = results.period_h
    generation, flexible, stores = (kinds == kind for kind in ("generator", "flexible_load", "storage"))
    given, spared = (float(np.maximum(power[:, kind], 0.0).sum()) for kind in (generation, flexible))
    return ResourceUse(
        generation_offered_kwh=hours * float(most[:, generation].sum()),
        generation_share=over(given, float(most[:, generation].sum())),
        flexible_offered_kwh=hours * float(most[:, flexible].sum()),
        flexible_share=over(spared, float(most[:, flexible].sum())),
        storage_given_kwh=hours * float(np.maximum(power[:, stores], 0.0).sum()),
        storage_taken_kwh=hours * float(np.maximum(-power[:, stores], 0.0).sum()),
    )


def _curtailment(results: Results, offered: Offered) -> Curtailment:
    network, hours = results.network, results.period_h
    generation = np.array([resource.kind == "generator" for resource in network.resources], dtype=bool)
    flexible = np.array([bool(resource.load) for resource in network.resources], dtype=bool)
    power = results.values("market/dispatch_real")
    wanted = at_price(with_own_carbon(results, offered), results.values("wholesale/lmp"))[:, generation]
    missed = float(np.maximum(wanted - power[:, generation], 0.0).sum())
    spared = hours * float(power[:, flexible].sum())
    asked = hours * float(results.values("feeder/demand_real").sum()) + spared
    return Curtailment(
        generation_kwh=hours * missed,
        generation_share=over(missed, float(wanted.sum())),
        demand_kwh=spared,
        demand_share=over(spared, asked),
    )


def with_own_carbon(results: Results, offered: Offered) -> Offered:
    """State offers with what the CO2 of generators costs, as the market cleared them.

    Parameters
    ----------
    results : Results
        The run; its scenario states emissions and the price of CO2.
    offered : Offered
        Offers as their owners stated them.
    """
    section = results.scenario.get("emissions") or {"own": {}, "price": 0.0}
    more = [
        section["own"].get(name, 0.0) * section["price"] / KG_PER_T for name in results.network.resource_ids
    ]
    return replace(offered, linear=offered.linear + np.array(more)) if any(more) else offered


def at_price(offered: Offered, price: FloatArray) -> FloatArray:
    """Return what offers would give at one price for all, shape (n, n_resource) [kW]; 0 without an offer.

    Parameters
    ----------
    offered : Offered
        Offers.
    price : ndarray, shape (n,)
        The price [$/MWh].
    """
    margin = price[:, None] - offered.linear
    curved = offered.quadratic > 0
    flat = np.where(margin > 0, offered.high, offered.low)
    wanted = np.where(curved, margin / np.where(curved, offered.quadratic, 1.0), flat)
    return np.asarray(np.nan_to_num(np.clip(wanted, offered.low, offered.high)))


def _participation(results: Results, offered: Offered) -> Participation | None:
    if offered.market is None:
        return None
    hours, power = results.period_h, np.abs(results.values("market/dispatch_real"))
    sold = offered.market == "wholesale"
    meant = np.nan_to_num(np.fmax(np.abs(offered.low), np.abs(offered.high)))
    retail, wholesale, out = (
        hours * float(power[offered.market == name].sum()) for name in get_args(WhereTo)
    )
    vetoed = hours * float(np.maximum(meant - power, 0.0)[sold].sum())
    return Participation(retail, wholesale, out, vetoed)


def _limits(results: Results) -> LimitHours:
    hours = results.period_h
    kinds = [
        {limit["kind"] for limit in record.get("limits", ())} for record in results.records("market/clearing")
    ]
    return LimitHours(
        priced=hours * sum(map(bool, kinds)),
        voltage_priced=hours * sum(bool(found - {"rating"}) for found in kinds),
        rating_priced=hours * sum("rating" in found for found in kinds),
        penalty=hours * len(penalised(results)),
        broken=hours * int((results.values("audit/violations") > 0).sum()),
    )
