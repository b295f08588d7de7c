"""Load shapes of a compiled circuit, as factors on demand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from dlmp_cosim.feeders.network import Load
from dlmp_cosim.feeders.opendss.case import Finding, LoadShape


def read_shapes(
    circuit: Any, loads: Iterable[Load]
) -> tuple[dict[str, LoadShape], dict[str, str], list[Finding]]:
    """Read the shapes that loads follow.

    Parameters
    ----------
    circuit : dss.ICircuit
        The circuit.
    loads : iterable of Load
        Its loads.

    Returns
    -------
    shapes : dict of str to LoadShape
        By name.
    load_shape : dict of str to str
        Shape of each load that has one: its daily one, else yearly, else duty.
    findings : list of Finding
        Shapes that cannot be used as factors at equal steps.
    """
    wanted = {load.name: name for load in loads if (name := _named(circuit, load.name))}
    shapes: dict[str, LoadShape] = {}
    findings = []
    for name in dict.fromkeys(wanted.values()):
        circuit.LoadShapes.Name = name
        reason = _unusable(circuit.LoadShapes)
        if reason:
            findings.append(Finding(f"loadshape.{name}", "ignored", reason))
        else:
            shapes[name] = _shape(circuit.LoadShapes)
    return shapes, {load: name for load, name in wanted.items() if name in shapes}, findings


def _named(circuit: Any, load: str) -> str:
    circuit.Loads.Name = load
    loads = circuit.Loads
    return str(loads.daily or loads.Yearly or loads.duty).lower()


def _unusable(shape: Any) -> str:
    if shape.UseActual:
        return "holds actual power, not factors: loads keep their listed demand"
    if not shape.HrInterval > 0.0:
        return "has steps of unequal length: loads keep their listed demand"
    return ""


def _shape(shape: Any) -> LoadShape:
    real = np.asarray(shape.Pmult, dtype=np.float64)
    reactive = np.asarray(shape.Qmult, dtype=np.float64)
    if len(reactive) != len(real):
        reactive = real
    return LoadShape(float(shape.HrInterval), tuple(real.tolist()), tuple(reactive.tolist()))
