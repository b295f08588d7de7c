"""Five ways to pay for the same day: what each scenario's customers, generators and operator end up with.

An agent is a bus: its meter sees what all loads and generators of the bus do together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, Network
from dlmp_cosim.market.money.settlement import KWH_PER_MWH, Readings, Settlement

Scenario = Literal["traditional", "no_export", "retail_m", "retail_b", "market"]

MODELS: Final[dict[Scenario, str]] = {
    "traditional": "dlmp_cosim.market.baselines.none:Traditional",
    "no_export": "dlmp_cosim.market.baselines.none:NoExport",
    "retail_m": "dlmp_cosim.market.baselines.none:NetMetering",
    "retail_b": "dlmp_cosim.market.baselines.none:NetBilling",
    "market": "nodal",
}
"""Market model that dispatches each scenario; that of the market is the study's own."""

TITLES: Final[dict[Scenario, str]] = {
    "traditional": "Traditional",
    "no_export": "No Export",
    "retail_m": "Retail_M",
    "retail_b": "Retail_B",
    "market": "Market",
}


@dataclass(frozen=True)
class Rates:
    """Rates of the tariffs [$/kWh]: Eversource, Massachusetts, 2020, unless given.

    Attributes
    ----------
    retail : float
        What an imported kWh costs.
    purchase : float
        What an exported kWh is paid.
    """

    retail: float = 0.114
    purchase: float = 0.192


@dataclass(frozen=True)
class Metered:
    """Energy of one day, as the meters of the agents and of the head see it.

    Attributes
    ----------
    load, generation : ndarray, shape (n, n_agent)
        Energy consumed and generated at each bus [kWh].
    head : ndarray, shape (n,)
        Energy bought [kWh].
    losses : ndarray, shape (n,)
        Energy lost [kWh].
    spared : ndarray, shape (n,)
        Demand not consumed [kWh].
    lmp : ndarray, shape (n,)
        Price at the head [$/MWh].
    """

    load: FloatArray
    generation: FloatArray
    head: FloatArray
    losses: FloatArray
    spared: FloatArray
    lmp: FloatArray


@dataclass(frozen=True)
class Money:
    """What a scenario costs whom, over the run.

    Attributes
    ----------
    load_usd : float
        Load revenue of the operator [$].
    dg_usd, flex_usd : float
        Remuneration of generators and of demand not consumed [$].
    wholesale_usd : float
        Power at the head at the LMP [$].
    load_gross_usd, dg_gross_usd : float
        Load revenue and remuneration when every kWh consumed pays and every kWh generated is paid, without
        netting at the meter: the printed formulas [$].
    wholesale_of_loads_usd : float
        All power that loads consume at the LMP, generated on the feeder or not: the printed formula [$].
    """

    load_usd: float
    dg_usd: float
    flex_usd: float
    wholesale_usd: float
    load_gross_usd: float
    dg_gross_usd: float
    wholesale_of_loads_usd: float

    @property
    def net_usd(self) -> float:
        """Net revenue of the operator: netted at the meter, power bought at the head [$]."""
        return self.load_usd - self.dg_usd - self.flex_usd - self.wholesale_usd

    @property
    def net_printed_usd(self) -> float:
        """Net revenue by the printed formulas [$]."""
        return self.load_gross_usd - self.dg_gross_usd - self.flex_usd - self.wholesale_of_loads_usd


def scenario_of(model: str) -> Scenario:
    """Tell which scenario a market model dispatches; every model that is no tariff is a market."""
    return next((name for name, known in MODELS.items() if known == model), "market")


def read_meters(network: Network, readings: Readings, spared_kwh: FloatArray | None = None) -> Metered:
    """Add realised energy up by bus.

    Parameters
    ----------
    network : Network
        The feeder.
    readings : Readings
        Realised AC quantities.
    spared_kwh : ndarray, shape (n,), optional
        Demand not consumed [kWh]; none by default.
    """
    n, bus = len(readings.lmp), network.bus_index
    load, generation = np.zeros((len(bus), n)), np.zeros((len(bus), n))
    np.add.at(load, [bus[item.bus] for item in network.loads], readings.load.real.T * readings.hours)
    places = [bus[item.bus] for item in network.resources]
    np.add.at(generation, places, readings.injection.real.T * readings.hours)
    return Metered(
        load=load.T,
        generation=generation.T,
        head=readings.head.real.sum(axis=1) * readings.hours,
        losses=readings.losses * readings.hours,
        spared=np.zeros(n) if spared_kwh is None else spared_kwh,
        lmp=readings.lmp,
    )


def bill_tariff(scenario: Scenario, metered: Metered, rates: Rates) -> Money:
    """Bill a day under a tariff.

    Parameters
    ----------
    scenario : {"traditional", "no_export", "retail_m", "retail_b"}
        Traditional and No Export: what a bus draws, at the retail rate. Retail_M: drawn less generated over
        the whole day, at the retail rate when positive, else at the purchase rate. Retail_B: the same,
        interval by interval.
    metered : Metered
        The day.
    rates : Rates
        Rates of the tariff.
    """
    imports, exports, paid = _netted(scenario, metered, rates)
    return Money(
        load_usd=rates.retail * float(imports.sum()),
        dg_usd=paid * float(exports.sum()),
        flex_usd=0.0,
        wholesale_usd=_at_lmp(metered, metered.head),
        load_gross_usd=rates.retail * float(metered.load.sum()),
        dg_gross_usd=paid * float(metered.generation.sum()),
        wholesale_of_loads_usd=_at_lmp(metered, metered.load.sum(axis=1)),
    )


def agent_bills(scenario: Scenario, metered: Metered, rates: Rates) -> FloatArray:
    """Bill every agent by itself, shape (n_agent,) [$]; what it is paid for exports counts against it.

    Parameters
    ----------
    scenario : {"traditional", "no_export", "retail_m", "retail_b"}
        Which tariff, as in `bill_tariff`.
    metered : Metered
        The day.
    rates : Rates
        Rates of the tariff.
    """
    imports, exports, paid = _netted(scenario, metered, rates)
    bills: FloatArray = (rates.retail * imports - paid * exports).sum(axis=0)
    return bills


def _netted(scenario: Scenario, metered: Metered, rates: Rates) -> tuple[FloatArray, FloatArray, float]:
    """Energy that agents are billed and paid for, shape (n or 1, n_agent) [kWh], and what a kWh is paid."""
    net = metered.load - metered.generation
    if scenario == "retail_m":
        net = net.sum(axis=0, keepdims=True)
    paid = rates.purchase if scenario in ("retail_m", "retail_b") else 0.0
    return np.maximum(net, 0.0), np.maximum(-net, 0.0), paid


def bill_market(metered: Metered, settlement: Settlement) -> Money:
    """State a day of the market in the same terms; it nets nothing at the meter.

    Parameters
    ----------
    metered : Metered
        Energy of the day by bus.
    settlement : Settlement
        The same day settled at nodal prices.
    """
    load, generation = float(settlement.load.usd.sum()), float(settlement.generation.usd.sum())
    return Money(
        load_usd=load,
        dg_usd=generation,
        flex_usd=float(settlement.flexible.usd.sum()),
        wholesale_usd=float(settlement.wholesale_usd.sum()),
        load_gross_usd=load,
        dg_gross_usd=generation,
        wholesale_of_loads_usd=_at_lmp(metered, metered.load.sum(axis=1)),
    )


def _at_lmp(metered: Metered, kwh: FloatArray) -> float:
    return float((metered.lmp * kwh).sum()) / KWH_PER_MWH
