"""The OpenDSS commands that build a `Network` (text only; the engine is called elsewhere)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from feeders.network import TAP_STEP, Branch, Capacitor, Load, Network, Regulator, Resource
from feeders.terminals import INJECTED_KINDS, LOW_SHARE

SOURCE_OHM: Final = 1e-5
"""Reactance behind the source voltage [ohm]: an ideal source for a feeder of some MW."""

FREQUENCY_HZ: Final = 60.0
REGULATOR_KVA: Final = 5000.0
REGULATOR_PCT: Final = 0.001
"""Reactance of a regulator on `REGULATOR_KVA` [%]: 1e-5 ohm at 2.4 kV; less of it costs digits."""

LOAD_MODEL: Final = {0: 1, 1: 5, 2: 2}
"""OpenDSS load model of each voltage exponent."""

VMAX_PU: Final = 2.0
"""Voltage up to which the load models hold [pu]."""

MAX_ITERATIONS: Final = 100
MAX_CONTROL_ITERATIONS: Final = 200
MAX_TAP_CHANGE: Final = 1
"""Taps that a regulator may move before the power flow is solved again, as real ones do."""


def build_commands(network: Network, *, tolerance: float, automatic: bool) -> list[str]:
    """Write the commands that build the circuit and its voltage bases.

    Parameters
    ----------
    network : Network
        A checked network.
    tolerance : float
        Relative voltage change at which the power flow stops [pu].
    automatic : bool
        Whether regulators get their controls.

    Returns
    -------
    list of str
        One command each.
    """
    kv = {bus.name: bus.kv_base for bus in network.buses}
    branches = {branch.name: branch for branch in network.branches}
    commands = [f"set defaultbasefrequency={FREQUENCY_HZ}", _source(network)]
    commands += [_line(branch) for branch in network.branches if branch.kind != "regulator"]
    for regulator in network.regulators:
        branch = branches[regulator.branch]
        commands.append(_transformer(regulator, branch, kv[branch.from_bus], kv[branch.to_bus]))
        if automatic:
            commands.append(_control(regulator))
    commands += [_capacitor(capacitor, kv[capacitor.bus]) for capacitor in network.capacitors]
    commands += [_load(load, kv[load.bus], network.load_vmin_pu) for load in network.loads]
    commands += [line for resource in network.resources for line in _injections(resource, kv[resource.bus])]
    bases = sorted({round(value * math.sqrt(3.0), 9) for value in kv.values()})
    return [
        *commands,
        f"set voltagebases={_vector(bases)}",
        "calcvoltagebases",
        f"set mode=snap tolerance={tolerance!r} maxiterations={MAX_ITERATIONS}",
        f"set maxcontroliter={MAX_CONTROL_ITERATIONS}",
    ]


def _vector(values: Iterable[float | str]) -> str:
    """Write a bracketed list."""
    return "[" + " ".join(str(value) for value in values) + "]"


def _nodes(bus: str, phases: Sequence[int]) -> str:
    """Write a bus with the phases used."""
    return ".".join([bus, *(str(phase) for phase in phases)])


def _matrix(rows: Sequence[Sequence[float]], factor: float = 1.0) -> str:
    """Write a full matrix."""
    return "[" + " | ".join(" ".join(repr(value * factor) for value in row) for row in rows) + "]"


def _source(network: Network) -> str:
    """Write the circuit with its three-phase source."""
    root = network.buses[0]
    impedance = f"r1=0 x1={SOURCE_OHM} r0=0 x0={SOURCE_OHM}"
    kv = root.kv_base * math.sqrt(3.0)
    return (
        f"new circuit.{network.name} bus1={root.name}.1.2.3 phases=3 basekv={kv!r} "
        f"pu={network.source_voltage_pu!r} angle=0 {impedance}"
    )


def _line(branch: Branch) -> str:
    """Write a line or closed switch with its full matrices."""
    nanofarad_per_microsiemens = 1e3 / (2.0 * math.pi * FREQUENCY_HZ)
    bus1, bus2 = (_nodes(bus, branch.phases) for bus in (branch.from_bus, branch.to_bus))
    return (
        f"new line.{branch.name} phases={len(branch.phases)} bus1={bus1} bus2={bus2} length=1 units=none "
        f"rmatrix={_matrix(branch.resistance_ohm)} xmatrix={_matrix(branch.reactance_ohm)} "
        f"cmatrix={_matrix(branch.susceptance_us, nanofarad_per_microsiemens)} normamps={branch.rating_a!r}"
    )


def _transformer(regulator: Regulator, branch: Branch, kv_from: float, kv_to: float) -> str:
    """Write a regulator's phases as one wye-wye transformer, so that they move together."""
    n = len(regulator.phases)
    scale = 1.0 if n == 1 else math.sqrt(3.0)
    buses = _vector([_nodes(bus, regulator.phases) for bus in (branch.from_bus, branch.to_bus)])
    kva = _vector([REGULATOR_KVA * n] * 2)
    tap = 1.0 + TAP_STEP * regulator.tap
    return (
        f"new transformer.{regulator.name} phases={n} windings=2 buses={buses} conns=[wye wye] "
        f"kvs={_vector([repr(kv_from * scale), repr(kv_to * scale)])} kvas={kva} xhl={REGULATOR_PCT} "
        f"%rs=[0 0] ppm_antifloat=0 wdg=2 numtaps=32 mintap=0.9 maxtap=1.1 tap={tap!r}"
    )


def _control(regulator: Regulator) -> str:
    """Write the control of a regulator, with its line-drop compensator."""
    return (
        f"new regcontrol.{regulator.name} transformer={regulator.name} winding=2 "
        f"ptphase={regulator.phases.index(regulator.monitored_phase) + 1} vreg={regulator.voltage_level_v!r} "
        f"band={regulator.band_v!r} ptratio={regulator.pt_ratio!r} ctprim={regulator.ct_primary_a!r} "
        f"r={regulator.ldc_r_v!r} x={regulator.ldc_x_v!r} maxtapchange={MAX_TAP_CHANGE}"
    )


def _capacitor(capacitor: Capacitor, kv: float) -> str:
    """Write one phase of a capacitor."""
    return (
        f"new capacitor.{capacitor.name} phases=1 bus1={capacitor.bus}.{capacitor.phase} kv={kv!r} "
        f"kvar={capacitor.kvar!r}"
    )


def _load(load: Load, kv: float, vmin_pu: float) -> str:
    """Write a load, line to neutral or line to line."""
    connection, volts = ("delta", kv * math.sqrt(3.0)) if len(load.phases) == 2 else ("wye", kv)
    low = LOW_SHARE * vmin_pu
    return (
        f"new load.{load.name} phases=1 bus1={_nodes(load.bus, load.phases)} conn={connection} kv={volts!r} "
        f"kw={load.kw!r} kvar={load.kvar!r} model={LOAD_MODEL[load.exponent]} "
        f"vminpu={vmin_pu!r} vlowpu={low!r} vmaxpu={VMAX_PU}"
    )


def _injections(resource: Resource, kv: float) -> list[str]:
    """Write a resource that injects as constant power, one element per phase; no power yet."""
    if resource.kind not in INJECTED_KINDS:
        return []
    return [
        f"new load.injection_{resource.name}_{phase} phases=1 bus1={resource.bus}.{phase} conn=wye kv={kv!r} "
        f"kw=0 kvar=0 model=1 vminpu=0 vlowpu=0 vmaxpu=10"
        for phase in resource.phases
    ]
