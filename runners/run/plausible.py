"""What of a study could be meant, but hardly is: said with the figure, and nothing is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from dlmp_cosim.federates.study.series import WholesaleSeries
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import nearest_name
from dlmp_cosim.feeders.network import GROUND, Network, node_id
from dlmp_cosim.market.isone.places import KNOWN, find_place

LOAD_SCALES = (0.05, 3.0)
"""Factors on the listed load that need no explanation."""
OVERLOAD = 2.0
"""Peak of the load over what the head's conductors are rated for, beyond which it is named."""
CHEAPEST = 0.02
"""Costs below this share of the mean LMP are hardly in $/MWh; the same in $/kWh is a thousandth."""
DEAREST = 50.0
"""Costs above this multiple of the mean LMP are hardly in $/MWh; the same in c/MWh is a hundredfold."""
WRONG_BASES = (math.sqrt(3), 1 / math.sqrt(3))
NEAR = 0.03
"""Relative distance within which two voltages count as one."""
NEUTRAL = 4
"""First node of a bus that is a neutral and no phase."""
SHOWN = 3


def doubts(study: Study, series: WholesaleSeries) -> Iterator[str]:
    """Name what is hardly meant in a study whose every part can be read.

    Parameters
    ----------
    study : Study
        The study.
    series : WholesaleSeries
        Its prices and demand.

    Yields
    ------
    str
        File and key, the figure, and what it would be expected to be.
    """
    yield from _load_scale(study, series)
    yield from _costs(study, float(np.mean(series.lmp)))
    yield from _locations(study, series)
    yield from _voltage_bases(study)


def _load_scale(study: Study, series: WholesaleSeries) -> Iterator[str]:
    """Doubt a load far from the listed one, or far beyond what the feeder's head carries."""
    scale, network = study.scenario.feeder.load_scale, study.network
    where = f"{study.scenario_file} feeder.load_scale"
    peak = scale * abs(network.listed_demand.sum()) * float(np.max(series.demand_ratio))
    low, high = LOAD_SCALES
    carried = head_rating_kva(network)
    beyond = f", {peak / carried:.3g} times what the head's conductors carry" if carried < math.inf else ""
    if not low <= scale <= high:
        yield (
            f"{where}: {scale:g} makes the peak {peak:,.0f} kVA{beyond}; expected about 1, a factor on the "
            "listed load"
        )
    elif peak > OVERLOAD * carried:
        yield f"{where}: the peak is {peak:,.0f} kVA{beyond}; expected at most {carried:,.0f} kVA"


def head_rating_kva(network: Network) -> float:
    """Say what the head's conductors carry together at their ratings [kVA]; infinite without a rating."""
    total = 0.0
    for node in network.head_node:
        at = np.flatnonzero(network.conductor_node == node)
        if not len(at):
            return math.inf
        total += float(network.conductor_rating[at].sum() * network.base_v[node]) / 1e3
    return total


def _costs(study: Study, lmp: float) -> Iterator[str]:
    """Doubt costs that are all a small share, or a large multiple, of the price at the head."""
    costs = [abs(terms.cost_linear) for terms in study.terms if terms.cost_linear]
    table = study.scenario.feeder.assets
    where = f"{study.data_file(table, 'feeder.assets') if table else 'assets.csv'} cost_linear"
    if not costs or lmp <= 0.0:
        return
    span = f"costs run from {min(costs):g} to {max(costs):g} $/MWh, the LMP is {lmp:.2f} $/MWh on average"
    if max(costs) < CHEAPEST * lmp:
        yield f"{where}: {span}; are they in $/kWh? expected $/MWh, 1000 times as much"
    elif min(costs) > DEAREST * lmp:
        yield f"{where}: {span}; expected $/MWh"


def _locations(study: Study, series: WholesaleSeries) -> Iterator[str]:
    """Doubt a location that neither the files nor the list of ISO New England's zones knows."""
    table = study.scenario.wholesale
    names = sorted({place.name for place in KNOWN.values()})
    for key, text, quantity in (
        ("location", table.location, "price"),
        ("demand_location", table.demand_location or table.location, "demand"),
    ):
        place, origin = find_place(text, "lmp" if quantity == "price" else "load"), series.source[quantity]
        stated = isinstance(origin, dict) and not any("location" in str(note) for note in origin["derived"])
        if stated or place in KNOWN.values():
            continue
        near = nearest_name(text.upper(), names)
        yield (
            f"{study.scenario_file} wholesale.{key}: the {quantity} files state no location and {text!r} is "
            "none of ISO New England's zones" + (f"; did you mean {near!r}?" if near else "")
        )
        return


def _voltage_bases(study: Study) -> Iterator[str]:
    """Doubt loads whose nominal voltage is that between phases where they stand to ground, or the reverse."""
    odd = odd_bases(study.network)
    for factor, meant in zip(WRONG_BASES, ("to neutral", "between phases"), strict=True):
        found = [(name, ratio) for name, ratio in odd if abs(ratio / factor - 1) < NEAR]
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            yield (
                f"{study.scenario_file} feeder.case: the nominal voltage of load "
                f"{', '.join(name for name, _ in found[:SHOWN])}{more} is {found[0][1]:.3f} times that of "
                f"where it is connected; expected 1, the voltage {meant}"
            )


def odd_bases(network: Network) -> Sequence[tuple[str, float]]:
    """List loads with the ratio of their nominal voltage to that of the nodes that they stand between."""
    ratios = []
    for load in network.loads:
        phases = [phase for phase in load.legs[0] if GROUND < phase < NEUTRAL]
        if not phases:
            continue
        base_v = network.base_v[network.node_index[node_id(load.bus, phases[0])]]
        across = base_v * (math.sqrt(3) if len(phases) == 2 else 1.0)
        if across > 0.0:
            ratios.append((load.name, 1e3 * load.kv_base / float(across)))
    return ratios
