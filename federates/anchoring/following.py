"""How resources follow what is called of them, beside the energy that their market awarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dlmp_cosim.federates.runtime.clock import SECONDS_PER_MINUTE
from dlmp_cosim.federates.study.ancillary import Disruption, head_open, out_of_service
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, Resource
from dlmp_cosim.market.resources import curtails


class Following:
    """Moves set-points towards what is called, no faster than each resource can; what trips gives nothing.

    Parameters
    ----------
    network : Network
        The feeder.
    disruptions : sequence of Disruption
        What trips, and who is slow.
    ramps : mapping of str to float
        How fast resources are, by name [kW/min]; others follow at once.
    period_s : float
        Length of an interval [s].

    Attributes
    ----------
    given : ndarray, shape (n_resource,)
        Power that every resource gives now beside its energy [kW].
    """

    def __init__(
        self,
        network: Network,
        disruptions: Sequence[Disruption],
        ramps: Mapping[str, float],
        period_s: float,
    ) -> None:
        self._network, self._disruptions = network, disruptions
        self._minutes = period_s / SECONDS_PER_MINUTE
        self._ramp = np.array([ramps.get(name, np.inf) for name in network.resource_ids], dtype=np.float64)
        self.given = np.zeros(len(network.resources))

    def known(self, interval: int, dispatch: ComplexArray) -> ComplexArray:
        """Take out of a dispatch what is known to be out of service."""
        return self._without(dispatch, self._out(interval, known=True))

    def head_open(self, interval: int, *, final: bool) -> bool:
        """Tell whether the head is open: in a forecast or trial, as far as that is known."""
        return head_open(self._disruptions, interval, known=not final)

    def realise(
        self, interval: int, dispatch: ComplexArray, called: FloatArray, demand: ComplexArray
    ) -> ComplexArray:
        """Return what resources really do, and note what they give beside their energy.

        Real power goes before reactive: that of an inverter gives way to its rating.

        Parameters
        ----------
        interval : int
            Which interval.
        dispatch : ndarray, shape (n_resource,)
            Energy awarded [kVA].
        called : ndarray, shape (n_resource,)
            Power called beside it [kW].
        demand : ndarray, shape (n_load,)
            Demand at nominal voltage before curtailment [kVA].
        """
        if not (self._disruptions or called.any() or self.given.any()):
            return dispatch
        ramp = self._ramp.copy()
        for item in self._disruptions:
            if item.ramp_kw_per_minute is not None and item.within(interval):
                ramp[self._network.resource_ids.index(item.resource)] = item.ramp_kw_per_minute
        reach = ramp * self._minutes
        wanted = np.clip(called, self.given - reach, self.given + reach)
        low, high = self._limits(demand, dispatch.real)
        power = np.clip(dispatch.real + wanted, low, high)
        moved = np.where(wanted == 0.0, dispatch, power + 1j * self._reactive(dispatch.imag, power))
        out = self._out(interval, known=False)
        real = self._without(moved, out)
        stays = np.array([name not in out for name in self._network.resource_ids], dtype=bool)
        self.given = np.where(stays & (wanted != 0.0), real.real - dispatch.real, 0.0)
        return real

    def _out(self, interval: int, *, known: bool) -> frozenset[str]:
        return out_of_service(self._disruptions, interval, self._network.resource_ids, known=known)

    def _without(self, dispatch: ComplexArray, out: frozenset[str]) -> ComplexArray:
        if not out:
            return dispatch
        there = np.array([name not in out for name in self._network.resource_ids], dtype=bool)
        return np.where(there, dispatch, 0.0 + 0.0j)

    def _limits(self, demand: ComplexArray, energy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Least and most that resources can do; what their energy is already at is no excess."""
        loads = dict(zip(self._network.load_ids, demand.real.tolist(), strict=True))
        spans = np.array([_span(item, loads) for item in self._network.resources]).reshape(-1, 2)
        return np.minimum(spans[:, 0], energy), np.maximum(spans[:, 1], energy)

    def _reactive(self, kvar: FloatArray, kw: FloatArray) -> FloatArray:
        kva = np.array([max(item.kva_max, item.kw_max) for item in self._network.resources])
        room = np.sqrt(np.maximum(kva**2 - kw**2, 0.0))
        free = np.array([not curtails(item) for item in self._network.resources], dtype=bool)
        return np.where(free, np.clip(kvar, -room, room), kvar)


def _span(resource: Resource, loads: Mapping[str, float]) -> tuple[float, float]:
    """Least and most power of one resource [kW]."""
    if curtails(resource):
        return -resource.kw_more, max(loads[resource.load], 0.0)
    return (-resource.kw_max if resource.kind == "storage" else 0.0), resource.kw_max
