"""Who pays whom: realised AC quantities at nodal prices, and where the operator's net revenue comes from.

Every amount is positive in the direction of its name: loads pay, generators and flexible loads are paid, the
wholesale market is paid. The operator's net revenue is computed twice: from the payments, and from the parts
of the prices, which knows nothing of the head meter. The two agree only when the parts add up to the prices
and the AC power balances; their difference is the imbalance of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feeders.network import ComplexArray, FloatArray, IntArray, Network
from feeders.terminals import Terminals, injection_terminals, load_terminals, machine_terminals

KWH_PER_MWH = 1e3


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


@dataclass(frozen=True)
class NodalPrices:
    """Prices of a run, all of shape (n, n_node).

    Attributes
    ----------
    real, reactive : ndarray
        d-LMP [$/MWh, $/(MVAR*h)].
    loss, voltage, congestion : ndarray
        Parts of the real price beside the price at the head [$/MWh].
    """

    real: FloatArray
    reactive: FloatArray
    loss: FloatArray
    voltage: FloatArray
    congestion: FloatArray


@dataclass(frozen=True)
class Flows:
    """Power of one kind of participant at the nodes where it is connected.

    Attributes
    ----------
    owner : ndarray of int, shape (n_terminal,)
        Load, resource or machine of each terminal.
    node : ndarray of int, shape (n_terminal,)
        Node of each terminal.
    power : ndarray, shape (n, n_terminal)
        Complex power [kVA].
    """

    owner: IntArray
    node: IntArray
    power: ComplexArray

    def at_nodes(self, values: FloatArray, count: int) -> FloatArray:
        """Add values of the terminals up by node, shape (n, count)."""
        return _add_up(values, self.node, count)

    def by_owner(self, values: FloatArray, count: int) -> FloatArray:
        """Add values of the terminals up by load, resource or machine, shape (n, count)."""
        return _add_up(values, self.owner, count)


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
        total: FloatArray = (self.real_usd + self.reactive_usd).sum(axis=1)
        return total


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
        Reactive energy collected less paid.
    curtailment : ndarray
        Paid for demand not consumed.
    """

    loss_collected: FloatArray
    loss_cost: FloatArray
    voltage: FloatArray
    congestion: FloatArray
    reactive: FloatArray
    curtailment: FloatArray

    @property
    def net(self) -> FloatArray:
        """Net revenue, shape (n,) [$]."""
        surplus = self.loss_collected - self.loss_cost + self.voltage + self.congestion + self.reactive
        return surplus - self.curtailment


@dataclass(frozen=True)
class Settlement:
    """Money and energy of a run.

    Attributes
    ----------
    load, generation, flexible, machine : Payments
        What loads pay, and what generators (with storage), flexible loads and the circuit's own machines are
        paid.
    wholesale_usd : ndarray, shape (n,)
        Power at the head at the LMP [$].
    head_kwh, losses_kwh : ndarray, shape (n,)
        Energy bought and lost [kWh].
    parts : RevenueParts
        Net revenue of the operator by cause.
    """

    load: Payments
    generation: Payments
    flexible: Payments
    machine: Payments
    wholesale_usd: FloatArray
    head_kwh: FloatArray
    losses_kwh: FloatArray
    parts: RevenueParts

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


