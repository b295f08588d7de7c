"""Who pays whom: realised AC quantities at nodal prices, and where the operator's net revenue comes from.

Every amount is positive in the direction of its name: loads pay, generators and flexible loads are paid, the
wholesale market is paid. The operator's net revenue is computed twice: from the payments, and from the parts
of the prices, which knows nothing of the head meter. The two agree only when the parts add up to the prices
and the AC power balances; their difference is the imbalance of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals, machine_terminals
from dlmp_cosim.market.money.flows import BoolArray, Flows, leg_flows, load_flows

KWH_PER_MWH = 1e3

CurtailmentRule = Literal["paper", "net"]
"""What a flexible load is paid for what it does not consume, on top of not buying it.

``paper``: the d-LMP, as the published formulas have it. ``net``: the d-LMP less what it saves by not buying
at that d-LMP, which leaves nothing: the saving is the whole reward.
"""


@dataclass(frozen=True)
class Readings:
    """What the meters of a run say.

    Attributes
    ----------
    hours : float
        Length of an interval [h].
    lmp : ndarray, shape (n,)
        Price at the head [$/MWh].
    voltage : ndarray, shape (n, n_node)
        Complex voltage [pu].
    load : ndarray, shape (n, n_load)
        Complex power served [kVA].
    curtailed : ndarray, shape (n, n_load)
        Complex power not asked for, at nominal voltage [kVA].
    injection : ndarray, shape (n, n_resource)
        Complex power of generators and storage [kVA].
    machine : ndarray, shape (n, n_machine)
        Complex power of the circuit's own machines, which no resource drives [kVA].
    head : ndarray, shape (n, n_head)
        Complex power that the sources give [kVA].
    losses : ndarray, shape (n,)
        Real losses [kW].
    at_lmp : ndarray of bool, shape (n, n_resource), optional
        Where a resource takes part in the wholesale market and is paid the LMP; nowhere by default.
    adder : ndarray, shape (n,), or float
        What a substation adds to the LMP at the head [$/MWh].
    reactive_price : float
        Price of reactive power there [$/(MVAR*h)].
    """

    hours: float
    lmp: FloatArray
    voltage: ComplexArray
    load: ComplexArray
    curtailed: ComplexArray
    injection: ComplexArray
    machine: ComplexArray
    head: ComplexArray
    losses: FloatArray
    at_lmp: BoolArray | None = None
    adder: FloatArray | float = 0.0
    reactive_price: float = 0.0


@dataclass(frozen=True)
class NodalPrices:
    """Prices of a run, all of shape (n, n_node).

    Attributes
    ----------
    real, reactive : ndarray
        d-LMP [$/MWh, $/(MVAR*h)].
    loss, voltage, congestion : ndarray
        Parts of the real price beside the price at the head [$/MWh].
    substation : ndarray, optional
        Part by what feeders share, where they meet at a substation [$/MWh].
    """

    real: FloatArray
    reactive: FloatArray
    loss: FloatArray
    voltage: FloatArray
    congestion: FloatArray
    substation: FloatArray | None = None


@dataclass(frozen=True)
class Payments:
    """Energy and money of one kind of participant.

    Attributes
    ----------
    real_usd, reactive_usd : ndarray, shape (n, n_node)
        Real and reactive energy at the d-LMP of each node [$].
    energy_kwh : ndarray, shape (n, n_node)
        Real energy at each node [kWh].
    owner_usd, owner_kwh : ndarray, shape (n, n_owner)
        Money and real energy of each load, resource or machine.
    """

    real_usd: FloatArray
    reactive_usd: FloatArray
    energy_kwh: FloatArray
    owner_usd: FloatArray
    owner_kwh: FloatArray

    @property
    def usd(self) -> FloatArray:
        """Money of each interval, shape (n,) [$]."""
        return np.asarray((self.real_usd + self.reactive_usd).sum(axis=1))


@dataclass(frozen=True)
class RevenueParts:
    """The operator's net revenue by cause, all of shape (n,) [$].

    Attributes
    ----------
    loss_collected : ndarray
        Collected through the loss part of the prices.
    loss_cost : ndarray
        Losses bought at the LMP.
    voltage, congestion : ndarray
        Collected through the price of voltage limits and of line ratings.
    reactive : ndarray
        Reactive energy collected less paid, at the head too.
    curtailment : ndarray
        Paid for demand not consumed.
    substation : ndarray
        Collected through the substation's part of the prices, less the adder at the head.
    """

    loss_collected: FloatArray
    loss_cost: FloatArray
    voltage: FloatArray
    congestion: FloatArray
    reactive: FloatArray
    curtailment: FloatArray
    substation: FloatArray

    @property
    def net(self) -> FloatArray:
        """Net revenue, shape (n,) [$]."""
        surplus = self.loss_collected - self.loss_cost + self.voltage + self.congestion + self.reactive
        return surplus + self.substation - self.curtailment


@dataclass(frozen=True)
class Settlement:
    """Money and energy of a run.

    Attributes
    ----------
    load, generation, flexible, machine : Payments
        What loads pay, and what generators (with storage), flexible loads and the circuit's own machines are
        paid.
    wholesale_usd : ndarray, shape (n,)
        Power at the head at the LMP, with what a substation adds, and its reactive power [$].
    head_kwh, losses_kwh : ndarray, shape (n,)
        Energy bought and lost [kWh].
    parts : RevenueParts
        Net revenue of the operator by cause.
    participants : Payments or None
        Of `generation`, what wholesale participants are paid at the LMP; None where there are none.
    """

    load: Payments
    generation: Payments
    flexible: Payments
    machine: Payments
    wholesale_usd: FloatArray
    head_kwh: FloatArray
    losses_kwh: FloatArray
    parts: RevenueParts
    participants: Payments | None = None

    @property
    def net_revenue(self) -> FloatArray:
        """Net revenue of the operator from the payments, shape (n,) [$]."""
        paid = self.generation.usd + self.machine.usd + self.flexible.usd
        return self.load.usd - paid - self.wholesale_usd

    @property
    def accounts(self) -> dict[str, float]:
        """What each side ends up with over the run [$]; the operator's side from parts of the prices."""
        return {
            "load": -float(self.load.usd.sum()),
            "generation": float(self.generation.usd.sum()),
            "flexible": float(self.flexible.usd.sum()),
            "machine": float(self.machine.usd.sum()),
            "wholesale": float(self.wholesale_usd.sum()),
            "operator": float(self.parts.net.sum()),
        }

    @property
    def imbalance_usd(self) -> float:
        """Sum of all accounts over the run [$]: 0 when prices and physics fit together."""
        return float((self.parts.net - self.net_revenue).sum())


