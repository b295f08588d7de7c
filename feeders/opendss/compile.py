"""A circuit brought to life in an OpenDSS engine: compiled untouched, given voltage bases, solved once."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.library import DSSException

STATIC, OFF = 0, -1
"""OpenDSS' numbers of the control modes: controls settle within a solution, or never act."""

MIN_ITERATIONS: Final = 100
MIN_CONTROL_ITERATIONS: Final = 200
"""Iterations that are allowed at least, whatever the circuit's own options say."""

REACHABLE: Final = 1e-8
"""Tolerance down to which every circuit comes: to ground, an ungrounded zone has noise of 1e-10 [pu]."""

DEFAULT_BASES: Final = (0.208, 0.48, 12.47, 24.9, 34.5, 115.0, 230.0)
"""Voltage bases that OpenDSS assumes for a circuit that gives none [kV]."""


def compile_case(engine: Any, case: Case, *, tolerance: float, loosest: float = REACHABLE) -> Any:
    """Compile a circuit, give its buses voltage bases and solve it once with all controls at rest.

    Parameters
    ----------
    engine : dss.IDSS
        An engine of one's own; whatever it held is cleared.
    case : Case
        The circuit. A file is compiled as it is.
    tolerance : float
        Voltage change between iterations at which a power flow counts as solved [pu].
    loosest : float
        Up to which it may be loosened for a circuit that does not come that far [pu].

    Returns
    -------
    dss.ICircuit
        The circuit, in snapshot mode.

    Raises
    ------
    InputError
        When there is no such file, or buses have no voltage base.
    FeederError
        When OpenDSS refuses the circuit or cannot solve it.
    """
    _run(engine, case)
    if not engine.NumCircuits:
        raise FeederError(f"{case.name} holds no circuit; expected a command 'new circuit.<name>'")
    circuit = engine.ActiveCircuit
    solution = circuit.Solution
    try:
        engine.Text.Command = "set mode=snapshot"
        solution.ControlMode = OFF
        solution.MaxIterations = max(solution.MaxIterations, MIN_ITERATIONS)
        solution.MaxControlIterations = max(solution.MaxControlIterations, MIN_CONTROL_ITERATIONS)
        # Buses may have come since the file last solved, or it never did.
        engine.Text.Command = "makebuslist"
        _give_bases(engine, circuit, case)
        solved = settle(solution, tolerance, loosest)
    except DSSException as error:
        raise FeederError(f"OpenDSS could not solve {case.name}: {error}") from error
    if not solved or not np.isfinite(circuit.AllBusVmag).all():
        raise FeederError(
            f"the power flow of {case.name} does not reach {max(tolerance, loosest):g} pu as it stands; "
            "expected a circuit that OpenDSS solves on its own, or a looser tolerance"
        )
    return circuit


def settle(solution: Any, tolerance: float, loosest: float = REACHABLE) -> bool:
    """Solve to a tolerance, or to the tightest one that can be reached; False when none can.

    Parameters
    ----------
    solution : dss.ISolution
        The circuit's solution.
    tolerance : float
        Voltage change between iterations that is asked for [pu].
    loosest : float
        Up to which it may be loosened [pu].
    """
    solution.Tolerance = tolerance
    solution.Solve()
    while not solution.Converged and solution.Tolerance < loosest:
        solution.Tolerance = min(solution.Tolerance * 10.0, loosest)
        solution.Solve()
    return bool(solution.Converged)


def _run(engine: Any, case: Case) -> None:
    engine.AllowForms = engine.AllowEditor = False
    commands = case.commands
    if case.path is not None:
        if not case.path.is_file():
            raise InputError(
                "there is no such file", where=str(case.path), expected="the master file of a circuit"
            )
        commands = (f'compile "{case.path.resolve()}"',)
    try:
        for command in ("clear", *commands):
            engine.Text.Command = command
    except DSSException as error:
        raise FeederError(f"OpenDSS refused {case.name}: {error}") from error


def _give_bases(engine: Any, circuit: Any, case: Case) -> None:
    """Derive voltage bases where the file has not: never for a bus that has one."""
    bases = _bases(circuit)
    missing = [name for name, kv in bases.items() if not kv > 0.0]
    if not missing:
        return
    if tuple(circuit.Settings.VoltageBases) == DEFAULT_BASES and len(missing) == len(bases):
        raise InputError(
            "no bus has a voltage base",
            where=str(case.path or case.name),
            expected="'set voltagebases=[...]' (kV between phases) and 'calcvoltagebases' at its end",
        )
    engine.Text.Command = "calcvoltagebases"
    for name, kv in bases.items():
        if kv > 0.0:
            engine.Text.Command = f"setkvbase bus={name} kvln={kv!r}"


def _bases(circuit: Any) -> dict[str, float]:
    found = {}
    for k, name in enumerate(circuit.AllBusNames):
        circuit.SetActiveBusi(k)
        found[name] = float(circuit.ActiveBus.kVBase)
    return found