def settle(network: Network, readings: Readings, prices: NodalPrices) -> Settlement:
    """Settle a run at its nodal prices.

    Parameters
    ----------
    network : Network
        The feeder.
    readings : Readings
        Realised AC quantities.
    prices : NodalPrices
        Prices of the final clearings.

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
    generation = _pay(given, prices, readings.hours, len(network.resources))
    machine = _pay(own, prices, readings.hours, len(network.machines))
    head_kwh = readings.head.real.sum(axis=1) * readings.hours
    losses_kwh = readings.losses * readings.hours
    drawn_kwh = load.energy_kwh - generation.energy_kwh - machine.energy_kwh
    reactive = load.reactive_usd - generation.reactive_usd - machine.reactive_usd
    return Settlement(
        load=load,
        generation=generation,
        flexible=flexible,
        machine=machine,
        wholesale_usd=head_kwh * readings.lmp / KWH_PER_MWH,
        head_kwh=head_kwh,
        losses_kwh=losses_kwh,
        parts=RevenueParts(
            loss_collected=_worth(drawn_kwh, prices.loss),
            loss_cost=losses_kwh * readings.lmp / KWH_PER_MWH,
            voltage=_worth(drawn_kwh, prices.voltage),
            congestion=_worth(drawn_kwh, prices.congestion),
            reactive=reactive.sum(axis=1),
            curtailment=flexible.usd,
        ),
    )


def not_consumed(network: Network, readings: Readings) -> ComplexArray:
    """Tell what curtailed loads would have drawn at the realised voltage, shape (n, n_load) [kVA].

    Awards are at nominal voltage; what a load draws follows the voltage, as its model says.
    """
    terminals = load_terminals(network)
    rows = zip(readings.curtailed, readings.voltage, strict=True)
    spared = [terminals.served(curtailed, voltage) for curtailed, voltage in rows]
    return np.array(spared, dtype=np.complex128).reshape(readings.curtailed.shape)


def load_flows(network: Network, power: ComplexArray, voltage: ComplexArray) -> Flows:
    """Split the power of loads over their terminals: over legs as their voltages tell, then as `leg_flows`.

    Parameters
    ----------
    network : Network
        The circuit.
    power : ndarray, shape (n, n_load)
        Complex power [kVA].
    voltage : ndarray, shape (n, n_node)
        Complex voltage [pu].
    """
    legs = load_terminals(network)
    split = np.zeros((len(power), len(legs.owner)), dtype=np.complex128)
    for row, (total, volts) in enumerate(zip(power, voltage, strict=True)):
        real, reactive = (_shares(legs, factor) for factor in legs.factors(np.abs(legs.across(volts))))
        split[row] = total[legs.owner].real * real + 1j * total[legs.owner].imag * reactive
    return _at_terminals(network, legs, split, voltage)


def leg_flows(network: Network, legs: Terminals, power: ComplexArray, voltage: ComplexArray) -> Flows:
    """Split powers equally over legs, and each leg over the nodes that it lies between.

    A leg between nodes a and b carries one current, so its terminals take ``S Va / (Va - Vb)`` and ``-S Vb /
    (Va - Vb)``: they sum to S, and each is what a meter at that node would read.

    Parameters
    ----------
    network : Network
        The circuit.
    legs : Terminals
        Legs of the owners.
    power : ndarray, shape (n, n_owner)
        Complex power [kVA].
    voltage : ndarray, shape (n, n_node)
        Complex voltage [pu].
    """
    return _at_terminals(network, legs, power[:, legs.owner] * legs.share, voltage)


def _shares(legs: Terminals, factor: FloatArray) -> FloatArray:
    """Share of its load's power that each leg draws, in proportion to its factor."""
    weight = legs.share * factor
    total = np.bincount(legs.owner, weight)[legs.owner] if len(weight) else weight
    shares: FloatArray = np.where(total != 0, weight / np.where(total != 0, total, 1.0), legs.share)
    return shares


def _at_terminals(network: Network, legs: Terminals, power: ComplexArray, voltage: ComplexArray) -> Flows:
    """Split the power of legs, shape (n, n_leg), over the nodes that they lie between; ground takes none."""
    volts = np.hstack([voltage * network.base_v, np.zeros((len(voltage), 1))])
    first, second = volts[:, legs.node], volts[:, legs.other]
    across = first - second
    current = np.divide(power, across, out=np.zeros_like(power), where=across != 0)
    two_ended = np.flatnonzero(legs.other < len(network.node_ids))
    return Flows(
        owner=np.concatenate([legs.owner, legs.owner[two_ended]]),
        node=np.concatenate([legs.node, legs.other[two_ended]]),
        power=np.hstack([current * first, -(current * second)[:, two_ended]]),
    )


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


def _worth(kwh: FloatArray, price: FloatArray) -> FloatArray:
    worth: FloatArray = (kwh * price).sum(axis=1) / KWH_PER_MWH
    return worth


def _add_up(values: FloatArray, index: IntArray, count: int) -> FloatArray:
    total = np.zeros((count, len(values)))
    np.add.at(total, index, values.T)
    return total.T