def settle(
    network: Network, readings: Readings, prices: NodalPrices, rule: CurtailmentRule = "paper"
) -> Settlement:
    """Settle a run at its nodal prices.

    Parameters
    ----------
    network : Network
        The feeder.
    readings : Readings
        Realised AC quantities.
    prices : NodalPrices
        Prices of the final clearings.
    rule : {"paper", "net"}
        What flexible loads are paid.

    Returns
    -------
    Settlement
        Payments at every node and interval.
    """
    served = load_flows(network, readings.load, readings.voltage)
    spared = load_flows(network, not_consumed(network, readings), readings.voltage)
    given = leg_flows(network, injection_terminals(network), readings.injection, readings.voltage)
    own = leg_flows(network, machine_terminals(network), readings.machine, readings.voltage)
    load = _pay(served, prices, readings.hours, len(network.loads))
    flexible = _pay(spared, prices, readings.hours, len(network.loads))
    flexible = flexible if rule == "paper" else _less_saving(flexible)
    retail, sold = _apart(given, readings.at_lmp)
    priced = _pay(retail, prices, readings.hours, len(network.resources))
    at_head = _everywhere(readings.lmp, prices)
    participants = _pay(sold, at_head, readings.hours, len(network.resources)) if sold else None
    generation = _sum(priced, participants) if participants else priced
    machine = _pay(own, prices, readings.hours, len(network.machines))
    head_kwh = readings.head.real.sum(axis=1) * readings.hours
    losses_kwh = readings.losses * readings.hours
    drawn_kwh = load.energy_kwh - priced.energy_kwh - machine.energy_kwh
    reactive = load.reactive_usd - generation.reactive_usd - machine.reactive_usd
    kvar = readings.head.imag.sum(axis=1)
    bought_reactive = kvar * readings.hours * readings.reactive_price / KWH_PER_MWH
    return Settlement(
        load=load,
        generation=generation,
        flexible=flexible,
        machine=machine,
        wholesale_usd=head_kwh * (readings.lmp + readings.adder) / KWH_PER_MWH + bought_reactive,
        head_kwh=head_kwh,
        losses_kwh=losses_kwh,
        parts=RevenueParts(
            loss_collected=_worth(drawn_kwh, prices.loss),
            loss_cost=losses_kwh * readings.lmp / KWH_PER_MWH,
            voltage=_worth(drawn_kwh, prices.voltage),
            congestion=_worth(drawn_kwh, prices.congestion),
            reactive=reactive.sum(axis=1) - bought_reactive,
            curtailment=flexible.usd,
            substation=_beyond_adder(drawn_kwh, head_kwh, prices, readings),
        ),
        participants=participants,
    )


