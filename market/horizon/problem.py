"""The market of a whole horizon: one problem of the network a step, and what ties resources over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.horizon.coupling import Coupling
from dlmp_cosim.market.problem.atoms import AtomicProblem


@dataclass(frozen=True)
class HorizonProblem:
    """Problems of the steps, in one unit of cost and each weighted by its length, with their couplings.

    Attributes
    ----------
    steps : tuple of AtomicProblem
        One a step, of one layout; the first `n_state` variables and rows of each are the network's.
    couplings : tuple of Coupling
        What ties resources over the steps.
    power : ndarray of int, shape (n_coupling,)
        Variable of each coupled resource's real power within a step.
    """

    steps: tuple[AtomicProblem, ...]
    couplings: tuple[Coupling, ...]
    power: IntArray

    @property
    def own(self) -> AtomicProblem:
        """The couplings' own variables, without rows."""
        return _own(self.couplings, self.steps[0].variable_atom[self.power], self.steps[0])


def weighted(problem: AtomicProblem, weight: float, cost_unit: float) -> AtomicProblem:
    """State the cost of a step in another unit, times a weight.

    Parameters
    ----------
    problem : AtomicProblem
        A step in its own unit of cost.
    weight : float
        Length of the step over that of the first.
    cost_unit : float
        The other unit [$/h].
    """
    factor = weight * problem.cost_unit / cost_unit
    if factor == 1.0:
        return problem
    return replace(
        problem,
        quadratic=problem.quadratic * factor,
        linear=problem.linear * factor,
        penalty=problem.penalty * factor,
        offset=problem.offset * factor,
        cost_unit=cost_unit,
    )


def stacked(horizon: HorizonProblem) -> AtomicProblem:
    """State a horizon as one problem of the same atoms: each owns its variables and rows of all steps.

    Network variables of all steps come first, then resources of all steps, then the couplings' own.

    Parameters
    ----------
    horizon : HorizonProblem
        The steps and their couplings.
    """
    steps, own = horizon.steps, horizon.own
    n, total, count = steps[0].n_state, len(steps[0].linear), len(steps)
    places = [_places(t, n, total, count) for t in range(count)]
    order = np.concatenate([*places, count * total + np.arange(len(own.linear))])
    back = np.argsort(order)
    rows = sp.block_diag([step.rows for step in steps], format="csr")
    rows = sp.hstack([rows, sp.csr_matrix((rows.shape[0], len(own.linear)))])
    coupled = _coupled_rows(horizon, total, len(own.linear))
    parts = [*steps, own]
    right = np.concatenate([*(step.row_lower for step in steps), *(c.right for c in horizon.couplings)])
    home = steps[0].variable_atom[horizon.power]
    row_atom = [np.full(len(c.right), atom) for c, atom in zip(horizon.couplings, home, strict=True)]

    def every(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts])[back]

    return AtomicProblem(
        quadratic=every("quadratic"),
        linear=every("linear"),
        lower=every("lower"),
        upper=every("upper"),
        soft_lower=every("soft_lower"),
        soft_upper=every("soft_upper"),
        penalty=every("penalty"),
        rows=sp.vstack([rows, coupled]).tocsr()[:, back].tocsr(),
        row_lower=right,
        row_upper=right,
        row_penalty=np.full(len(right), np.inf),
        variable_atom=np.concatenate([part.variable_atom for part in parts])[back],
        row_atom=np.concatenate([*(step.row_atom for step in steps), *row_atom]).astype(np.int64),
        parent=steps[0].parent,
        discs=np.concatenate([place[step.discs] for place, step in zip(places, steps, strict=True)]),
        disc_radius=np.concatenate([step.disc_radius for step in steps]),
        cones=np.zeros((0, 4), dtype=np.int64),
        offset=sum(step.offset for step in steps),
        cost_unit=steps[0].cost_unit,
        n_state=n * count,
        reach=None if steps[0].reach is None else every("reach"),
    )


def unstacked(horizon: HorizonProblem, x: FloatArray) -> tuple[list[FloatArray], FloatArray]:
    """Split variables of the stacked problem into those of every step and those of the couplings.

    Parameters
    ----------
    horizon : HorizonProblem
        The steps and their couplings.
    x : ndarray, shape (n,)
        Variables of `stacked`, in the problem's units.

    Returns
    -------
    list of ndarray, shape (n_variable,) each
        Variables of every step, in the order of its own problem.
    ndarray
        Variables of the couplings, one coupling after the other.
    """
    steps = horizon.steps
    n, total, count = steps[0].n_state, len(steps[0].linear), len(steps)
    return [x[_places(t, n, total, count)] for t in range(count)], x[count * total :]


def _places(t: int, n: int, total: int, count: int) -> IntArray:
    """Where the variables of a step stand in the stacked problem."""
    network = t * n + np.arange(n)
    resources = count * n + t * (total - n) + np.arange(total - n)
    return np.concatenate([network, resources])


def _coupled_rows(horizon: HorizonProblem, total: int, n_own: int) -> sp.csr_matrix:
    """Rows of the couplings over the variables of the steps, one after the other, and their own."""
    count, first = len(horizon.steps), 0
    blocks = []
    for coupling, power in zip(horizon.couplings, horizon.power.tolist(), strict=True):
        m, k = coupling.own.shape
        block = sp.lil_matrix((m, count * total + n_own))
        block[:, power + total * np.arange(count)] = coupling.power
        block[:, count * total + first : count * total + first + k] = coupling.own
        blocks.append(block.tocsr())
        first += k
    return sp.vstack(blocks).tocsr() if blocks else sp.csr_matrix((0, count * total + n_own))


def _own(couplings: Sequence[Coupling], home: IntArray, like: AtomicProblem) -> AtomicProblem:
    """Variables of the couplings as a problem without rows."""

    def every(name: str) -> FloatArray:
        return np.concatenate([np.zeros(0), *(getattr(coupling, name) for coupling in couplings)])

    sizes = [len(coupling.lower) for coupling in couplings]
    n = sum(sizes)
    return replace(
        like,
        quadratic=every("quadratic"),
        linear=every("linear"),
        lower=every("lower"),
        upper=np.full(n, np.inf),
        soft_lower=every("soft_lower"),
        soft_upper=every("soft_upper"),
        penalty=every("penalty"),
        rows=sp.csr_matrix((0, n)),
        row_lower=np.zeros(0),
        row_upper=np.zeros(0),
        row_penalty=np.zeros(0),
        variable_atom=np.repeat(home, sizes).astype(np.int64),
        row_atom=np.zeros(0, dtype=np.int64),
        discs=np.zeros((0, 2), dtype=np.int64),
        disc_radius=np.zeros(0),
        offset=0.0,
        n_state=0,
        reach=None if like.reach is None else np.full(n, np.inf),
    )
