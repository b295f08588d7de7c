"""The operator's own equipment in the ledger: what each element would be paid if settled like any resource.

An element takes power at some nodes and gives it at others. At the prices of those nodes it earns what it
gives less what it takes: a capacitor for its reactive power, a regulator or a line for the difference between
its ends. By Kirchhoff's law the sum over all elements is what the operator keeps of the energy, so every
dollar of its net revenue has the name of the equipment that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, Element, FloatArray, Network
from dlmp_cosim.market.money.settlement import KWH_PER_MWH, NodalPrices, Readings

Group = Literal["capacitor", "regulator", "transformer", "line", "reactor"]
"""What the operator's equipment is listed by; a switch counts as a line."""


@dataclass(frozen=True)
class Earned:
    """What one element earned over a run.

    Attributes
    ----------
    name : str
        The element.
    group : str
        What it is.
    kvarh : float
        Reactive energy that it gave [kvarh].
    real_usd, reactive_usd : float
        Worth of its real and reactive power at the prices of its nodes [$].
    """

    name: str
    group: Group
    kvarh: float
    real_usd: float
    reactive_usd: float

    @property
    def usd(self) -> float:
        """Both together [$]."""
        return self.real_usd + self.reactive_usd


@dataclass(frozen=True)
class Equipment:
    """What all equipment of a feeder earned.

    Attributes
    ----------
    elements : tuple of Earned
        Every element.
    head_usd : float
        Power at the head at the d-LMP there, less what was paid for it: 0 but for the source's impedance [$].
    """

    elements: tuple[Earned, ...]
    head_usd: float

    @property
    def by_group(self) -> Mapping[str, float]:
        """Sum of every group [$]."""
        groups: dict[str, float] = dict.fromkeys((item.group for item in self.elements), 0.0)
        for item in self.elements:
            groups[item.group] += item.usd
        return groups

    @property
    def usd(self) -> float:
        """What the operator keeps of energy, before it pays for curtailment [$]."""
        return sum(item.usd for item in self.elements) + self.head_usd


def equipment_of(
    network: Network, readings: Readings, prices: NodalPrices, admittance: ComplexArray
) -> Equipment:
    """Value all equipment of a feeder at the prices of a run.

    Parameters
    ----------
    network : Network
        The feeder.
    readings : Readings
        Realised AC quantities.
    prices : NodalPrices
        Prices of the final clearings.
    admittance : ndarray, shape (n, n_admittance)
        Blocks of the controlled elements in every interval [S].
    """
    volts = readings.voltage * network.base_v
    regulating = {regulator.element for regulator in network.regulators}
    found, start = [], 0
    for element in network.elements:
        size = len(element.node_ids)
        block: ComplexArray = element.admittance_s
        if element.controlled:
            block = admittance[:, start : start + size * size].reshape(-1, size, size)
            start += size * size
        at = [network.node_index[name] for name in element.node_ids]
        taken = volts[:, at] * np.conj(_through(block, volts[:, at])) / 1e3
        found.append(_earned(element, regulating, taken, at, prices, readings.hours))
    return Equipment(tuple(found), _at_head(network, readings, prices))


def _through(block: ComplexArray, volts: ComplexArray) -> ComplexArray:
    """Currents into an element, shape (n, n_conductor) [A]; its block may be another in every interval."""
    if block.ndim == 2:
        return np.asarray(volts @ block.T)
    return np.asarray((block @ volts[:, :, None])[:, :, 0])


def _earned(
    element: Element,
    regulating: set[str],
    taken: ComplexArray,
    at: list[int],
    prices: NodalPrices,
    hours: float,
) -> Earned:
    group: Group = "line" if element.kind == "switch" else element.kind
    if element.name in regulating:
        group = "regulator"
    return Earned(
        name=element.name,
        group=group,
        kvarh=-float(taken.imag.sum()) * hours,
        real_usd=-float((taken.real * prices.real[:, at]).sum()) * hours / KWH_PER_MWH,
        reactive_usd=-float((taken.imag * prices.reactive[:, at]).sum()) * hours / KWH_PER_MWH,
    )


def _at_head(network: Network, readings: Readings, prices: NodalPrices) -> float:
    """Value the head's power at its own d-LMPs, less its cost [$]."""
    at, head = network.head_node, readings.head
    paid: FloatArray = np.asarray(readings.lmp + readings.adder)[:, None]
    real = head.real * (prices.real[:, at] - paid)
    reactive = head.imag * (prices.reactive[:, at] - readings.reactive_price)
    return float((real + reactive).sum()) * readings.hours / KWH_PER_MWH
