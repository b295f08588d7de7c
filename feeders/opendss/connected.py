"""What is connected to a compiled circuit: loads, plants and machines, leg by leg."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.network import GROUND, ComplexArray, Legs, Load, LoadModel, Machine
from dlmp_cosim.feeders.opendss.case import Finding, Plant
from dlmp_cosim.feeders.opendss.conductors import Conductors, admittance_block, elements_of, read_conductors

LOAD_MODELS: Final = (1, 2, 3, 4, 5, 8)
"""Voltage dependences that the market follows; loads of others are machines."""

PLANTS: Final = ("generator", "pvsystem", "storage")
"""Classes that a resource of the market may drive."""

LEGGED: Final = (*PLANTS, "load", "windgen", "indmach012", "generic5")
"""Classes whose conductors lie in wye or delta like those of a load."""

OTHER_MACHINES: Final = ("isource", "vccs", "upfc", "vsconverter", "gicline", "gicsource")
"""Classes that are taken conductor by conductor, to ground."""

RATINGS: Final = {"generator": ("kW", "kVA"), "pvsystem": ("Pmpp", "kVA"), "storage": ("kWrated", "kVA")}
"""Properties with the rated real and apparent power of a plant."""


def legs_of(conductors: Conductors, phases: int, *, is_delta: bool) -> Legs:
    """Node pairs of the legs of an element with one terminal, ground second.

    Parameters
    ----------
    conductors : Conductors
        Of the element.
    phases : int
        Its number of phases.
    is_delta : bool
        Connected between phases.
    """
    nodes = conductors.node
    ends = [(j + 1) % len(nodes) if is_delta else len(nodes) - 1 for j in range(phases)]
    pairs = [(nodes[j], nodes[end]) for j, end in enumerate(ends)]
    return tuple((b, a) if a == GROUND else (a, b) for a, b in pairs)


def read_loads(circuit: Any) -> Iterator[Load | Finding]:
    """Yield every load that the market follows, and a finding for every other."""
    for name, element in elements_of(circuit, ("load",)):
        circuit.Loads.Name = name.split(".", 1)[1]
        conductors = read_conductors(element)
        model = int(circuit.Loads.Model)
        if any(conductors.opened):
            yield Finding(name, "frozen", "one of its conductors is open: constant power as measured")
        elif model not in LOAD_MODELS:
            yield Finding(name, "frozen", f"load model {model}: constant power as measured")
        else:
            yield _load(circuit, element, conductors, model)  # type: ignore[arg-type]


def _load(circuit: Any, element: Any, conductors: Conductors, model: LoadModel) -> Load:
    loads = circuit.Loads
    legs = legs_of(conductors, int(loads.Phases), is_delta=bool(loads.IsDelta))
    empty = next((leg for leg in legs if leg[0] == leg[1]), None)
    if empty is not None:
        raise InputError(
            f"lies between node {empty[0]} and itself",
            where=conductors.name,
            expected="legs between two nodes",
        )
    name = loads.Name
    factor = listed_factor(circuit, name)
    return Load(
        name=name.lower(),
        bus=conductors.buses[0],
        legs=legs,
        kw=float(loads.kW) * factor,
        kvar=float(loads.kvar) * factor,
        kv_base=_leg_kv(loads),
        model=model,
        vmin_pu=float(loads.Vminpu),
        vlow_pu=float(element.Properties("vlowpu").Val),
        vmax_pu=float(loads.Vmaxpu),
        cvr=(float(loads.CVRwatts), float(loads.CVRvars)),
        zipv=tuple(float(value) for value in loads.ZIPV) if model == 8 else (),
    )


def listed_factor(circuit: Any, load: str) -> float:
    """Load multiplier and growth together, as the engine applies them to a load.

    Parameters
    ----------
    circuit : dss.ICircuit
        The circuit.
    load : str
        Name of the load.

    Raises
    ------
    FeederError
        When they leave nothing of it: no set-point could reach it then.
    """
    loads = circuit.Loads
    loads.Name = load
    block = admittance_block(circuit.ActiveCktElement)
    phases, listed = int(loads.Phases), complex(loads.kW, -loads.kvar)
    if not listed:
        return 1.0
    between = -block[0, 1 if loads.IsDelta else -1]
    nominal = between * 1e3 * _leg_kv(loads) ** 2 * phases
    ratio = nominal.real / listed.real if listed.real else nominal.imag / listed.imag
    if not ratio:
        raise FeederError(f"load {load} is multiplied by 0; expected a load multiplier and growth above 0")
    return float(f"{ratio:.12g}")


def _leg_kv(loads: Any) -> float:
    """Nominal voltage across a leg of the active load [kV]."""
    wye_of_several = not loads.IsDelta and int(loads.Phases) in (2, 3)
    return float(loads.kV) / (math.sqrt(3.0) if wye_of_several else 1.0)


def read_plants(circuit: Any) -> Iterator[Plant]:
    """Yield every generator, PV system and storage with its ratings."""
    for name, element in elements_of(circuit, PLANTS):
        kw, kva = (float(element.Properties(key).Val) for key in RATINGS[name.split(".", 1)[0]])
        conductors = read_conductors(element)
        yield Plant(name, conductors.buses[0], _element_legs(element, conductors), abs(kw), max(kva, abs(kw)))


def _element_legs(element: Any, conductors: Conductors) -> Legs:
    phases = int(element.NumPhases)
    is_delta = element.Properties("conn").Val.lower().startswith(("d", "l"))
    return legs_of(conductors, phases, is_delta=is_delta)


def read_machines(circuit: Any, loads: frozenset[str]) -> Iterator[Machine]:
    """Yield what runs on its own, one machine for every leg.

    Legs of one element need not have equal power, under unequal voltages or outside of its model's range.

    Parameters
    ----------
    circuit : dss.ICircuit
        A solved circuit.
    loads : frozenset of str
        Loads that are machines, ``load.name``.
    """
    for name, element in elements_of(circuit, (*LEGGED, *OTHER_MACHINES)):
        if name.startswith("load.") and name not in loads:
            continue
        places = _places(name, element)
        for k, (bus, leg) in enumerate(places, 1):
            label = name if len(places) == 1 else f"{name}.{k}"
            yield Machine(label, bus, (leg,), element=name)


def _places(name: str, element: Any) -> list[tuple[str, tuple[int, int]]]:
    conductors = read_conductors(element)
    if name.split(".", 1)[0] in LEGGED:
        legs = _element_legs(element, conductors)
        return [(conductors.buses[0], leg) for leg in legs]
    return [
        (conductors.buses[end], (node, GROUND))
        for end, node in zip(conductors.end, conductors.node, strict=True)
        if node != GROUND
    ]


def leg_power(name: str, element: Any) -> ComplexArray:
    """Power injected by the active element at every leg, in the order of `read_machines` [kVA].

    Parameters
    ----------
    name : str
        ``class.name`` of the element.
    element : dss.ICktElement
        The active element.
    """
    volts = np.asarray(element.Voltages).view(np.complex128)
    amps = -np.asarray(element.Currents).view(np.complex128)
    if name.split(".", 1)[0] not in LEGGED:
        grounded = np.asarray(element.NodeOrder) == GROUND
        return np.asarray((volts * amps.conj())[~grounded] / 1e3)
    phases, conductors = int(element.NumPhases), len(volts)
    if not element.Properties("conn").Val.lower().startswith(("d", "l")):
        return np.asarray((volts[:phases] - volts[-1]) * amps[:phases].conj() / 1e3)
    ends = (np.arange(phases) + 1) % conductors
    # What circulates in a ring never reaches the circuit: any split that meets the conductors will do.
    along = (amps[:phases] - amps[ends]) / 3.0 if phases == 3 else np.array([amps[0], -amps[-1]])[:phases]
    return np.asarray((volts[:phases] - volts[ends]) * along.conj() / 1e3)
