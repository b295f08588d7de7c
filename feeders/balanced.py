"""A balanced equivalent of an unbalanced radial circuit, for market models that see one phase.

Power is spread evenly over three equal phases, and every link between two buses is what the positive sequence
sees of it (`feeders.sequence`). What is lost is the imbalance: on buses with three phases the result is the
mean of the phases, not the worst of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from dlmp_cosim.feeders.admittance import blocks
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import ComplexArray, Element, FloatArray, IntArray, Network
from dlmp_cosim.feeders.radial import RadialTree, radial_tree
from dlmp_cosim.feeders.sequence import TwoPort, phasors, two_port
from dlmp_cosim.feeders.terminals import load_terminals
from dlmp_cosim.feeders.zones import joined

NEAR_ZERO: Final = 1e-4
"""Series impedance below which a transformer is a mere ratio [pu of 1 MVA]."""

OPEN_S: Final = 1e-8
"""Admittance between the ends of a branch below which it is open; OpenDSS leaves 1e-10 or so [S]."""


@dataclass(frozen=True)
class BalancedFeeder:
    """A radial circuit in per unit, source first: link k feeds bus k + 1.

    With P + jQ three-phase power entering a link in units of `base_kva`, and v the squared voltage [pu],
    ``v_to = ratio**2 * v_from - 2 (r P + x Q)`` to first order.

    Attributes
    ----------
    buses : tuple of str
        Names.
    position : ndarray of int, shape (n_bus,)
        Where each bus of the `Network` is in `buses`.
    parent : ndarray of int, shape (n_bus,)
        Parent of each bus; -1 for the source.
    links : tuple of tuple of int, length n_bus - 1
        Branches of the `Network` that each link stands for; an open tie is in none.
    resistance, reactance : ndarray, shape (n_link,)
        Series impedance [pu].
    ratio : ndarray, shape (n_link,)
        Voltage ratio without load; the mean over the phases of a bank.
    near_zero : ndarray of bool, shape (n_link,)
        Switches and mere ratios: next to no impedance, to be merged in a market model.
    rating : ndarray, shape (n_link,)
        Apparent power rating of all conductors together at nominal voltage [pu]; infinite for none.
    load_bus : ndarray of int, shape (n_load,)
        Bus of each load, in the order of the `Network`.
    load_factor : ndarray, shape (2, n_load)
        Served over listed power at 1 pu, real and reactive.
    load_slope : ndarray, shape (2, n_load)
        Its derivative by squared voltage [1/pu].
    resource_bus : ndarray of int, shape (n_resource,)
        Bus of each resource.
    machine_bus : ndarray of int, shape (n_machine,)
        Bus of each machine.
    shunt : ndarray, shape (n_bus,)
        Complex power drawn at nominal voltage by capacitors, reactors and line charging [pu].
    source_voltage : float
        Voltage behind the source's impedance [pu].
    base_kva : float
        Three-phase base power [kVA].
    """

    buses: tuple[str, ...]
    position: IntArray
    parent: IntArray
    links: tuple[tuple[int, ...], ...]
    resistance: FloatArray
    reactance: FloatArray
    ratio: FloatArray
    near_zero: np.ndarray[tuple[int], np.dtype[np.bool_]]
    rating: FloatArray
    load_bus: IntArray
    load_factor: FloatArray
    load_slope: FloatArray
    resource_bus: IntArray
    machine_bus: IntArray
    shunt: ComplexArray
    source_voltage: float
    base_kva: float

    def bus_demand(self, demand: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        """Add up loads and shunts by bus, as ``constant + slope * v`` with v the squared voltage.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage [kVA].

        Returns
        -------
        constant, slope : ndarray, shape (n_bus,)
            Complex power drawn at v = 0, and its rise with v [pu].
        """
        constant, slope = np.zeros_like(self.shunt), self.shunt.copy()
        follow = self.follow(demand) / self.base_kva
        np.add.at(slope, self.load_bus, follow)
        np.add.at(constant, self.load_bus, self.served(demand) / self.base_kva - follow)
        return constant, slope

    def served(self, demand: ComplexArray) -> ComplexArray:
        """Power that every load draws at 1 pu, shape (n_load,) [kVA]."""
        return np.asarray(demand.real * self.load_factor[0] + 1j * demand.imag * self.load_factor[1])

    def follow(self, demand: ComplexArray) -> ComplexArray:
        """Rise of what every load draws with squared voltage, shape (n_load,) [kVA/pu]."""
        return np.asarray(demand.real * self.load_slope[0] + 1j * demand.imag * self.load_slope[1])


def balance(
    network: Network,
    *,
    admittance: ComplexArray | None = None,
    scale_laterals: bool = True,
    base_kva: float = 1000.0,
) -> BalancedFeeder:
    """Build the balanced equivalent of a network.

    Parameters
    ----------
    network : Network
        A checked network.
    admittance : ndarray, shape (n_admittance,), optional
        Blocks of the controlled elements, with their taps and switches [S]; those of the network by default.
    scale_laterals : bool
        Whether the impedance of a link with n phases is multiplied by 3 / n.
    base_kva : float
        Three-phase base power [kVA].

    Returns
    -------
    BalancedFeeder
        The equivalent.

    Raises
    ------
    InputError
        When there is none, with the element and why: a loop, a second source, an element that joins more than
        two buses, a neutral conductor, a transformer whose phases differ, an open branch on the only way.
    """
    table = blocks(network, network.initial_admittance if admittance is None else admittance)
    tree = _tree(network, table)
    position = np.empty_like(tree.order)
    position[tree.order] = np.arange(len(position))
    where = {bus.name: int(position[k]) for k, bus in enumerate(network.buses)}
    ports = _ports(network, tree, table, base_kva, scale_laterals)
    factor, slope = _load_response(network)
    impedance = np.array([port.impedance for port in ports], dtype=np.complex128)
    return BalancedFeeder(
        buses=tuple(network.buses[k].name for k in tree.order.tolist()),
        position=position,
        parent=tree.parent,
        links=tree.links,
        resistance=impedance.real,
        reactance=impedance.imag,
        ratio=np.array([port.ratio for port in ports]),
        near_zero=_near_zero(network, tree, impedance * 1e3 / base_kva),
        rating=_ratings(network, tree, base_kva),
        load_bus=np.array([where[load.bus] for load in network.loads], dtype=np.int64),
        load_factor=factor,
        load_slope=slope,
        resource_bus=np.array([where[item.bus] for item in network.resources], dtype=np.int64),
        machine_bus=np.array([where[item.bus] for item in network.machines], dtype=np.int64),
        shunt=_shunts(network, tree, ports, table, where, base_kva),
        source_voltage=_source_voltage(network),
        base_kva=base_kva,
    )


def link_elements(network: Network, link: tuple[int, ...]) -> list[Element]:
    """Elements that a link stands for.

    Parameters
    ----------
    network : Network
        The circuit that was reduced.
    link : tuple of int
        Positions in ``network.branches``, as in `BalancedFeeder.links`.
    """
    return [network.branches[k] for k in link]


def conductor_links(feeder: BalancedFeeder, network: Network) -> tuple[IntArray, IntArray]:
    """Find the link that every conductor belongs to, and which end of it.

    Parameters
    ----------
    feeder : BalancedFeeder
        The equivalent.
    network : Network
        What it was made from.

    Returns
    -------
    link : ndarray of int, shape (n_conductor,)
        Link of each of `Network.conductor_ids`; -1 for those of open ties.
    end : ndarray of int, shape (n_conductor,)
        0 at the sending, 1 at the receiving end.
    """
    of_branch = np.full(len(network.branches), -1, dtype=np.int64)
    for k, branches in enumerate(feeder.links):
        of_branch[list(branches)] = k
    link: IntArray = of_branch[network.conductor_branch]
    bus = feeder.position[network.node_bus[network.conductor_node]]
    return link, (bus == link + 1).astype(np.int64)


def link_power(feeder: BalancedFeeder, network: Network, power: ComplexArray) -> ComplexArray:
    """Power into every link at its sending end, all conductors together, shape (n_link,) [kVA].

    Parameters
    ----------
    feeder : BalancedFeeder
        The equivalent.
    network : Network
        What it was made from.
    power : ndarray, shape (n_conductor,)
        Power into every branch at every conductor [kVA].
    """
    link, end = conductor_links(feeder, network)
    total = np.zeros(len(feeder.links), dtype=np.complex128)
    sent = (end == 0) & (link >= 0)
    np.add.at(total, link[sent], power[sent])
    return total


def _tree(network: Network, table: dict[str, ComplexArray]) -> RadialTree:
    """Span the circuit without its open ties; an open branch that feeds anything is refused."""
    branches = network.branches
    shut = [_is_shut(network, branch, table[branch.name]) for branch in branches]
    if all(shut):
        return radial_tree(network)
    group = _groups(network, [branch for branch, closed in zip(branches, shut, strict=True) if closed])
    ties = {branch.name: branch for branch, closed in zip(branches, shut, strict=True) if not closed}
    parting = [
        name
        for name, branch in ties.items()
        if len({group[network.bus_index[end.bus]] for end in branch.terminals}) > 1
    ]
    if parting:
        what = f"{' and '.join(parting)} {'is' if len(parting) == 1 else 'are'} open"
        raise _refused(network, f"{what}, and nothing else feeds what is behind")
    kept = tuple(element for element in network.elements if element.name not in ties)
    tree = radial_tree(replace(network, elements=kept))
    at = np.flatnonzero(shut).tolist()
    return replace(tree, links=tuple(tuple(at[k] for k in link) for link in tree.links))


def _groups(network: Network, branches: Sequence[Element]) -> IntArray:
    """Find the group of every bus that branches join, shape (n_bus,)."""
    pairs = [(branch.terminals[0].bus, end.bus) for branch in branches for end in branch.terminals[1:]]
    at = np.array([[network.bus_index[bus] for bus in pair] for pair in pairs], dtype=np.int64).reshape(-1, 2)
    return joined(len(network.buses), at[:, 0], at[:, 1])


def _is_shut(network: Network, branch: Element, block: ComplexArray) -> bool:
    """Whether every conductor of a branch sees the other end; none does when it is open."""
    owner = np.repeat(np.arange(len(branch.terminals)), [len(end.phases) for end in branch.terminals])
    seen = np.where(owner[:, None] == owner, 0.0, np.abs(block)).max(axis=1) > OPEN_S
    if seen.any() and not seen.all():
        raise _refused(network, f"{branch.name} is open in some of its conductors only")
    return bool(seen.all())


def _refused(network: Network, what: str) -> InputError:
    """Build the error for switches that stand in a way that has no equivalent."""
    return InputError(what, where=network.name, expected="a circuit with a balanced equivalent")


def _ports(
    network: Network,
    tree: RadialTree,
    table: dict[str, ComplexArray],
    base_kva: float,
    scale_laterals: bool,
) -> list[TwoPort]:
    """Reduce every link."""
    names = [network.buses[k].name for k in tree.order.tolist()]
    return [
        two_port(
            network,
            link_elements(network, link),
            table,
            (names[tree.parent[k]], names[k]),
            base_kva=base_kva,
            scale_laterals=scale_laterals,
        )
        for k, link in enumerate(tree.links, 1)
    ]


def _near_zero(
    network: Network, tree: RadialTree, impedance: ComplexArray
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell switches, and transformers with next to no impedance [pu of 1 MVA]."""
    kinds = [{element.kind for element in link_elements(network, link)} for link in tree.links]
    switch = np.array([kind == {"switch"} for kind in kinds], dtype=bool)
    ratio = np.array([kind == {"transformer"} for kind in kinds], dtype=bool)
    return switch | (ratio & (np.abs(impedance) < NEAR_ZERO))


