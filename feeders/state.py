"""One solved AC state of a circuit, in the order of its `Network`."""

from __future__ import annotations

from dataclasses import dataclass

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray


@dataclass(frozen=True)
class AcState:
    """What the AC power flow says.

    The real and reactive power of every state balance: sum of `head` = sum of `load` - sum of `machine` - sum
    of `injection` + `losses`.

    Attributes
    ----------
    voltage : ndarray, shape (n_node,)
        Complex voltage to ground [pu of the node's base].
    power : ndarray, shape (n_conductor,)
        Complex power entering every branch at every conductor of its terminals [kVA].
    current : ndarray, shape (n_conductor,)
        Current magnitude there [A].
    load : ndarray, shape (n_load,)
        Complex power served, by the loads' voltage dependence at this state [kVA].
    demand : ndarray, shape (n_load,)
        Complex power asked for at nominal voltage, after curtailment [kVA].
    injection : ndarray, shape (n_resource,)
        Complex power injected by generators and storage; 0 for flexible loads [kVA].
    machine : ndarray, shape (n_machine,)
        Complex power injected by the circuit's own machines [kVA].
    tap : ndarray of int, shape (n_tap,)
        Regulator positions.
    capacitor : ndarray of int, shape (n_capacitor_bank,)
        Closed steps of every switched capacitor.
    admittance : ndarray, shape (n_admittance,)
        Admittance blocks of the controlled elements, as they stood [S].
    head : ndarray, shape (n_head,)
        Complex power that the sources give at their terminals [kVA].
    losses : complex
        Complex power into all elements, shunt capacitors with it (their reactive power is negative) [kVA].
    converged : bool
        Whether the power flow converged; nothing above may be used when it did not.
    iterations : int
        Iterations that it took.
    """

    voltage: ComplexArray
    power: ComplexArray
    current: FloatArray
    load: ComplexArray
    demand: ComplexArray
    injection: ComplexArray
    machine: ComplexArray
    tap: IntArray
    capacitor: IntArray
    admittance: ComplexArray
    head: ComplexArray
    losses: complex
    converged: bool = True
    iterations: int = 0
