"""The market as a problem of atoms: sparse rows, bounds and costs, and which agent owns what.

Every bus with its parent branch is an atom; several buses may share one agent (`market.pac.areas`). An atom
owns variables and rows; a row may read variables of its own atom and of neighbouring atoms only. All
quantities are scaled to order one by the model that builds the problem.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import FloatArray, IntArray

NARROW = 1e-12
"""Width of a box below which it is a point [units of the problem]."""


@dataclass(frozen=True)
class AtomicProblem:
    """A convex problem whose variables and rows belong to atoms.

    Minimise ``sum(quadratic * x**2) / 2 + linear @ x + offset`` plus soft limits, subject to
    ``lower <= x <= upper``, ``row_lower <= rows @ x <= row_upper``, discs ``x[p]**2 + x[q]**2 <= radius**2``
    and cones ``x[p]**2 + x[q]**2 <= x[l] * x[v]``. A variable costs ``penalty`` per unit outside
    ``[soft_lower, soft_upper]``, a row ``row_penalty`` per unit outside its range (infinite: the row is
    hard). The dual of a row is the rise of the optimal cost per unit of its right-hand side.

    Attributes
    ----------
    quadratic, linear : ndarray, shape (n,)
        Separable cost.
    lower, upper : ndarray, shape (n,)
        Hard bounds; infinite where there is none.
    soft_lower, soft_upper, penalty : ndarray, shape (n,)
        Soft limits and the cost of leaving them.
    rows : csr_matrix, shape (m, n)
        Rows.
    row_lower, row_upper, row_penalty : ndarray, shape (m,)
        Ranges of the rows; an equality has both ends equal.
    variable_atom, row_atom : ndarray of int, shape (n,) and (m,)
        Owner of each variable and row.
    parent : ndarray of int, shape (n_atom,)
        Parent atom in a tree that spans them; -1 at a root. Parents come before their children. On a
        radial circuit atoms that read each other are parent and child; where loops close, others do too.
    discs : ndarray of int, shape (n_disc, 2)
        Variables p, q on a disc.
    disc_radius : ndarray, shape (n_disc,)
        Radius of each disc.
    cones : ndarray of int, shape (n_cone, 4)
        Variables p, q, l, v of each cone; no variable is in two.
    offset : float
        Constant cost.
    cost_unit : float
        Cost of one unit of the objective [$/h].
    n_state : int
        The first `n_state` variables and rows describe the network: these rows are equalities that determine
        these variables once the others are known. 0 when the network is not linear.
    reach : ndarray, shape (n,), optional
        How far each variable can move by what everybody knows of it (a nameplate); infinite where nothing
        says so. Gains need it in public, so it holds nothing of an offer.
    """

    quadratic: FloatArray
    linear: FloatArray
    lower: FloatArray
    upper: FloatArray
    soft_lower: FloatArray
    soft_upper: FloatArray
    penalty: FloatArray
    rows: sp.csr_matrix
    row_lower: FloatArray
    row_upper: FloatArray
    row_penalty: FloatArray
    variable_atom: IntArray
    row_atom: IntArray
    parent: IntArray
    discs: IntArray
    disc_radius: FloatArray
    cones: IntArray
    offset: float
    cost_unit: float
    n_state: int = 0
    reach: FloatArray | None = None

    @property
    def n_atom(self) -> int:
        """Number of atoms."""
        return len(self.parent)


def objective(problem: AtomicProblem, x: FloatArray) -> float:
    """Cost of `x` with the penalties of its soft limits, in problem units; hard ones are not checked.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    x : ndarray, shape (n,)
        Its variables, in its units.
    """
    outside = np.maximum(problem.soft_lower - x, 0) + np.maximum(x - problem.soft_upper, 0)
    cost = problem.quadratic @ x**2 / 2 + problem.linear @ x + problem.penalty @ outside
    soft = np.isfinite(problem.row_penalty)
    if soft.any():
        value = problem.rows @ x
        beyond = np.maximum(problem.row_lower - value, 0) + np.maximum(value - problem.row_upper, 0)
        cost += problem.row_penalty[soft] @ beyond[soft]
    return float(cost) + problem.offset


def leave_room(problem: AtomicProblem) -> AtomicProblem:
    """Close boxes with next to no room, and replace a disc of which one power is fixed by what it leaves."""
    narrow = problem.upper - problem.lower < NARROW
    problem = replace(problem, upper=np.where(narrow, problem.lower, problem.upper))
    fixed = problem.lower == problem.upper
    if not fixed[problem.discs].any():
        return problem
    lower, upper = problem.lower.copy(), problem.upper.copy()
    for pair, radius in zip(problem.discs, problem.disc_radius, strict=True):
        for known, free in (pair, pair[::-1]):
            if fixed[known]:
                room = np.sqrt(max(radius**2 - problem.lower[known] ** 2, 0.0))
                lower[free], upper[free] = np.clip((lower[free], upper[free]), -room, room)
    left = ~fixed[problem.discs].any(axis=1)
    discs, radius = problem.discs[left], problem.disc_radius[left]
    return replace(problem, lower=lower, upper=upper, discs=discs, disc_radius=radius)


@dataclass(frozen=True)
class Boundary:
    """What neighbours exchange in a round: one number each way for every variable read across a boundary.

    Attributes
    ----------
    reader, owner : ndarray of int, shape (n_read,)
        Atom that reads and atom that owns.
    variable : ndarray of int, shape (n_read,)
        Variable read.
    """

    reader: IntArray
    owner: IntArray
    variable: IntArray

    @property
    def messages_per_round(self) -> int:
        """Values from each owner to each of its readers, and dual values back."""
        return 2 * len(set(zip(self.reader.tolist(), self.owner.tolist(), strict=True)))

    @property
    def scalars_per_round(self) -> int:
        """Numbers in those messages."""
        return 2 * len(self.variable)


def boundary(problem: AtomicProblem) -> Boundary:
    """List every variable that an atom reads from another."""
    entries = problem.rows.tocoo()
    reader, owner = problem.row_atom[entries.row], problem.variable_atom[entries.col]
    across = reader != owner
    n = len(problem.linear)
    readers, variables = np.divmod(np.unique(reader[across] * n + entries.col[across]), n)
    return Boundary(readers, problem.variable_atom[variables], variables)


def with_copies(problem: AtomicProblem) -> AtomicProblem:
    """Give every reader its own copy of what it reads, tied to the original by a coordination row.

    This is the published form of an atomic problem: local rows read local variables only, and the only rows
    between neighbours say ``copy - original = 0``. The copies come after the variables and the coordination
    rows after the rows, so solutions of the two forms compare entry by entry.
    """
    reads = boundary(problem)
    n, m, k = len(problem.linear), len(problem.row_lower), len(reads.variable)
    place = {
        (int(a), int(v)): n + i for i, (a, v) in enumerate(zip(reads.reader, reads.variable, strict=True))
    }
    entries = problem.rows.tocoo()
    atoms = problem.row_atom[entries.row]
    columns = [place.get((int(a), int(c)), int(c)) for a, c in zip(atoms, entries.col, strict=True)]
    local = sp.csr_matrix((entries.data, (entries.row, columns)), shape=(m, n + k))
    copies = np.arange(k)
    ties = sp.csr_matrix(
        (np.repeat([1.0, -1.0], k), (np.tile(copies, 2), np.concatenate([n + copies, reads.variable]))),
        shape=(k, n + k),
    )
    return replace(
        problem,
        quadratic=np.append(problem.quadratic, np.zeros(k)),
        linear=np.append(problem.linear, np.zeros(k)),
        lower=np.append(problem.lower, np.full(k, -np.inf)),
        upper=np.append(problem.upper, np.full(k, np.inf)),
        soft_lower=np.append(problem.soft_lower, np.full(k, -np.inf)),
        soft_upper=np.append(problem.soft_upper, np.full(k, np.inf)),
        penalty=np.append(problem.penalty, np.zeros(k)),
        rows=sp.vstack([local, ties]).tocsr(),
        row_lower=np.append(problem.row_lower, np.zeros(k)),
        row_upper=np.append(problem.row_upper, np.zeros(k)),
        row_penalty=np.append(problem.row_penalty, np.full(k, np.inf)),
        variable_atom=np.append(problem.variable_atom, reads.reader),
        row_atom=np.append(problem.row_atom, reads.reader),
        n_state=0,
        reach=None if problem.reach is None else np.append(problem.reach, np.full(k, np.inf)),
    )