def not_consumed(network: Network, readings: Readings) -> ComplexArray:
    """Tell what curtailed loads would have drawn at the realised voltage, shape (n, n_load) [kVA].

    Awards are at nominal voltage; what a load draws follows the voltage, as its model says.

    Parameters
    ----------
    network : Network
        Says how loads follow the voltage.
    readings : Readings
        What the meters say.
    """
    terminals = load_terminals(network)
    rows = zip(readings.curtailed, readings.voltage, strict=True)
    spared = [terminals.served(curtailed, voltage) for curtailed, voltage in rows]
    return np.array(spared, dtype=np.complex128).reshape(readings.curtailed.shape)


def _pay(flows: Flows, prices: NodalPrices, hours: float, owners: int) -> Payments:
    nodes = prices.real.shape[1]
    kwh = flows.power * hours
    real = kwh.real * prices.real[:, flows.node] / KWH_PER_MWH
    reactive = kwh.imag * prices.reactive[:, flows.node] / KWH_PER_MWH
    return Payments(
        real_usd=flows.at_nodes(real, nodes),
        reactive_usd=flows.at_nodes(reactive, nodes),
        energy_kwh=flows.at_nodes(kwh.real, nodes),
        owner_usd=flows.by_owner(real + reactive, owners),
        owner_kwh=flows.by_owner(kwh.real, owners),
    )


def _apart(flows: Flows, at_lmp: BoolArray | None) -> tuple[Flows, Flows | None]:
    """Tell power that is paid the d-LMP from power that is paid the LMP; None where there is none."""
    if at_lmp is None:
        return flows, None
    sold = at_lmp[:, flows.owner]
    return replace(flows, power=np.where(sold, 0.0, flows.power)), replace(
        flows, power=np.where(sold, flows.power, 0.0)
    )


def _everywhere(lmp: FloatArray, prices: NodalPrices) -> NodalPrices:
    """Give every node the LMP, and no price of reactive power."""
    nothing = np.zeros_like(prices.real)
    return NodalPrices(nothing + lmp[:, None], nothing, nothing, nothing, nothing)


def _sum(first: Payments, second: Payments) -> Payments:
    return Payments(*(getattr(first, name) + getattr(second, name) for name in vars(first)))


def _less_saving(flexible: Payments) -> Payments:
    """Take what the energy would have cost off what is paid for not consuming it: both are at the d-LMP."""
    return replace(
        flexible,
        real_usd=np.zeros_like(flexible.real_usd),
        reactive_usd=np.zeros_like(flexible.reactive_usd),
        owner_usd=np.zeros_like(flexible.owner_usd),
    )


def _beyond_adder(
    drawn_kwh: FloatArray, head_kwh: FloatArray, prices: NodalPrices, readings: Readings
) -> FloatArray:
    """Collect through the substation's part of the prices, less what it adds at the head [$]."""
    if prices.substation is None:
        return np.zeros(len(head_kwh))
    return _worth(drawn_kwh, prices.substation) - head_kwh * readings.adder / KWH_PER_MWH


def _worth(kwh: FloatArray, price: FloatArray) -> FloatArray:
    return np.asarray((kwh * price).sum(axis=1) / KWH_PER_MWH)
