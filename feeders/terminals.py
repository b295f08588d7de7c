"""Where loads, resources and machines meet the network, leg by leg, and what loads draw at any voltage.

A leg lies between two nodes of a bus; what it belongs to shares its power equally over its legs. The voltage
dependence is OpenDSS' own, in all of its ranges: nominal impedance below `vlow_pu`, a current that rises in a
straight line up to `vmin_pu`, the load's model up to `vmax_pu`, an impedance above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Legs, Load, Network, node_id

INJECTED_KINDS: Final = ("generator", "storage")
"""Kinds of resource that inject power; a flexible load acts through its load's demand."""

CUTOFF_STEEPNESS: Final = 500.0
"""How sharply a load of model 8 drops out around its cut-off voltage [1/pu]."""

REAL, REACTIVE = 0, 1


class _Connected(Protocol):
    @property
    def bus(self) -> str: ...

    @property
    def legs(self) -> Legs: ...


@dataclass(frozen=True)
class Terminals:
    """The legs of loads, resources or machines, in their order; all arrays have shape (n_leg,).

    Attributes
    ----------
    owner : ndarray of int
        Position of the load, resource or machine that the leg belongs to.
    node, other : ndarray of int
        Nodes that it lies between; `other` is the number of nodes where that is ground.
    share : ndarray
        Its share of the owner's power.
    """

    owner: IntArray
    node: IntArray
    other: IntArray
    share: FloatArray

    def power(self, values: ComplexArray) -> ComplexArray:
        """Return the power of every leg, shape (n_leg,), given that of every owner [kVA]."""
        return np.asarray(values[self.owner] * self.share)


