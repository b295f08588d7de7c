"""Agents of several buses: partition the tree of atoms into areas and condense what is inside each.

An area knows its own wires, so its flows and voltages follow from its resources, the voltage at its entry and
the power its neighbours draw. Condensing keeps only what matters between agents: resources, boundary flows
and voltages, and the limits that the area watches because they are near. The negotiation, its messages and
its duals stay the same; there are fewer agents and shorter paths between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.problem.atoms import AtomicProblem, leave_room


def partition(parent: IntArray, n_area: int) -> IntArray:
    """Cut a tree into about `n_area` connected areas of similar size, shape (n_atom,).

    Parameters
    ----------
    parent : ndarray of int, shape (n_atom,)
        Parent of each atom, -1 at a root; parents come before children.
    n_area : int
        Areas wanted; every atom is its own area when there are no more atoms.
    """
    n = len(parent)
    target = max(1.0, n / n_area)
    size = np.ones(n)
    starts = parent < 0
    for atom in range(n - 1, -1, -1):
        if size[atom] >= target:
            starts[atom] = True
        elif not starts[atom]:
            size[parent[atom]] += size[atom]
    area = np.cumsum(starts) - 1
    for atom in range(n):
        if not starts[atom]:
            area[atom] = area[parent[atom]]
    return area.astype(np.int64)


def area_parents(parent: IntArray, area: IntArray) -> IntArray:
    """Parent area of every area, -1 at a root, shape (n_area,)."""
    first = np.unique(area, return_index=True)[1]
    return np.array([-1 if parent[atom] < 0 else area[parent[atom]] for atom in first], dtype=np.int64)


@dataclass(frozen=True)
class Condensed:
    """A condensed problem and the way back.

    Attributes
    ----------
    problem : AtomicProblem
        The problem between areas: boundary variables and resources; boundary rows, watched limits, and rows
        that tie resources over time.
    variables : ndarray of int, shape (n_condensed,)
        Variable of the full problem behind each condensed variable.
    boundary : ndarray of int, shape (n_boundary,)
        Network variables exchanged between areas: the first rows define them.
    watched : ndarray of int, shape (n_watched,)
        Network variables whose soft limits are the remaining rows.
    inner : csc_matrix, shape (n_state, n_state)
        Network rows in each area's own variables.
    """

    problem: AtomicProblem
    variables: IntArray
    boundary: IntArray
    watched: IntArray
    inner: sp.csc_matrix

    def start_duals(self, duals: FloatArray, limits: FloatArray) -> FloatArray:
        """Duals of the condensed rows behind duals of the network rows and multipliers of limits."""
        own = self.inner.T @ duals
        # The price of a boundary variable's own limit is on the row that watches it.
        own[self.watched] += limits[self.watched]
        tied = np.zeros(len(self.problem.row_lower) - len(self.boundary) - len(self.watched))
        return np.concatenate([own[self.boundary], limits[self.watched], tied])


def condense(problem: AtomicProblem, area: IntArray, watched: IntArray) -> Condensed:
    """Eliminate every network variable that stays inside an area and is not watched.

    Parameters
    ----------
    problem : AtomicProblem
        Problem whose first `n_state` rows determine as many network variables.
    area : ndarray of int, shape (n_atom,)
        Area of each atom.
    watched : ndarray of int, shape (n_watched,)
        Network variables whose soft limits take part.
    """
    n_state, n = problem.n_state, len(problem.linear)
    problem = leave_room(problem)
    inner, outer, across = _split(problem, area)
    chosen = np.concatenate([across, watched])
    # The last column carries the cost of eliminated variables (the head price) over to what is kept.
    targets = np.zeros((n_state, len(chosen) + 1))
    targets[chosen, np.arange(len(chosen))] = 1.0
    targets[:, -1] = problem.linear[:n_state]
    targets[across, -1] = 0.0
    adjoint = sla.splu(inner).solve(targets, trans="T")
    slope = -(outer.T @ adjoint)
    constant = adjoint.T @ problem.row_lower[:n_state]
    kept = np.concatenate([across, np.arange(n_state, n)])
    kept = kept[problem.lower[kept] < problem.upper[kept]]
    fixed = np.setdiff1d(np.arange(n_state, n), kept)
    constant = constant + slope[fixed].T @ problem.lower[fixed]
    constant[-1] += problem.linear[fixed] @ problem.lower[fixed]
    constant[-1] += problem.quadratic[fixed] @ problem.lower[fixed] ** 2 / 2
    problem_kept = _assemble(problem, area, across, watched, kept, slope, constant)
    return Condensed(problem_kept, kept, across, watched, inner)


def _split(problem: AtomicProblem, area: IntArray) -> tuple[sp.csc_matrix, sp.csr_matrix, IntArray]:
    """Split the network rows: entries inside an area, the rest, and the variables exchanged."""
    n_state, n = problem.n_state, len(problem.linear)
    entries = problem.rows[:n_state].tocoo()
    row_area, variable_area = area[problem.row_atom][entries.row], area[problem.variable_atom][entries.col]
    network = entries.col < n_state
    own = network & (row_area == variable_area)
    inner = sp.csc_matrix((entries.data[own], (entries.row[own], entries.col[own])), shape=(n_state, n_state))
    outer = sp.csr_matrix((entries.data[~own], (entries.row[~own], entries.col[~own])), shape=(n_state, n))
    return inner, outer, np.unique(entries.col[network & ~own]).astype(np.int64)


def _assemble(
    problem: AtomicProblem,
    area: IntArray,
    across: IntArray,
    watched: IntArray,
    kept: IntArray,
    slope: FloatArray,
    constant: FloatArray,
) -> AtomicProblem:
    """Rows ``x_boundary - slope x = constant`` and ``limit_low <= slope x + constant <= limit_high``."""
    n_across = len(across)
    dense = slope[kept].T.copy()
    dense[:n_across] *= -1.0
    dense[np.arange(n_across), np.arange(n_across)] += 1.0
    dense[np.abs(dense) < 1e-10] = 0.0
    linear = problem.linear[kept] + slope[kept, -1]
    limits = constant[n_across:-1]
    tied = problem.rows[problem.n_state :]
    fixed = np.setdiff1d(np.arange(problem.n_state, len(problem.linear)), kept)
    due = problem.row_lower[problem.n_state :] - tied[:, fixed] @ problem.lower[fixed]
    own = kept >= problem.n_state
    place = np.full(len(problem.linear), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    inside = np.all(np.isin(problem.discs, kept), axis=1)
    return replace(
        problem,
        quadratic=problem.quadratic[kept],
        linear=linear,
        lower=problem.lower[kept],
        upper=problem.upper[kept],
        soft_lower=np.where(own, problem.soft_lower[kept], -np.inf),
        soft_upper=np.where(own, problem.soft_upper[kept], np.inf),
        penalty=np.where(own, problem.penalty[kept], 0.0),
        rows=sp.vstack([sp.csr_matrix(dense[:-1]), tied[:, kept]]).tocsr(),
        row_lower=np.concatenate([constant[:n_across], problem.soft_lower[watched] - limits, due]),
        row_upper=np.concatenate([constant[:n_across], problem.soft_upper[watched] - limits, due]),
        row_penalty=np.concatenate(
            [np.full(n_across, np.inf), problem.penalty[watched], np.full(len(due), np.inf)]
        ),
        variable_atom=area[problem.variable_atom[kept]],
        row_atom=np.concatenate(
            [
                area[problem.variable_atom[np.concatenate([across, watched])]],
                area[problem.row_atom[problem.n_state :]],
            ]
        ),
        parent=area_parents(problem.parent, area),
        discs=place[problem.discs[inside]],
        disc_radius=problem.disc_radius[inside],
        offset=problem.offset + float(constant[-1]),
        n_state=0,
        reach=None if problem.reach is None else problem.reach[kept],
    )
