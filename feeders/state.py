"""One solved AC state of a feeder, in the order of its `Network`."""

from __future__ import annotations

from dataclasses import dataclass

from feeders.network import ComplexArray, FloatArray, IntArray


@dataclass(frozen=True)
class AcState:
    """What the AC power flow says.

    Attributes
    ----------
    voltage : ndarray, shape (n_node,)
        Complex line-to-neutral voltage [pu].
    power_from, power_to : ndarray, shape (n_branch_phase,)
        Complex power entering a branch at its sending end, and leaving it at its receiving end [kVA].
    current : ndarray, shape (n_branch_phase,)
        Current magnitude, the larger of the two ends [A].
    load : ndarray, shape (n_load,)
        Complex power served, by the loads' voltage dependence at this state [kVA].
    demand : ndarray, shape (n_load,)
        Complex power asked for at nominal voltage, after curtailment [kVA].
    injection : ndarray, shape (n_resource,)
        Complex power injected by generators and storage; 0 for flexible loads [kVA].
    tap : ndarray of int, shape (n_tap,)
        Regulator positions.
    head : ndarray, shape (n_head_phase,)
        Complex power drawn from the source [kVA].
    losses : complex
        Series and shunt losses of all branches [kVA].
    converged : bool
        Whether the power flow converged; nothing above may be used when it did not.
    iterations : int
        Iterations that it took.
    """

    voltage: ComplexArray
    power_from: ComplexArray
    power_to: ComplexArray
    current: FloatArray
    load: ComplexArray
    demand: ComplexArray
    injection: ComplexArray
    tap: IntArray
    head: ComplexArray
    losses: complex
    converged: bool = True
    iterations: int = 0
