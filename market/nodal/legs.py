"""Whatever draws or injects, leg by leg: its current and how that follows voltage and set-points.

A leg between nodes a and b at a voltage of ``U = V_a - V_b`` draws ``S = P f_P(m) + j Q f_Q(m)`` with ``m =
|U| / U_nominal``. Its current ``conj(S / U)`` changes by

    conj(dI) = dS_0 / U + A dU + B conj(dU),    A = g conj(U) / 2 U - S / U**2,    B = g / 2

with ``g = (P f_P' + j Q f_Q') m / |U|**2`` and the change of its set-point ``dS_0 = dP f_P + j dQ f_Q``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.terminals import Terminals, injection_terminals, load_terminals, machine_terminals
from dlmp_cosim.market.problem.compiled import compiled
from dlmp_cosim.market.resources import curtails


@dataclass(frozen=True)
class LegSlopes:
    """All legs at one AC state: loads, then injections, then machines; arrays of shape (n_leg,).

    Attributes
    ----------
    across : ndarray
        Complex voltage across each leg [V].
    linear, conjugate : ndarray
        A and B: conjugate current over voltage and over its conjugate [S].
    follow : ndarray
        g: power over ``Re(conj(U) dU)`` [VA/V**2]; 0 for what does not follow voltage.
    real, reactive : ndarray, shape (n_load_leg,)
        Factors f_P and f_Q of the loads, times each leg's share.
    """

    across: ComplexArray
    linear: ComplexArray
    conjugate: ComplexArray
    follow: ComplexArray
    real: FloatArray
    reactive: FloatArray


class Legs:
    """The legs of a network.

    Parameters
    ----------
    network : Network
        The circuit.

    Attributes
    ----------
    node, other : ndarray of int, shape (n_leg,)
        Nodes that each leg lies between; the number of nodes for ground.
    resource, resource_leg : ndarray of int, shape (n_resource_leg,)
        Every leg that a resource acts through, its own or those of the load that it curtails.
    curtailing, curtailed : ndarray of int, shape (n_flexible_load,)
        Resources that curtail, and the load of each.
    """

    def __init__(self, network: Network) -> None:
        self._base_v = network.base_v
        self.loads = load_terminals(network)
        self.injections: Terminals = injection_terminals(network)
        self.machines: Terminals = machine_terminals(network)
        kinds = (self.loads, self.injections, self.machines)
        self.node = np.concatenate([kind.node for kind in kinds])
        self.other = np.concatenate([kind.other for kind in kinds])
        self.n_load = len(self.loads.node)
        self._own_share = np.concatenate([self.injections.share, self.machines.share])
        position = {name: k for k, name in enumerate(network.load_ids)}
        pairs = [(k, position[r.load]) for k, r in enumerate(network.resources) if curtails(r)]
        self.curtailing, self.curtailed = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        self.resource, self.resource_leg = self._resource_legs()

    def _resource_legs(self) -> tuple[IntArray, IntArray]:
        legs = [np.flatnonzero(self.loads.owner == load) for load in self.curtailed]
        owners = [np.full(len(at), k) for k, at in zip(self.curtailing, legs, strict=True)]
        own = self.n_load + np.arange(len(self.injections.node))
        resource = np.concatenate([*owners, self.injections.owner]).astype(np.int64)
        return resource, np.concatenate([*legs, own]).astype(np.int64)

    def slopes(self, state: AcState) -> LegSlopes:
        """Differentiate every leg at an AC state."""
        volts = np.append(state.voltage * self._base_v, 0.0)
        across = volts[self.node] - volts[self.other]
        loads, n = self.loads, self.n_load
        size = np.abs(across[:n])
        magnitude = size / loads.nominal_v
        real, reactive = loads.factors(magnitude)
        real_slope, reactive_slope = loads.slopes(magnitude)
        nominal = 1e3 * loads.power(state.demand)
        drawn = nominal.real * real + 1j * nominal.imag * reactive
        power = np.concatenate(
            [drawn, -1e3 * self.injections.power(state.injection), -1e3 * self.machines.power(state.machine)]
        )
        follow = np.zeros(len(power), dtype=np.complex128)
        slope = nominal.real * real_slope + 1j * nominal.imag * reactive_slope
        follow[:n] = slope * magnitude / np.where(size > 0, size, 1.0) ** 2
        return LegSlopes(
            across=across,
            linear=_linear(across, power, follow),
            conjugate=follow / 2,
            follow=follow,
            real=real * loads.share,
            reactive=reactive * loads.share,
        )

    def set_point(self, slopes: LegSlopes, demand: ComplexArray) -> ComplexArray:
        """Power of the loads' legs for a change of demand at the same voltage, shape (n_load_leg,).

        Parameters
        ----------
        slopes : LegSlopes
            The legs at the AC state.
        demand : ndarray, shape (n_load,)
            Change of the demand at nominal voltage.
        """
        change = demand[self.loads.owner]
        power: ComplexArray = change.real * slopes.real + 1j * change.imag * slopes.reactive
        return power

    def resource_slopes(self, slopes: LegSlopes) -> tuple[ComplexArray, ComplexArray]:
        """Power drawn by each leg in `resource_leg` for each unit of real and of reactive power given."""
        real = np.concatenate([slopes.real, self._own_share])[self.resource_leg]
        reactive = np.concatenate([slopes.reactive, self._own_share])[self.resource_leg]
        return -real.astype(np.complex128), np.asarray(-1j * reactive, dtype=np.complex128)


@compiled
def _linear(across: ComplexArray, power: ComplexArray, follow: ComplexArray) -> ComplexArray:
    """Find A of every leg; none where there is no voltage."""
    linear = np.zeros(len(across), dtype=np.complex128)
    for leg in range(len(across)):
        volts = across[leg]
        if volts != 0:
            linear[leg] = (follow[leg] * np.conj(volts) / 2 - power[leg] / volts) / volts
    return linear
