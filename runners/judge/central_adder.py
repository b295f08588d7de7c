"""Adders and prices of products against one program of all feeders, at the AC states a run ended with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dlmp_cosim.federates.anchoring.demand import nominal_demand
from dlmp_cosim.federates.anchoring.realised import energy_cost
from dlmp_cosim.federates.contract.exchange import STATE_TOPICS, state_of
from dlmp_cosim.federates.contract.messages import read_offers
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.ancillary import AncillaryPlan, AncillarySection, gate_of
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.market.ancillary.products import Awards, Need, Product
from dlmp_cosim.market.ancillary.rounds import capacity_cost
from dlmp_cosim.market.central.nodal import CentralNodal
from dlmp_cosim.market.central.substation import CentralSubstation, FeederCase
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.substation.limits import SharedLimit, shared_cost

SECONDS_PER_HOUR = 3600.0
RESTED_KW = 0.2
"""Difference of a feeder's power from what its market expected that no regulator makes [kW]."""


@dataclass(frozen=True)
class AdderGap:
    """One interval of a run against the program of all feeders.

    Attributes
    ----------
    interval : int
        Which.
    adder, central : float
        Adder of the run, and of the program [$/MWh].
    kw : float
        Largest difference of a feeder's head power [kW].
    cost : float
        Relative difference of cost, the run's less the program's.
    products : mapping of str to float
        Price of every product in the run, less that of the program [$/MW for an hour].
    """

    interval: int
    adder: float
    central: float
    kw: float
    cost: float
    products: Mapping[Product, float] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Largest difference of the adders, or of prices of a product [$/MWh]."""
        return max(abs(self.adder - self.central), *map(abs, self.products.values()), 0.0)


class _Recorded:
    """What a feeder's results say of its intervals, read once."""

    def __init__(self, path: Path) -> None:
        with Results(path) as run:
            self.network: Network = run.network
            scenario = Scenario.model_validate(run.scenario)
            self._values = {topic.key: run.values(topic.key) for topic in STATE_TOPICS}
            self._texts = {key: run.texts(key) for key in run.keys if key.endswith(f"/{OFFER_QUANTITY}")}
            self._lmp, self._ratio = run.values("wholesale/lmp"), run.values("wholesale/demand_ratio")
            self._dispatch = run.values("market/dispatch_real")
        self._scale, self._reactive = scenario.feeder.load_scale, scenario.wholesale.reactive_price
        self._market = CentralNodal(self.network, scenario.market.settings)

    def case(self, interval: int) -> FeederCase:
        """State an interval as the central market takes it."""
        demand = nominal_demand(self.network, interval, float(self._ratio[interval]), self._scale)
        state = state_of({key: rows[interval] for key, rows in self._values.items()})
        offers = self._offers(interval, demand)
        price = WholesalePrice(float(self._lmp[interval]), reactive=self._reactive)
        return FeederCase(self._market, state, demand, offers, price)

    def cost(self, interval: int, case: FeederCase) -> float:
        """Cost of what was dispatched at the LMP, as the AC state has it [$/h]; limits of the feeder hold."""
        return energy_cost(self.network, case.offers, case.price, self._dispatch[interval], case.state)

    def _offers(self, interval: int, demand: ComplexArray) -> tuple[Offer, ...]:
        kw = dict(zip(self.network.load_ids, demand.real.tolist(), strict=True))
        texts = {key: rows[interval] for key, rows in self._texts.items()}
        return read_offers(texts, interval, self.network, kw).accepted


def adder_gaps(run: Results, every: int) -> list[AdderGap]:
    """Hold every n-th interval that has an adder, or buys capacity, against the program of all feeders.

    Left out are intervals in which regulators moved after the final dispatch, resources tripped or were
    called: what they ended with is not what the markets had cleared at. So are those with a head open.

    Parameters
    ----------
    run : Results
        Results of the substation; those of its feeders lie beside them.
    every : int
        Which of these intervals.
    """
    scenario = SubstationScenario.model_validate(run.scenario)
    names = [item.name for item in scenario.feeders]
    feeders = {name: _Recorded(run.path.parent / f"{name}.h5") for name in names}
    adder, records = run.values("substation/adder"), run.records("substation/record")
    heads = {name: run.values(f"{name}/head_power_real") for name in names}
    expected = {name: run.values(f"{name}/predicted_head_power_real") for name in names}
    rested = np.all([np.abs(heads[name] - expected[name]) <= RESTED_KW for name in names], axis=0)
    rested &= np.array([not record.get("open") for record in records], dtype=bool)
    names_sold = scenario.ancillary.products if scenario.ancillary is not None else {}
    required = {name: run.values(f"{name}/requirement") for name in names_sold}
    prices = {name: run.values(f"{name}/price") for name in names_sold}
    plan = _plan(scenario, required, run.period_h)
    bought = np.any([values > 0.0 for values in required.values()], axis=0) if required else rested & False
    found = []
    for k in np.flatnonzero(((adder != 0.0) | bought) & rested)[::every].tolist():
        held = _Held(
            plan.needs(k),
            records[k].get("ancillary", {}).get("awards", {}),
            {n: prices[n][k] for n in prices},
            run.period_h,
        )
        found.append(_gap(k, float(adder[k]), records[k]["limits"], feeders, heads, held))
    return found


def _plan(
    scenario: SubstationScenario, required: Mapping[Product, FloatArray], hours: float
) -> AncillaryPlan:
    """Products of a run as its substation had them."""
    section, period_s = scenario.ancillary or AncillarySection(), round(hours * SECONDS_PER_HOUR)
    return AncillaryPlan(section, required, {}, int(gate_of(section, period_s)), period_s)


@dataclass(frozen=True)
class _Held:
    """Requirements of an interval, what the run bought at which prices, and how long it is [h]."""

    needs: Sequence[Need]
    awards: Awards
    prices: Mapping[Product, float]
    hours: float

    def cost(self, cases: Mapping[str, FeederCase]) -> float:
        """Cost of the capacity bought, and of what requirements miss [$/h]."""
        terms = {
            name: {o.resource: o.capacity for o in case.offers if o.capacity is not None}
            for name, case in cases.items()
        }
        return capacity_cost(self.needs, self.awards, terms)


def _gap(
    interval: int,
    adder: float,
    limits: Sequence[Mapping[str, float]],
    feeders: Mapping[str, _Recorded],
    heads: Mapping[str, FloatArray],
    held: _Held,
) -> AdderGap:
    shared = tuple(SharedLimit(**limit) for limit in limits)  # type: ignore[arg-type]
    cases = {name: feeder.case(interval) for name, feeder in feeders.items()}
    central = CentralSubstation(list(cases.values()), shared, needs=held.needs, hours=held.hours).solve()
    drawn = np.array([heads[name][interval] for name in feeders])
    spent = sum(feeders[name].cost(interval, case) for name, case in cases.items())
    # What the run left beyond a limit within its tolerance is worth the adder, and not the penalty.
    total = float(central.head_kw.sum())
    spent += held.cost(cases)
    spent += shared_cost(shared, total) + adder * (float(drawn.sum()) - total) / 1e3
    return AdderGap(
        interval=interval,
        adder=adder,
        central=central.adder,
        kw=float(np.abs(drawn - central.head_kw).max()),
        cost=(spent - central.cost) / max(abs(central.cost), 1.0),
        products={name: float(price) - central.products[name] for name, price in held.prices.items()},
    )