def _ratings(network: Network, tree: RadialTree, base_kva: float) -> FloatArray:
    """Apparent power rating of every link, at its sending end [pu]."""
    ratings = []
    for k, link in enumerate(tree.links, 1):
        bus = network.buses[tree.order[tree.parent[k]]]
        ends = [
            (end, rating)
            for item in link_elements(network, link)
            for end, rating in zip(item.terminals, item.rating_a, strict=True)
            if end.bus == bus.name
        ]
        amps = sum(len(end.phases) * rating for end, rating in ends)
        ratings.append(amps * bus.kv_base / base_kva)
    return np.array(ratings)


def _load_response(network: Network) -> tuple[FloatArray, FloatArray]:
    """Find served over listed power at 1 pu and its slope in squared voltage, (2, n_load) each."""
    legs, n = load_terminals(network), len(network.loads)
    flat = phasors([phase for bus in network.buses for phase in bus.phases])
    across = np.abs(legs.across(flat))

    def by_load(parts: tuple[FloatArray, FloatArray], scale: FloatArray) -> FloatArray:
        return np.stack([np.bincount(legs.owner, part * scale * legs.share, n) for part in parts])

    return by_load(legs.factors(across), np.ones_like(across)), by_load(legs.slopes(across), across / 2.0)


def _shunts(
    network: Network,
    tree: RadialTree,
    ports: list[TwoPort],
    table: dict[str, ComplexArray],
    where: dict[str, int],
    base_kva: float,
) -> ComplexArray:
    """Power that shunts draw at nominal voltage, the ends of open ties too, by bus [pu]."""
    drawn = np.zeros(len(tree.order), dtype=np.complex128)
    for k, port in enumerate(ports, 1):
        drawn[tree.parent[k]] += np.conj(port.shunt_from)
        drawn[k] += np.conj(port.shunt_to)
    linked = {element.name for link in tree.links for element in link_elements(network, link)}
    for element in network.elements:
        first = 0
        for end in element.terminals if element.name not in linked else ():
            own = slice(first, first + len(end.phases))
            first = own.stop
            volts = network.buses[network.bus_index[end.bus]].kv_base * phasors(end.phases)
            kva = 1e3 * volts @ np.conj(table[element.name][own, own] @ volts)
            drawn[where[end.bus]] += kva / base_kva
    return drawn


def _source_voltage(network: Network) -> float:
    """Mean voltage behind the impedance of the source [pu]."""
    source = network.sources[0]
    base = network.base_v[network.head_node]
    return float(np.mean(np.abs(source.voltage_v) / base))
