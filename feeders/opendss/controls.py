"""The controls of a compiled circuit: which elements they change, and the positions of those."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import CapacitorBank, Regulator
from dlmp_cosim.feeders.opendss.case import Finding
from dlmp_cosim.feeders.opendss.conductors import elements_of

SWITCHING: Final = ("swtcontrol", "fuse", "relay", "recloser")
"""Controls that open and close the element that they name."""

INVERTING: Final = ("invcontrol", "expcontrol", "storagecontroller", "gendispatcher", "upfccontrol")
"""Controls that move power, not an admittance."""


def read_regulators(circuit: Any) -> Iterator[Regulator]:
    """Yield the control of every tap changer, with the present position.

    Raises
    ------
    InputError
        When the transformer is disabled, or its winding has no taps.
    """
    for name, _ in elements_of(circuit, ("regcontrol",)):
        control = circuit.RegControls
        control.Name = name.split(".", 1)[1]
        element, winding = _wound(circuit, control.Transformer), int(control.TapWinding)
        where = f"{circuit.Name} {name}"
        if not _enabled(circuit, element):
            # OpenDSS keeps the bus behind it in its matrix, which is singular then.
            raise InputError(
                f"moves {element}, which is disabled", where=where, expected="a control that is disabled too"
            )
        tap, low, high, count = read_winding(circuit, element, winding)
        if not (count > 0 and low < high):
            raise InputError(
                f"moves winding {winding} of {element}, which has no taps",
                where=where,
                expected="numtaps above 0, and mintap below maxtap",
            )
        step = (high - low) / count
        yield Regulator(
            name=name.split(".", 1)[1],
            element=element,
            winding=winding,
            step_pu=step,
            tap_min=round((low - 1.0) / step),
            tap_max=round((high - 1.0) / step),
            tap=round((tap - 1.0) / step),
        )


def _wound(circuit: Any, name: str) -> str:
    """``class.name`` of a transformer that a control names with or without its class."""
    lowered = name.lower()
    if "." in lowered:
        return lowered
    known = {full.lower() for full in circuit.AllElementNames}
    return next(item for item in (f"transformer.{lowered}", f"autotrans.{lowered}") if item in known)


def _enabled(circuit: Any, element: str) -> bool:
    circuit.SetActiveElement(element)
    return bool(circuit.ActiveCktElement.Enabled)


def read_winding(circuit: Any, element: str, winding: int) -> tuple[float, float, float, int]:
    """Read the tap ratio of a winding, its least and greatest [pu], and the number of steps between.

    Parameters
    ----------
    circuit : dss.ICircuit
        The circuit.
    element : str
        Transformer, ``class.name``.
    winding : int
        1 is the first.
    """
    if element.startswith("transformer."):
        transformers = circuit.Transformers
        transformers.Name = element.split(".", 1)[1]
        transformers.Wdg = winding
        return transformers.Tap, transformers.MinTap, transformers.MaxTap, int(transformers.NumTaps)
    circuit.SetActiveElement(element)
    properties = circuit.ActiveCktElement.Properties
    properties("wdg").Val = str(winding)
    low, high, count = (float(properties(key).Val) for key in ("MinTap", "MaxTap", "NumTaps"))
    return float(properties("tap").Val), low, high, int(count)


def write_tap(circuit: Any, element: str, winding: int, ratio: float) -> None:
    """Put a winding on a tap ratio.

    Parameters
    ----------
    circuit : dss.ICircuit
        The circuit.
    element : str
        Transformer, ``class.name``.
    winding : int
        1 is the first.
    ratio : float
        Tap ratio [pu].
    """
    if element.startswith("transformer."):
        transformers = circuit.Transformers
        transformers.Name = element.split(".", 1)[1]
        transformers.Wdg = winding
        transformers.Tap = ratio
        return
    circuit.SetActiveElement(element)
    properties = circuit.ActiveCktElement.Properties
    properties("wdg").Val = str(winding)
    properties("tap").Val = repr(ratio)


def read_capacitor_banks(circuit: Any) -> Iterator[CapacitorBank]:
    """Yield every enabled capacitor that a control switches, once, with the steps closed at present."""
    seen: set[str] = set()
    for name, _ in elements_of(circuit, ("capcontrol",)):
        circuit.CapControls.Name = name.split(".", 1)[1]
        capacitor = circuit.CapControls.Capacitor.lower()
        if capacitor in seen or not _enabled(circuit, f"capacitor.{capacitor}"):
            continue
        seen.add(capacitor)
        states = read_steps(circuit, capacitor)
        yield CapacitorBank(name.split(".", 1)[1], f"capacitor.{capacitor}", len(states), sum(states))


def read_steps(circuit: Any, capacitor: str) -> list[int]:
    """Read the steps of a capacitor, 1 for closed.

    Parameters
    ----------
    circuit : dss.ICircuit
        The compiled circuit; the capacitor becomes its active one.
    capacitor : str
        Name without its class.
    """
    circuit.Capacitors.Name = capacitor
    return [int(state) for state in circuit.Capacitors.States]


def switched_elements(circuit: Any) -> frozenset[str]:
    """Elements that a switch control, fuse, relay or recloser may open, ``class.name``."""
    return frozenset(
        element.Properties("SwitchedObj").Val.lower() for _, element in elements_of(circuit, SWITCHING)
    )


def find_controls(circuit: Any) -> Iterator[Finding]:
    """Yield a finding for every control that the market knows nothing about but what it has done."""
    for name, _ in elements_of(circuit, SWITCHING):
        yield Finding(
            name, "frozen", "may act once the final dispatch stands; the market sees what it has done"
        )
    for name, _ in elements_of(circuit, INVERTING):
        yield Finding(
            name, "frozen", "moves power once the final dispatch stands; held while the market clears"
        )
