"""The balanced equivalent of a circuit on merged buses, for the branch-flow market."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dlmp_cosim.feeders.balanced import BalancedFeeder, balance
from dlmp_cosim.feeders.errors import ClearingError, InputError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.balanced.layout import BASE_KVA
from dlmp_cosim.market.problem.reduction import ReducedTree


@dataclass(frozen=True)
class Equivalent:
    """The balanced circuit on merged buses, at given taps and switches.

    Attributes
    ----------
    resistance, reactance, rating : ndarray, shape (n_line,)
        Series impedance and apparent power rating [pu].
    gain : ndarray, shape (n_bus,)
        Squared voltage of a bus over that of its atom.
    from_gain : ndarray, shape (n_line,)
        Squared voltage behind the ratio of each line over that of the atom that sends.
    v_source : float
        Squared voltage at the root [pu**2].
    injected : ndarray, shape (n_bus,)
        Complex power that the circuit's own machines inject [pu].
    feeder : BalancedFeeder
        What it was made from.
    """

    resistance: FloatArray
    reactance: FloatArray
    rating: FloatArray
    gain: FloatArray
    from_gain: FloatArray
    v_source: float
    injected: ComplexArray
    feeder: BalancedFeeder


def equivalent(network: Network, tree: ReducedTree, admittance: ComplexArray) -> Equivalent:
    """Balance a circuit as its taps and switches stand, with the source's voltage and no machine running.

    Parameters
    ----------
    network : Network
        The circuit.
    tree : ReducedTree
        Its merged tree.
    admittance : ndarray, shape (n_admittance,)
        Blocks of the controlled elements [S].

    Raises
    ------
    ClearingError
        When switches stand so that there is no equivalent, or none on this tree.
    """
    try:
        feeder = balance(network, admittance=admittance, base_kva=BASE_KVA)
    except InputError as error:
        raise ClearingError(f"as switches and taps stand, {error}") from None
    if feeder.links != tree.links:
        raise ClearingError(f"switches of {network.name} feed it by other ways than at the start")
    gain = np.ones(len(feeder.buses))
    for k in np.setdiff1d(np.arange(len(feeder.links)), tree.entry_link):
        gain[k + 1] = gain[feeder.parent[k + 1]] * feeder.ratio[k] ** 2
    lines = tree.entry_link[1:]
    return Equivalent(
        resistance=feeder.resistance[lines],
        reactance=feeder.reactance[lines],
        rating=feeder.rating[lines],
        gain=gain,
        from_gain=gain[feeder.parent[lines + 1]] * feeder.ratio[lines] ** 2,
        v_source=feeder.source_voltage**2,
        injected=np.zeros(len(gain), dtype=np.complex128),
        feeder=feeder,
    )


def at_state(same: Equivalent, network: Network, state: AcState) -> Equivalent:
    """Give an equivalent the head's voltage and the machines' power of an AC state.

    Parameters
    ----------
    same : Equivalent
        The equivalent at the state's taps and switches.
    network : Network
        The circuit.
    state : AcState
        Converged AC state.
    """
    injected = np.zeros_like(same.injected)
    np.add.at(injected, same.feeder.machine_bus, state.machine / BASE_KVA)
    head = float(np.mean(np.abs(state.voltage[network.head_node])))
    return replace(same, v_source=head**2, injected=injected)