@dataclass(frozen=True)
class LoadTerminals(Terminals):
    """The legs of all loads and how they follow voltage.

    The first axis of `constant_z`, `constant_i`, `rest` and `exponent` tells real from reactive power: above
    `vmin_pu` the factor on nominal power is ``z m**2 + i m + rest m**exponent`` at a voltage of m.

    Attributes
    ----------
    n_owner : int
        Number of loads.
    nominal_v : ndarray, shape (n_leg,)
        Nominal voltage across the leg [V].
    scale : ndarray, shape (n_leg,)
        Base voltage of its bus over `nominal_v`.
    constant_z, constant_i, rest, exponent : ndarray, shape (2, n_leg)
        Share of constant impedance, share of constant current, what is left, and the exponent of that.
    vmin_pu, vlow_pu, vmax_pu : ndarray, shape (n_leg,)
        Ends of the ranges [pu of `nominal_v`].
    cutoff_pu : ndarray, shape (n_leg,)
        Voltage around which the load drops out [pu]; 0 for none.
    """

    n_owner: int
    nominal_v: FloatArray
    scale: FloatArray
    constant_z: FloatArray
    constant_i: FloatArray
    rest: FloatArray
    exponent: FloatArray
    vmin_pu: FloatArray
    vlow_pu: FloatArray
    vmax_pu: FloatArray
    cutoff_pu: FloatArray

    def across(self, voltage: ComplexArray) -> ComplexArray:
        """Return the voltage across every leg, shape (n_leg,) [pu of its own nominal voltage].

        Parameters
        ----------
        voltage : ndarray, shape (n_node,)
            Voltage of every node to ground [pu of `Network.base_v`].
        """
        grounded = np.append(voltage, 0.0)
        return np.asarray((grounded[self.node] - grounded[self.other]) * self.scale)

    def factors(self, magnitude: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return served over nominal power, real and reactive, each of shape (n_leg,).

        Parameters
        ----------
        magnitude : ndarray, shape (n_leg,)
            Voltage magnitude across every leg [pu of its nominal voltage].
        """
        usual = self._is_usual(magnitude)
        factor = self._modelled(magnitude, usual=usual)
        if self._drops:
            factor = self._drop_out(magnitude)[0] * factor
        if not usual:
            factor = np.where(magnitude <= self.vlow_pu, magnitude**2, factor)
        return factor[REAL], factor[REACTIVE]

    def slopes(self, magnitude: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of both `factors` by voltage magnitude, each of shape (n_leg,) [1/pu].

        Parameters
        ----------
        magnitude : ndarray, shape (n_leg,)
            Voltage magnitude across every leg [pu of its nominal voltage].
        """
        usual = self._is_usual(magnitude)
        slope = self._modelled_slope(magnitude, usual=usual)
        if self._drops:
            drop, steep = self._drop_out(magnitude)
            slope = drop * slope + steep * self._modelled(magnitude, usual=usual)
        if not usual:
            slope = np.where(magnitude <= self.vlow_pu, 2.0 * magnitude, slope)
        return slope[REAL], slope[REACTIVE]

    def served(self, demand: ComplexArray, voltage: ComplexArray) -> ComplexArray:
        """Return the power drawn by every load, all of its legs together, shape (n_load,) [kVA].

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Power at nominal voltage [kVA].
        voltage : ndarray, shape (n_node,)
            Voltage of every node to ground [pu of `Network.base_v`].
        """
        real, reactive = self.factors(np.abs(self.across(voltage)))
        nominal = self.power(demand)
        kw = np.bincount(self.owner, weights=nominal.real * real, minlength=self.n_owner)
        kvar = np.bincount(self.owner, weights=nominal.imag * reactive, minlength=self.n_owner)
        return np.asarray(kw + 1j * kvar)

    def _modelled(self, m: FloatArray, *, usual: bool) -> FloatArray:
        """Factors above `vlow_pu`, without the cut-off, of both parts, before the axes of `m`."""
        z, i, rest, exponent = self._model(m)
        modelled = z * m**2 + i * m + rest * (m if usual else self._inside(m)) ** exponent
        if usual:
            return modelled
        above = self._above
        rise_i, rise_rest = self._rises
        low, bent = self.vlow_pu, m - self.vlow_pu
        interpolated = z * m**2 + i * m * (low + rise_i * bent) + rest * m * (low + rise_rest * bent)
        impedance = (z + i / above + rest / above**2) * m**2
        return self._by_range(m, interpolated, impedance, modelled)

    def _modelled_slope(self, m: FloatArray, *, usual: bool) -> FloatArray:
        """Return the derivatives of `_modelled`, of both parts, before the axes of `m` [1/pu]."""
        z, i, rest, exponent = self._model(m)
        power = (m if usual else self._inside(m)) ** (exponent - 1.0)
        modelled = 2.0 * z * m + i + rest * exponent * power
        if usual:
            return modelled
        above = self._above
        rise_i, rise_rest = self._rises
        low, bent = self.vlow_pu, 2.0 * m - self.vlow_pu
        interpolated = 2.0 * z * m + i * (low + rise_i * bent) + rest * (low + rise_rest * bent)
        impedance = 2.0 * (z + i / above + rest / above**2) * m
        return self._by_range(m, interpolated, impedance, modelled)

    def _model(self, m: FloatArray) -> tuple[FloatArray, ...]:
        """Coefficients of both parts, with as many axes behind as magnitudes have."""
        shape = 2, *(1 for _ in m.shape[1:]), m.shape[-1]
        shares = self.constant_z, self.constant_i, self.rest, self.exponent
        return tuple(share.reshape(shape) for share in shares)

    @cached_property
    def _floor(self) -> FloatArray:
        """Voltage above which the model of a load may hold [pu]."""
        return np.maximum(self.vmin_pu, self.vlow_pu)

    @cached_property
    def _above(self) -> FloatArray:
        """Voltage that fixes the impedance above `vmax_pu`: nominal where that is 0, as in OpenDSS."""
        return np.where(self.vmax_pu == 0.0, 1.0, self.vmax_pu)

    def _inside(self, m: FloatArray) -> FloatArray:
        """Magnitudes with a harmless 1 wherever the exponent does not hold."""
        return np.where(m > self._floor, m, 1.0)

    @cached_property
    def _rises(self) -> tuple[FloatArray, FloatArray]:
        """How current rises from `vlow_pu` to `vmin_pu`, for constant current and for the rest [1/pu]."""
        width = self.vmin_pu - self.vlow_pu
        width = np.where(width > 0.0, width, np.inf)
        at_vmin = 1.0 / np.where(self.vmin_pu > 0.0, self.vmin_pu, 1.0)
        return (1.0 - self.vlow_pu) / width, (at_vmin - self.vlow_pu) / width

    def _is_usual(self, m: FloatArray) -> bool:
        """Whether every voltage lies where the model of its load holds."""
        return bool(np.all((m > self._floor) & (m <= self.vmax_pu)))

    def _by_range(
        self, m: FloatArray, interpolated: FloatArray, impedance: FloatArray, modelled: FloatArray
    ) -> FloatArray:
        return np.where(m <= self.vmin_pu, interpolated, np.where(m > self.vmax_pu, impedance, modelled))

    @cached_property
    def _drops(self) -> bool:
        """Whether any load drops out."""
        return bool(self.cutoff_pu.any())

    def _drop_out(self, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Factor of the cut-off around `cutoff_pu`, and its derivative [1/pu]."""
        has = self.cutoff_pu > 0.0
        bend = np.tanh(CUTOFF_STEEPNESS * (m - self.cutoff_pu))
        steep = 0.5 * CUTOFF_STEEPNESS * (1.0 - bend**2)
        return np.where(has, 0.5 * (1.0 + bend), 1.0), np.where(has, steep, 0.0)


def load_terminals(network: Network) -> LoadTerminals:
    """Lay out the legs of every load of a checked network."""
    legs = _legs(network, network.loads)
    loads = [network.loads[k] for k in legs.owner]
    coefficients = np.array([_coefficients(load) for load in loads], dtype=np.float64).reshape(-1, 4, 2)
    z, i, rest, exponent = coefficients.transpose(1, 2, 0)
    nominal = _column([1e3 * load.kv_base for load in loads])
    return LoadTerminals(
        owner=legs.owner,
        node=legs.node,
        other=legs.other,
        share=legs.share,
        n_owner=len(network.loads),
        nominal_v=nominal,
        scale=network.base_v[legs.node] / nominal,
        constant_z=z,
        constant_i=i,
        rest=rest,
        exponent=exponent,
        vmin_pu=_column([load.vmin_pu for load in loads]),
        vlow_pu=_column([load.vlow_pu for load in loads]),
        vmax_pu=_column([load.vmax_pu for load in loads]),
        cutoff_pu=_column([load.zipv[6] if load.model == 8 else 0.0 for load in loads]),
    )


def injection_terminals(network: Network) -> Terminals:
    """Lay out the legs of every resource that injects power; flexible loads have none."""
    return _legs(network, network.resources, [r.kind in INJECTED_KINDS for r in network.resources])


def machine_terminals(network: Network) -> Terminals:
    """Lay out the legs of every machine."""
    return _legs(network, network.machines)


def _column(values: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _legs(network: Network, owners: Sequence[_Connected], wanted: Sequence[bool] | None = None) -> Terminals:
    """Legs of those owners that are wanted; of all without a word on it."""
    index, ground = network.node_index, len(network.node_ids)
    rows = [
        (k, *(index[node_id(owner.bus, end)] if end else ground for end in leg), 1.0 / len(owner.legs))
        for k, owner in enumerate(owners)
        if wanted is None or wanted[k]
        for leg in owner.legs
    ]
    owner, node, other, share = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Terminals(
        owner=np.array(owner, dtype=np.int64),
        node=np.array(node, dtype=np.int64),
        other=np.array(other, dtype=np.int64),
        share=np.array(share, dtype=np.float64),
    )


def _coefficients(load: Load) -> tuple[tuple[float, float], ...]:
    """Constant impedance, constant current, rest and its exponent; each of real and of reactive power."""
    none, full = (0.0, 0.0), (1.0, 1.0)
    if load.model == 8:
        z_real, i_real, p_real, z_reactive, i_reactive, p_reactive, _ = load.zipv
        return (z_real, z_reactive), (i_real, i_reactive), (p_real, p_reactive), none
    if load.model == 2:
        return full, none, none, none
    if load.model == 5:
        return none, full, none, none
    exponents = {1: (0.0, 0.0), 3: (0.0, 2.0), 4: load.cvr}[load.model]
    return none, none, full, exponents
