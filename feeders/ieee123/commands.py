"""The OpenDSS commands that build the IEEE 123-node test feeder from its tables (text only)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from dlmp_cosim.feeders.ieee123.records import Section, ShuntCapacitor, SpotLoad, StepDown, Tables, TapChanger
from dlmp_cosim.feeders.network import FloatArray

LINE_KV: Final = 4.16
"""Nominal voltage between phases [kV]."""

NEUTRAL_KV: Final = LINE_KV / math.sqrt(3.0)
"""Nominal voltage to neutral [kV]."""

SOURCE_OHM: Final = 1e-5
"""Reactance behind the source voltage [ohm]: an ideal source for a feeder of some MW."""

FREQUENCY_HZ: Final = 60.0
REGULATOR_KVA: Final = 5000.0
REGULATOR_PCT: Final = 0.001
"""Reactance of a regulator on `REGULATOR_KVA` a phase [%]: 1e-5 ohm at 2.4 kV; less of it costs digits."""

TAP_STEP: Final = 0.00625
"""Voltage ratio of one regulator tap [pu]: 32 steps over +-10 %."""

VMIN_PU, VLOW_PU, VMAX_PU = 0.7, 0.49, 2.0
"""Range in which the load models hold, and the voltage below which a load is its nominal impedance [pu]."""

MAX_ITERATIONS: Final = 100
MAX_CONTROL_ITERATIONS: Final = 200
MAX_TAP_CHANGE: Final = 1
"""Taps that a regulator may move before the power flow is solved again, as real ones do."""


def commands(tables: Tables) -> tuple[str, ...]:
    """Write the commands that build the circuit, its controls, voltage bases and coordinates."""
    kv = sorted({LINE_KV, *(volts for item in tables.step_downs for volts in item.kv)})
    return (
        f"set defaultbasefrequency={FREQUENCY_HZ}",
        _source(next(iter(tables.phases))),
        *(_line(section) for section in tables.sections),
        *(text for item in tables.tap_changers for text in (_regulator(item), _control(item))),
        *(_step_down(item) for item in tables.step_downs),
        *(_capacitor(capacitor) for capacitor in tables.capacitors),
        *(_load(load) for load in tables.loads),
        f"set voltagebases={_vector(kv)}",
        "calcvoltagebases",
        *(
            f"setbusxy bus={bus} x={tables.places[bus][0]!r} y={tables.places[bus][1]!r}"
            for bus in tables.phases
            if bus in tables.places
        ),
        f"set mode=snap maxiterations={MAX_ITERATIONS} maxcontroliter={MAX_CONTROL_ITERATIONS}",
    )


def _vector(values: Iterable[float | str]) -> str:
    """Write a bracketed list."""
    return "[" + " ".join(str(value) for value in values) + "]"


def _nodes(bus: str, phases: Sequence[int]) -> str:
    """Write a bus with the phases used."""
    return ".".join([bus, *(str(phase) for phase in phases)])


def _matrix(rows: FloatArray) -> str:
    """Write a full matrix."""
    return "[" + " | ".join(" ".join(repr(value) for value in row) for row in rows.tolist()) + "]"


def _source(bus: str) -> str:
    """Write the circuit with its three-phase source."""
    return (
        f"new circuit.ieee123 bus1={bus}.1.2.3 phases=3 basekv={LINE_KV!r} pu=1.0 angle=0 "
        f"r1=0 x1={SOURCE_OHM} r0=0 x0={SOURCE_OHM}"
    )


def _line(section: Section) -> str:
    """Write a line with its full matrices, or a closed switch."""
    bus1, bus2 = (_nodes(bus, section.phases) for bus in (section.from_bus, section.to_bus))
    return (
        f"new line.{section.from_bus}-{section.to_bus} phases={len(section.phases)} bus1={bus1} bus2={bus2} "
        f"{_switch(section) if section.kind == 'switch' else _conductors(section)} "
        f"length=1 units=none normamps={section.rating_a!r}"
    )


def _conductors(section: Section) -> str:
    """Write the matrices of a line."""
    nanofarad = section.susceptance_us * 1e3 / (2.0 * math.pi * FREQUENCY_HZ)
    return (
        f"rmatrix={_matrix(section.resistance_ohm)} xmatrix={_matrix(section.reactance_ohm)} "
        f"cmatrix={_matrix(nanofarad)}"
    )


def _switch(section: Section) -> str:
    """Write the impedance of a switch by its sequences: OpenDSS does not use the matrices of a switch."""
    r, x = float(section.resistance_ohm[0, 0]), float(section.reactance_ohm[0, 0])
    return f"switch=yes r1={r!r} x1={x!r} r0={r!r} x0={x!r} c1=0 c0=0"


def _regulator(item: TapChanger) -> str:
    """Write a regulator's phases as one wye-wye transformer, so that they move together."""
    n = len(item.phases)
    kv = NEUTRAL_KV if n == 1 else LINE_KV
    buses = _vector([_nodes(bus, item.phases) for bus in (item.from_bus, item.to_bus)])
    rated = n * NEUTRAL_KV * item.ct_primary_a
    reactance = REGULATOR_PCT * rated / (REGULATOR_KVA * n)
    return (
        f"new transformer.{item.name} phases={n} windings=2 buses={buses} conns=[wye wye] "
        f"kvs={_vector([kv, kv])} kvas={_vector([rated] * 2)} xhl={reactance!r} %rs=[0 0] "
        f"ppm_antifloat=0 wdg=2 numtaps=32 mintap=0.9 maxtap=1.1 tap={1.0 + TAP_STEP * item.tap!r}"
    )


def _control(item: TapChanger) -> str:
    """Write the control of a regulator, with its line-drop compensator."""
    return (
        f"new regcontrol.{item.name} transformer={item.name} winding=2 "
        f"ptphase={item.phases.index(item.monitored_phase) + 1} vreg={item.voltage_level_v!r} "
        f"band={item.band_v!r} ptratio={item.pt_ratio!r} ctprim={item.ct_primary_a!r} "
        f"r={item.ldc_r_v!r} x={item.ldc_x_v!r} maxtapchange={MAX_TAP_CHANGE}"
    )


def _step_down(item: StepDown) -> str:
    """Write a transformer; half of its resistance is in each winding."""
    buses = _vector([_nodes(bus, (1, 2, 3)) for bus in (item.from_bus, item.to_bus)])
    return (
        f"new transformer.{item.name} phases=3 windings=2 buses={buses} conns={_vector(item.connections)} "
        f"kvs={_vector(item.kv)} kvas={_vector([item.kva] * 2)} xhl={item.x_pct!r} "
        f"%rs={_vector([item.r_pct / 2.0] * 2)}"
    )


def _capacitor(item: ShuntCapacitor) -> str:
    """Write one phase of a capacitor."""
    return (
        f"new capacitor.{item.name} phases=1 bus1={item.bus}.{item.phase} kv={NEUTRAL_KV!r} "
        f"kvar={item.kvar!r}"
    )


def _load(load: SpotLoad) -> str:
    """Write a load, line to neutral or line to line."""
    connection, kv = ("delta", LINE_KV) if len(load.phases) == 2 else ("wye", NEUTRAL_KV)
    return (
        f"new load.{load.name} phases=1 bus1={_nodes(load.bus, load.phases)} conn={connection} kv={kv!r} "
        f"kw={load.kw!r} kvar={load.kvar!r} model={load.model} "
        f"vminpu={VMIN_PU!r} vlowpu={VLOW_PU!r} vmaxpu={VMAX_PU!r}"
    )
