"""A circuit differentiated in rectangular coordinates: what the central reference and AC optima start from.

Everything that draws sits between two nodes at a voltage of ``U = V_a - V_b`` and draws ``S = P f_P(m) + j Q
f_Q(m)`` with ``m = |U| / U_nominal``, so that Kirchhoff's current law says ``Y V + sum_k (e_a - e_b) I_k =
I_source`` with ``I = conj(S / U)``. With real and imaginary parts stacked J is its Jacobian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from dlmp_cosim.feeders.admittance import nodal_admittance
from dlmp_cosim.feeders.network import GROUND, ComplexArray, FloatArray, Network, node_id
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals, machine_terminals
from dlmp_cosim.market.resources import curtails

POWER_UNIT = 100.0
"""Unit of power inside the reference [kW]."""
VA = 1e3 * POWER_UNIT
"""The same [VA]."""


@dataclass(frozen=True)
class Sensitivity:
    """The circuit at one AC state, in the powers r of its resources: ``J dV = given r + asked``.

    Attributes
    ----------
    factors : SuperLU
        Of J, shape (2 n_node, 2 n_node) [S].
    given : csr_matrix, shape (2 n_node, 2 n_resource)
        Currents into the nodes for each unit of real and of reactive power [A].
    asked : ndarray, shape (2 n_node,)
        Currents into the nodes as the anchor's dispatch is taken back and the demand is what it is [A].
    head : ndarray, shape (n_node, 2)
        Complex gradients of real and reactive head power: its change is ``Re(gradient . dV)`` [W/V].
    losses : ndarray, shape (n_node,)
        Complex gradient of losses [W/V].
    losses_by_power : ndarray, shape (2 n_resource,)
        Gradient of losses in the powers at constant voltage [kW per unit].
    running : ndarray, shape (2 n_resource,)
        Powers at the anchor, in units.
    """

    factors: sla.SuperLU
    given: sp.csr_matrix
    asked: FloatArray
    head: ComplexArray
    losses: ComplexArray
    losses_by_power: FloatArray
    running: FloatArray

    def along(self, gradients: ComplexArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Adjoints of complex gradients, and what they say of the powers: adjoint, slope, constant.

        Parameters
        ----------
        gradients : ndarray, shape (n_node, k)
            One column a quantity.

        Returns
        -------
        ndarray, ndarray, ndarray
            Of shapes (2 n_node, k), (k, 2 n_resource) and (k,).
        """
        adjoint = self.factors.solve(np.vstack([gradients.real, -gradients.imag]), trans="T")
        return adjoint, np.asarray((self.given.T @ adjoint).T), np.asarray(self.asked @ adjoint)


@dataclass(frozen=True)
class _Legs:
    """Legs of loads, injections and machines at one AC state.

    Attributes
    ----------
    ends : csr_matrix, shape (n_leg, n_node)
        Voltage across the legs over node voltages.
    across, power, follow : ndarray, shape (n_leg,)
        Voltage [V], power drawn [VA], and power over ``Re(conj(U) dU)`` [VA/V**2].
    asked : ndarray, shape (n_leg,)
        Power drawn more as the anchor's dispatch is taken back and the demand is what it is [VA].
    by_real, by_reactive : csr_matrix, shape (n_leg, n_resource)
        Power drawn for each unit that a resource gives [VA].
    """

    ends: sp.csr_matrix
    across: ComplexArray
    power: ComplexArray
    follow: ComplexArray
    asked: ComplexArray
    by_real: sp.csr_matrix
    by_reactive: sp.csr_matrix


def differentiate(network: Network, state: AcState, demand: ComplexArray, ratio: FloatArray) -> Sensitivity:
    """Differentiate Kirchhoff's current law at an AC state.

    Parameters
    ----------
    network : Network
        The circuit.
    state : AcState
        The AC state.
    demand : ndarray, shape (n_load,)
        Nominal demand of the interval before curtailment [kVA].
    ratio : ndarray, shape (n_resource,)
        Reactive power that goes with each kW of a resource.
    """
    legs = _legs_at(network, state, demand)
    volts = state.voltage * network.base_v
    safe = np.where(legs.across != 0, legs.across, np.inf)
    out_of_node = legs.ends.T @ sp.diags(np.conj(1 / safe))
    drawn = sp.hstack([legs.by_real + legs.by_reactive @ sp.diags(ratio), legs.by_reactive]).tocsr()
    given = out_of_node @ drawn.conj()
    asked = out_of_node @ np.conj(legs.asked)
    served = legs.ends.T @ (legs.follow.real * np.conj(legs.across))
    head = _head_gradients(network, volts)
    running = _running(network, state, demand)
    free = running.imag - ratio * running.real
    return Sensitivity(
        factors=sla.splu(_jacobian(network, state, legs)),
        given=-sp.vstack([given.real, given.imag]).tocsr(),
        asked=-np.concatenate([asked.real, asked.imag]),
        head=head,
        losses=head[:, 0] - served,
        losses_by_power=-np.asarray(drawn.real.sum(axis=0)).ravel() / 1e3,
        running=np.concatenate([running.real, free]) / POWER_UNIT,
    )


