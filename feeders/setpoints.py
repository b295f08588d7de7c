"""Checks of what an AC engine is asked, and a state that nobody can mistake for a solution."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import ComplexArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState


def check_setpoints(
    network: Network, demand: ComplexArray, injection: ComplexArray
) -> tuple[ComplexArray, ComplexArray]:
    """Return both set-point vectors as complex arrays after checking length and values.

    Parameters
    ----------
    network : Network
        Says which loads and resources there are.
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage [kVA].
    injection : ndarray, shape (n_resource,)
        Power injected [kVA]; 0 for flexible loads, which act by a smaller demand.

    Raises
    ------
    FeederError
        When a length is wrong, a value is not finite, or a flexible load is asked to inject.
    """
    demand = _checked("demand", "load", demand, network.load_ids)
    injection = _checked("injection", "resource", injection, network.resource_ids)
    for resource, power in zip(network.resources, injection, strict=True):
        if power and resource.kind == "flexible_load":
            raise FeederError(
                f"injection of flexible load {resource.name} is {power} kVA; expected 0 and a smaller demand"
            )
    return demand, injection


def _checked(what: str, kind: str, values: ComplexArray, names: tuple[str, ...]) -> ComplexArray:
    """Return `values` as a complex vector with one finite entry per name."""
    array = np.asarray(values, dtype=np.complex128)
    if array.shape != (len(names),):
        raise FeederError(
            f"{what} has shape {array.shape}; expected one value for each of {len(names)} {kind}s"
        )
    if not np.isfinite(array).all():
        k = int(np.flatnonzero(~np.isfinite(array))[0])
        raise FeederError(f"{what} of {kind} {names[k]} is {array[k]}; expected a finite number of kVA")
    return array


def check_option(name: str, value: str, valid: tuple[str, ...]) -> None:
    """Raise when an option of an engine is none of the valid ones.

    Parameters
    ----------
    name : str
        Keyword of the option, for the message.
    value : str
        What was given.
    valid : tuple of str
        What may be given.

    Raises
    ------
    FeederError
        When it is not, with the valid ones.
    """
    if value not in valid:
        raise FeederError(f"{name} is {value!r}; expected one of {', '.join(valid)}")


def check_taps(network: Network, taps: IntArray) -> list[int]:
    """Return regulator positions as a list after checking length and range.

    Parameters
    ----------
    network : Network
        Says which regulators there are, and their ranges.
    taps : ndarray of int, shape (n_tap,)
        Positions.

    Raises
    ------
    FeederError
        When the length is wrong, or a position is not a whole number within its regulator's range.
    """
    array = np.asarray(taps)
    if array.shape != (len(network.tap_ids),):
        raise FeederError(f"taps have shape {array.shape}; expected {len(network.tap_ids)} positions")
    for regulator, tap in zip(network.regulators, array.tolist(), strict=True):
        if tap not in range(regulator.tap_min, regulator.tap_max + 1):
            raise FeederError(
                f"tap of {regulator.name} is {tap}; expected a whole number from {regulator.tap_min} to "
                f"{regulator.tap_max}"
            )
    return [int(tap) for tap in array]


def check_capacitors(network: Network, closed: IntArray) -> list[int]:
    """Return the closed steps of switched capacitors as a list after checking length and range.

    Parameters
    ----------
    network : Network
        Says which switched capacitors there are, and how many steps each has.
    closed : ndarray of int, shape (n_capacitor,)
        Closed steps.

    Raises
    ------
    FeederError
        When the length is wrong, or one is not a whole number from 0 to its steps.
    """
    array = np.asarray(closed)
    if array.shape != (len(network.capacitor_banks),):
        raise FeederError(
            f"capacitors have shape {array.shape}; expected {len(network.capacitor_banks)} numbers of steps"
        )
    for bank, steps in zip(network.capacitor_banks, array.tolist(), strict=True):
        if steps not in range(bank.steps + 1):
            raise FeederError(
                f"{bank.name} has {steps} steps closed; expected a whole number from 0 to {bank.steps}"
            )
    return [int(steps) for steps in array]


def failed_state(
    network: Network, demand: ComplexArray, injection: ComplexArray, tap: IntArray, iterations: int
) -> AcState:
    """Return a state with NaN wherever a solution would stand, and ``converged=False``.

    Parameters
    ----------
    network : Network
        Gives the lengths.
    demand, injection : ndarray
        What was asked for [kVA].
    tap : ndarray of int, shape (n_tap,)
        Positions before the attempt.
    iterations : int
        Iterations spent.
    """

    def nothing(size: int) -> ComplexArray:
        return np.full(size, complex(np.nan, np.nan))

    ends = len(network.conductor_ids)
    return AcState(
        voltage=nothing(len(network.node_ids)),
        power=nothing(ends),
        current=np.full(ends, np.nan),
        load=nothing(len(network.loads)),
        demand=demand,
        injection=injection,
        machine=nothing(len(network.machines)),
        tap=tap,
        capacitor=network.initial_capacitors,
        admittance=nothing(len(network.admittance_ids)),
        head=nothing(len(network.head_ids)),
        losses=complex(np.nan, np.nan),
        converged=False,
        iterations=iterations,
    )
