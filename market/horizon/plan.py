"""From a solved horizon to a plan: what is expected of every step, and what cannot be met."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.horizon.coupling import POWER_UNIT, Coupling
from dlmp_cosim.market.horizon.outlook import HorizonPlan, Outlook, PlannedStep
from dlmp_cosim.market.horizon.problem import HorizonProblem
from dlmp_cosim.market.horizon.solve import Findings
from dlmp_cosim.market.nodal.anchor import Anchor
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.nodal.outcome import read_step
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.problem.atoms import objective

SHORT_KWH, BOTH_WAYS_KW = 0.1, 0.1
"""Energy that counts as missed [kWh], and power that counts as going both ways [kW]."""


def within_terms(
    model: NodalModel, offers: Sequence[Offer], resources: FloatArray, hours: float
) -> FloatArray:
    """Hold the first step's powers exactly to what stores have, whatever tolerance a method stopped at.

    Parameters
    ----------
    model : NodalModel
        Says which variable is whose.
    offers : sequence of Offer
        Offers with their terms.
    resources : ndarray
        Powers, in units of the problem.
    hours : float
        Length of the first step [h].
    """
    held, n = resources.copy(), model.layout.n_state
    place = {name: k for k, name in enumerate(model.network.resource_ids)}
    for offer in offers:
        store = offer.ahead.store if offer.ahead else None
        if store is not None:
            low, high = store.bounds(store.energy_kwh, hours)
            low, high = max(low, offer.p_min_kw), min(high, offer.p_max_kw)
            k = int(model.layout.resource[0][place[offer.resource]]) - n
            # What an offer insists on goes before what is left in the store: the order of the limits says so.
            low, high = min(low, offer.p_max_kw), max(high, offer.p_min_kw)
            held[k] = min(max(held[k], low / POWER_UNIT), high / POWER_UNIT)
    return held


def read_plan(
    model: NodalModel,
    outlook: Outlook,
    offers: Sequence[Offer],
    horizon: HorizonProblem,
    anchors: Sequence[Anchor],
    found: Findings,
) -> HorizonPlan:
    """State what is expected of every step.

    Parameters
    ----------
    model : NodalModel
        The model.
    outlook : Outlook
        The steps.
    offers : sequence of Offer
        Offers with their terms.
    horizon : HorizonProblem
        What was solved.
    anchors : sequence of Anchor
        Where each step was differentiated.
    found : Findings
        What was found.
    """
    weights = outlook.hours / outlook.hours[0]
    steps = tuple(
        PlannedStep(*read_step(model, anchor, x, y * (horizon.steps[0].cost_unit / weight), step.price))
        for anchor, x, y, weight, step in zip(
            anchors, found.x, found.y, weights.tolist(), outlook.steps, strict=True
        )
    )
    parts = _own_parts(horizon.couplings, found.own)
    names = model.network.resource_ids
    power = np.array([step.dispatch.real for step in steps])
    by_name = {offer.resource: offer for offer in offers}
    energy, short, both = {}, [], []
    for coupling, own in parts:
        name = names[coupling.resource]
        store = by_name[name].ahead
        if store is not None and store.store is not None:
            energy[name] = _energies(by_name[name], power[:, coupling.resource], outlook.hours)
            short += _out_of_reach(by_name[name], energy[name][-1])
            both += _both_ways(name, coupling, own, outlook)
        short += _short(name, coupling, own)
    unit = horizon.steps[0].cost_unit * float(outlook.hours[0])
    cost = sum(objective(problem, x) for problem, x in zip(horizon.steps, found.x, strict=True))
    cost = (cost + found.own_cost) * unit
    coupled = tuple(names[coupling.resource] for coupling, _ in parts)
    return HorizonPlan(outlook, steps, coupled, energy, tuple(short), tuple(both), cost)


def _own_parts(couplings: Sequence[Coupling], own: FloatArray) -> list[tuple[Coupling, FloatArray]]:
    if not couplings:
        return []
    sizes = [len(coupling.lower) for coupling in couplings]
    if len(own) != sum(sizes):
        return [(coupling, np.zeros(0)) for coupling in couplings]
    return list(zip(couplings, np.split(own, np.cumsum(sizes)[:-1]), strict=True))


def _energies(offer: Offer, power: FloatArray, hours: FloatArray) -> FloatArray:
    """Energy of a store at the end of every step, from the powers alone [kWh]."""
    store = offer.ahead.store if offer.ahead else None
    if store is None:
        return np.zeros(0)
    energy, found = store.energy_kwh, []
    for kw, h in zip(power.tolist(), hours.tolist(), strict=True):
        energy = store.after(energy, kw, h)
        found.append(energy)
    return np.array(found)


def _out_of_reach(offer: Offer, end_kwh: float) -> list[str]:
    """Say that a store does not reach what it has to hold at the end."""
    store = offer.ahead.store if offer.ahead else None
    if store is None or end_kwh >= store.end_kwh - SHORT_KWH:
        return []
    return [f"{offer.resource} holds {end_kwh:.1f} kWh at the end of the horizon, not {store.end_kwh:g} kWh"]


def _both_ways(name: str, coupling: Coupling, own: FloatArray, outlook: Outlook) -> list[str]:
    """Name the steps in which burning energy pays: what is drawn and given at once."""
    if "store.drawn" not in coupling.parts or not len(own):
        return []
    both = POWER_UNIT * np.minimum(own[coupling.parts["store.drawn"]], own[coupling.parts["store.given"]])
    return [
        f"{name} would charge and discharge {both[t]:.1f} kW at once in step {t + 1}, "
        f"at {outlook.steps[t].price.lmp:.2f} $/MWh at the head"
        for t in np.flatnonzero(both > BOTH_WAYS_KW).tolist()
    ]


def _short(name: str, coupling: Coupling, own: FloatArray) -> list[str]:
    """Say what a resource cannot meet: energy by a deadline, or the largest miss of a limit."""
    found: list[str] = []
    if not len(own):
        return found
    if "sessions.short" in coupling.parts:
        missed = POWER_UNIT * float(own[coupling.parts["sessions.short"]].sum())
        if missed > SHORT_KWH:
            found.append(f"{name} misses {missed:.2f} kWh of its sessions")
    beyond = np.maximum(own - coupling.soft_upper, coupling.soft_lower - own)
    worst = POWER_UNIT * float(beyond[coupling.penalty > 0].max(initial=0.0))
    if worst > SHORT_KWH:
        found.append(f"{name} exceeds a limit of its terms by {worst:.2f} kW or kWh")
    return found