def point_incidence(network: Network) -> sp.csr_matrix:
    """Voltages that limits hold for over node voltages, shape (n_point, n_node)."""
    index, points = network.node_index, network.voltage_points
    entries = [(k, index[node_id(p.bus, p.phase)], 1.0) for k, p in enumerate(points)]
    entries += [(k, index[node_id(p.bus, p.other)], -1.0) for k, p in enumerate(points) if p.other != GROUND]
    row, column, value = zip(*entries, strict=True) if entries else ((), (), ())
    return sp.csr_matrix((value, (row, column)), shape=(len(points), len(index)))


def _legs_at(network: Network, state: AcState, demand: ComplexArray) -> _Legs:
    load, injected = load_terminals(network), injection_terminals(network)
    kinds = (load, injected, machine_terminals(network))
    node, other, share = (np.concatenate([getattr(k, a) for k in kinds]) for a in ("node", "other", "share"))
    n, n_load, n_node = len(node), len(load.node), len(network.node_ids)
    at = np.tile(np.arange(n), 2), np.concatenate([node, other])
    ends = sp.csr_matrix((np.repeat([1.0, -1.0], n), at), shape=(n, n_node + 1))[:, :n_node]
    across = ends @ (state.voltage * network.base_v)
    m = np.abs(across[:n_load]) / load.nominal_v
    factor, slope = load.factors(m), load.slopes(m)

    def served(values: ComplexArray, f: tuple[FloatArray, FloatArray]) -> ComplexArray:
        nominal = 1e3 * load.power(values)
        return np.asarray(nominal.real * f[0] + 1j * nominal.imag * f[1])

    given = 1e3 * injected.power(state.injection)
    follow = np.zeros(n, dtype=np.complex128)
    follow[:n_load] = served(state.demand, slope) * m / np.maximum(np.abs(across[:n_load]), 1.0) ** 2
    still = np.zeros(len(kinds[2].node))
    by_real, by_reactive = _by_resource(network, (share * VA)[: n_load + len(given)], factor, n)
    return _Legs(
        ends=ends,
        across=across,
        power=np.concatenate([served(state.demand, factor), -given, -1e3 * kinds[2].power(state.machine)]),
        follow=follow,
        asked=np.concatenate([served(demand - state.demand, factor), given, still]),
        by_real=by_real,
        by_reactive=by_reactive,
    )


def _by_resource(
    network: Network, size: FloatArray, factor: tuple[FloatArray, FloatArray], n_leg: int
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Power drawn on each leg for each unit of real and of reactive power: less, so negative."""
    load, injected = load_terminals(network), injection_terminals(network)
    position = {name: k for k, name in enumerate(network.load_ids)}
    owners = [(position[r.load], k) for k, r in enumerate(network.resources) if curtails(r)]
    pairs = [(int(leg), k) for owner, k in owners for leg in np.flatnonzero(load.owner == owner)]
    pairs += [(len(load.node) + k, owner) for k, owner in enumerate(injected.owner.tolist())]
    leg, resource = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    ones = np.ones(len(injected.node))
    shape = (n_leg, len(network.resources))
    real, reactive = (-(size * np.concatenate([f, ones]))[leg] for f in factor)
    return sp.csr_matrix((real, (leg, resource)), shape=shape), sp.csr_matrix(
        (1j * reactive, (leg, resource)), shape=shape
    )


def _jacobian(network: Network, state: AcState, legs: _Legs) -> sp.csc_matrix:
    """J: changes of the currents out of every node, over changes of the real and imaginary voltages."""
    there = legs.across != 0
    across = np.where(there, legs.across, 1.0)
    fixed, follow = legs.power / across**2 * there, legs.follow / across * there
    by_real = np.conj(follow * across.real - fixed)
    by_imag = np.conj(follow * across.imag - 1j * fixed)
    y = nodal_admittance(network, state.admittance)
    real, imag = (legs.ends.T @ sp.diags(part) @ legs.ends for part in (by_real, by_imag))
    blocks = [[y.real + real.real, -y.imag + imag.real], [y.imag + real.imag, y.real + imag.imag]]
    return sp.bmat(blocks).tocsc()


def _head_gradients(network: Network, volts: ComplexArray) -> ComplexArray:
    """Differentiate ``S = V conj(Y (E - V))`` of all sources, real and reactive, shape (n_node, 2)."""
    gradient, start = np.zeros((len(volts), 2), dtype=np.complex128), 0
    for source in network.sources:
        at = network.head_node[start : start + len(source.terminal.phases)]
        y = source.admittance_s
        current = y @ (source.voltage_v - volts[at])
        behind = y.T @ np.conj(volts[at])
        gradient[at, 0] += np.conj(current) - behind
        gradient[at, 1] += -1j * (np.conj(current) + behind)
        start += len(at)
    return gradient


def _running(network: Network, state: AcState, demand: ComplexArray) -> ComplexArray:
    """Sum up what every resource gives at the state [kVA]."""
    spared = dict(zip(network.load_ids, demand - state.demand, strict=True))
    given = [
        spared[r.load] if curtails(r) else power
        for r, power in zip(network.resources, state.injection, strict=True)
    ]
    return np.array(given, dtype=np.complex128)
