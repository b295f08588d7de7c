"""Loads, machines, sources and controls of a compiled circuit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from feeders.errors import InputError
from feeders.network import (
    CapacitorBank,
    ComplexArray,
    Legs,
    Load,
    Machine,
    Regulator,
    Source,
    Terminal,
)
from feeders.opendss.case import Finding, LoadShape, Plant
from feeders.opendss.elements import bus_of, primitive, rows

LOAD_MODELS: Final = (1, 2, 3, 4, 5, 8)
"""Load models that the market follows."""

PLANTS: Final = ("generator", "pvsystem", "storage")
"""Classes of elements that a resource may drive."""

IDLE: Final = ("monitor", "energymeter", "sensor")
"""Classes that only look."""

SWITCHING: Final = ("swtcontrol", "fuse", "relay", "recloser")
"""Controls that open and close what they watch."""

ACTING: Final = (*SWITCHING, "regcontrol", "capcontrol", "invcontrol", "storagecontroller", "gendispatcher")
"""Controls of any kind."""


def connection(active: Any) -> str:
    """Connection of the active element, ``wye`` or ``delta``."""
    text = str(active.Properties("conn").Val).strip().lower()
    return "delta" if text.startswith(("d", "ll")) else "wye"


def legs_of(active: Any) -> Legs:
    """Node pairs between which the active element draws or injects, equal power each."""
    order, phases = [int(node) for node in active.NodeOrder], int(active.NumPhases)
    if connection(active) == "wye":
        neutral = order[phases] if len(order) > phases else 0
        return tuple((node, neutral) for node in order[:phases])
    if phases == 1:
        return ((order[0], order[1]),)
    if phases == 2:
        return ((order[0], order[1]), (order[1], order[2]))
    return tuple((order[k], order[(k + 1) % phases]) for k in range(phases))


def read_loads(circuit: Any, findings: list[Finding]) -> Iterator[Load]:
    """Yield every load in service.

    Parameters
    ----------
    circuit : dss.ICircuit
        A solved circuit.
    findings : list of Finding
        Gets a line for each load that cannot be followed exactly.
    """
    loads, factor = circuit.Loads, float(circuit.Solution.LoadMult)
    for name in loads.AllNames if loads.Count else ():
        loads.Name = name
        active = circuit.ActiveCktElement
        if not active.Enabled:
            continue
        legs = legs_of(active)
        model = int(loads.Model)
        if model not in LOAD_MODELS:
            findings.append(
                Finding(f"load.{name}", "frozen", f"load model {model} is followed as constant power")
            )
        wye_of_several = connection(active) == "wye" and int(active.NumPhases) > 1
        scale = factor if str(active.Properties("status").Val).lower().startswith("v") else 1.0
        yield Load(
            name=name.lower(),
            bus=bus_of(active.BusNames[0]),
            legs=legs,
            kw=float(loads.kW) * scale,
            kvar=float(loads.kvar) * scale,
            kv_base=float(loads.kV) / (math.sqrt(3.0) if wye_of_several else 1.0),
            model=model if model in LOAD_MODELS else 1,  # type: ignore[arg-type]
            vmin_pu=float(loads.Vminpu),
            vlow_pu=float(active.Properties("vlowpu").Val),
            vmax_pu=float(loads.Vmaxpu),
            cvr=(float(loads.CVRwatts), float(loads.CVRvars)),
            zipv=tuple(np.asarray(loads.ZIPV, dtype=float).tolist()) if model == 8 else (),
        )


def read_shapes(circuit: Any) -> tuple[dict[str, LoadShape], dict[str, str]]:
    """Load shapes that loads follow, and which load follows which."""
    follows: dict[str, str] = {}
    loads, shapes = circuit.Loads, circuit.LoadShapes
    for name in loads.AllNames if loads.Count else ():
        loads.Name = name
        shape = (loads.daily or loads.Yearly or loads.duty or "").lower()
        if shape:
            follows[name.lower()] = shape
    return {name: _shape(shapes, name) for name in dict.fromkeys(follows.values())}, follows


def _shape(shapes: Any, name: str) -> LoadShape:
    shapes.Name = name
    real = tuple(np.asarray(shapes.Pmult, dtype=float).tolist())
    reactive = tuple(np.asarray(shapes.Qmult, dtype=float).tolist())
    step = float(shapes.HrInterval) or float(shapes.SInterval) / 3600.0 or 1.0
    return LoadShape(step, real, reactive if len(reactive) == len(real) else real)


def read_plants(circuit: Any) -> Iterator[tuple[Machine, Plant | None]]:
    """Yield everything else that injects or draws power, with its ratings where a resource may drive it."""
    for name in circuit.AllElementNames:
        kind = name.split(".", 1)[0].lower()
        circuit.SetActiveElement(name)
        active = circuit.ActiveCktElement
        if kind in ("load", "vsource", *IDLE, *ACTING) or not active.Enabled or _is_passive(kind):
            continue
        bus, legs = bus_of(active.BusNames[0]), legs_of(active)
        machine = Machine(name.lower(), bus, legs)
        yield machine, _plant(active, kind, machine) if kind in PLANTS else None


def _is_passive(kind: str) -> bool:
    return kind in ("line", "transformer", "autotrans", "capacitor", "reactor")


def _plant(active: Any, kind: str, machine: Machine) -> Plant:
    """Ratings of a generator, PV system or storage."""

    def number(name: str) -> float:
        return float(active.Properties(name).Val)

    if kind == "generator":
        kw = number("kw")
        kva = max(number("kva"), kw)
    elif kind == "pvsystem":
        kva = number("kva")
        kw = min(number("pmpp"), kva)
    else:
        kw = number("kwrated")
        kva = max(number("kva"), kw)
    return Plant(machine.name, machine.bus, machine.legs, kw, kva)


def read_sources(circuit: Any, voltage: ComplexArray, names: dict[str, int]) -> Iterator[Source]:
    """Yield every voltage source with its impedance.

    Parameters
    ----------
    circuit : dss.ICircuit
        A solved circuit.
    voltage : ndarray, shape (n_node,)
        Solved voltages [V].
    names : dict
        Position of each ``bus.node`` in `voltage`.

    Raises
    ------
    InputError
        When a source stands between two buses.
    """
    for name in circuit.AllElementNames:
        if not name.lower().startswith("vsource."):
            continue
        circuit.SetActiveElement(name)
        active = circuit.ActiveCktElement
        if not active.Enabled:
            continue
        n, order = int(active.NumConductors), [int(node) for node in active.NodeOrder]
        if any(order[n:]):
            raise InputError(
                "the source stands between two buses", where=name, expected="a source with a grounded bus2"
            )
        bus = bus_of(active.BusNames[0])
        live = [k for k in range(n) if order[k]]
        admittance = primitive(active)[np.ix_(live, live)]
        volt = np.array([voltage[names[f"{bus}.{order[k]}"]] for k in live])
        current = np.asarray(active.Currents).view(np.complex128)[live]
        # The current into the source is that of its impedance at the terminal less that of the ideal source.
        behind = np.linalg.solve(admittance, admittance @ volt - current)
        conductance, susceptance = rows(admittance)
        yield Source(
            name=name.lower(),
            terminal=Terminal(bus, tuple(order[k] for k in live)),
            voltage_real_v=tuple(behind.real.tolist()),
            voltage_imag_v=tuple(behind.imag.tolist()),
            conductance_s=conductance,
            susceptance_s=susceptance,
        )


def read_regulators(circuit: Any) -> Iterator[Regulator]:
    """Yield every tap changer under control."""
    controls, transformers = circuit.RegControls, circuit.Transformers
    for name in controls.AllNames if controls.Count else ():
        controls.Name = name
        if not circuit.ActiveCktElement.Enabled:
            continue
        element, winding = controls.Transformer, int(controls.TapWinding)
        transformers.Name = element
        transformers.Wdg = winding
        low, high = float(transformers.MinTap), float(transformers.MaxTap)
        step = (high - low) / max(int(transformers.NumTaps), 1)
        yield Regulator(
            name=name.lower(),
            element=f"transformer.{element.lower()}",
            winding=winding,
            step_pu=step,
            tap_min=round((low - 1.0) / step),
            tap_max=round((high - 1.0) / step),
            tap=round((float(transformers.Tap) - 1.0) / step),
        )


def read_capacitor_banks(circuit: Any) -> Iterator[CapacitorBank]:
    """Yield every capacitor under control."""
    controls = circuit.CapControls
    for name in controls.AllNames if controls.Count else ():
        controls.Name = name
        if not circuit.ActiveCktElement.Enabled:
            continue
        element = controls.Capacitor
        circuit.Capacitors.Name = element
        states = [int(state) for state in circuit.Capacitors.States]
        yield CapacitorBank(name.lower(), f"capacitor.{element.lower()}", len(states), sum(states))


def switched_elements(circuit: Any) -> frozenset[str]:
    """Elements that a switching control may open, ``class.name``."""
    found = set()
    for name in circuit.AllElementNames:
        if name.split(".", 1)[0].lower() in SWITCHING:
            circuit.SetActiveElement(name)
            active = circuit.ActiveCktElement
            property_name = "switchedobj"
            target = str(active.Properties(property_name).Val).strip().lower()
            found.add(target)
    return frozenset(found - {""})
