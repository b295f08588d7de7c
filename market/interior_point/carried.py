"""Powers that are carried to the root: what ties the sweeps of several steps together.

A resource with terms over time must not be eliminated with its bus: its power of a step stays open, as one
more unknown of every message on the way to the root.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.interior_point.fronts import Fronts, Plan, make_plan
from dlmp_cosim.market.interior_point.tree import Order, elimination_order
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.graph import distances

STIFFNESS = 1e9
"""Curvature of what a carried power may differ from its resource's, so that a power without room has one."""


@dataclass(frozen=True)
class Carried:
    """How the powers of coupled resources are carried through a step.

    Attributes
    ----------
    plan : Plan
        Plan of the step with its carried powers.
    fronts : Fronts
        The fronts of the network alone.
    roots : tuple of int
        Fronts whose messages the root gathers.
    at : tuple of ndarray of int
        For each, which carried powers its message is about.
    hops : int
        Hops to the root, summed over the carried powers.
    """

    plan: Plan
    fronts: Fronts
    roots: tuple[int, ...]
    at: tuple[IntArray, ...]
    hops: int


def carry(problem: AtomicProblem, power: IntArray) -> Carried:
    """Plan the sweeps of a step whose resources `power` are carried to the root.

    Parameters
    ----------
    problem : AtomicProblem
        A step; only its pattern counts.
    power : ndarray of int, shape (n_carried,)
        Variables of the carried powers.
    """
    order = elimination_order(problem)
    last = int(order.atoms[-1])
    neighbours = (*order.neighbours, (last,))
    around = replace(
        order,
        atoms=np.append(order.atoms, problem.n_atom),
        place=np.append(order.place, problem.n_atom),
        neighbours=neighbours,
    )
    plan = make_plan(with_carried(problem, power), _open_to(around, problem.n_atom))
    fronts = plan.fronts
    inner = fronts._replace(own_ptr=fronts.own_ptr[:-1])
    start, end = fronts.child_ptr[-2:].tolist()
    roots = tuple(fronts.child[start:end].tolist())
    at = tuple(fronts.edge_at[fronts.edge_ptr[k] : fronts.edge_ptr[k + 1]] for k in roots)
    far = distances(order.neighbours, last)
    hops = sum(far.get(atom, 0) for atom in problem.variable_atom[power].tolist())
    return Carried(plan, inner, roots, at, hops)


def _open_to(order: Order, root: int) -> Order:
    """Let every atom see the root's desk, wherever the last front of its part stands."""
    neighbours = tuple((*others, root) if k != root else others for k, others in enumerate(order.neighbours))
    return replace(order, neighbours=neighbours)


def with_carried(problem: AtomicProblem, power: IntArray) -> AtomicProblem:
    """Add the carried powers: ``p - carried - stiff = 0``, with `stiff` next to nothing.

    Parameters
    ----------
    problem : AtomicProblem
        A step.
    power : ndarray of int, shape (n_carried,)
        Variables of the carried powers.
    """
    n, m, k = len(problem.linear), len(problem.row_lower), len(power)
    at = np.arange(k)
    columns = np.column_stack([power, n + at, n + k + at]).ravel()
    data = np.concatenate([problem.rows.data, np.tile([1.0, -1.0, -1.0], k)])
    indices = np.concatenate([problem.rows.indices, columns])
    indptr = np.concatenate([problem.rows.indptr, problem.rows.indptr[-1] + 3 * np.arange(1, k + 1)])
    home, nothing, free = problem.variable_atom[power], np.zeros(k), np.full(2 * k, np.inf)
    right = np.append(problem.row_lower, nothing)
    return replace(
        problem,
        quadratic=np.concatenate([problem.quadratic, np.full(k, STIFFNESS), nothing]),
        linear=np.append(problem.linear, np.zeros(2 * k)),
        lower=np.append(problem.lower, -free),
        upper=np.append(problem.upper, free),
        soft_lower=np.append(problem.soft_lower, -free),
        soft_upper=np.append(problem.soft_upper, free),
        penalty=np.append(problem.penalty, np.zeros(2 * k)),
        rows=sp.csr_matrix((data, indices, indptr), shape=(m + k, n + 2 * k)),
        row_lower=right,
        row_upper=right,
        row_penalty=np.append(problem.row_penalty, np.full(k, np.inf)),
        variable_atom=np.concatenate([problem.variable_atom, home, np.full(k, problem.n_atom)]),
        row_atom=np.append(problem.row_atom, home),
        parent=np.append(problem.parent, -1),
        reach=None,
    )
