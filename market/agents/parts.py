"""Cut a problem into the parts of its agents: own variables and rows, and what neighbours read of them.

An agent holds its own rows whole, and of its neighbours' rows nothing but the entries in its own variables:
both ends of a line know the line. Entries keep the order that they have in the whole problem, so that sums
are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.agents.neighbours import Halo
from dlmp_cosim.market.problem.atoms import AtomicProblem


@dataclass(frozen=True)
class Part:
    """One agent's part of a problem.

    Attributes
    ----------
    problem : AtomicProblem
        Own variables and rows; the rows have a column for every own variable, then one for every other that
        the agent has to know of. It has one atom: whose is whose inside the part is of no consequence.
    columns : csc_matrix
        Entries of all rows that the agent has to know of, own ones first, in its own variables.
    foreign : ndarray
        Those entries of `columns` that are in others' rows, in the order of the columns.
    """

    problem: AtomicProblem
    columns: sp.csc_matrix
    foreign: FloatArray

    @property
    def n_known(self) -> int:
        """Variables that the agent has to know of."""
        return int(self.problem.rows.shape[1])


@dataclass(frozen=True)
class Cut:
    """Where the numbers of one agent's part are in the whole problem.

    Attributes
    ----------
    variables, rows : ndarray of int
        Its own variables and rows first, then those of others that it has to know of.
    n, m : int
        How many are its own.
    halos : tuple of Halo
        What it shares with every neighbour.
    """

    variables: IntArray
    rows: IntArray
    n: int
    m: int
    halos: tuple[Halo, ...]


def cut(problem: AtomicProblem, area: IntArray, passing: Sequence[IntArray] | None = None) -> tuple[Cut, ...]:
    """Say what of a problem each agent holds; only its pattern counts.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    area : ndarray of int, shape (n_atom,)
        Area of each atom, numbered from 0 without gaps.
    passing : sequence of ndarray of int, optional
        For every area, unknowns that its messages speak of: variables, then multipliers of rows.
    """
    entries, n = problem.rows.tocoo(), len(problem.linear)
    of_variable, of_row = area[problem.variable_atom], area[problem.row_atom]
    across = of_row[entries.row] != of_variable[entries.col]
    row, column = entries.row[across].astype(np.int64), entries.col[across].astype(np.int64)
    found = []
    for k in range(int(area.max()) + 1):
        more = passing[k] if passing is not None else np.zeros(0, dtype=np.int64)
        mine = np.flatnonzero(of_variable == k), np.flatnonzero(of_row == k)
        read = np.unique(np.append(column[of_row[row] == k], more[more < n]))
        reading = np.unique(np.append(row[of_variable[column] == k], more[more >= n] - n))
        variables = np.append(mine[0], np.setdiff1d(read, mine[0]))
        rows = np.append(mine[1], np.setdiff1d(reading, mine[1]))
        found.append(Cut(variables, rows, len(mine[0]), len(mine[1]), ()))
    return tuple(
        replace(piece, halos=_halos(k, found, (row, column), (of_row, of_variable)))
        for k, piece in enumerate(found)
    )


def _halos(
    k: int, cuts: Sequence[Cut], entries: tuple[IntArray, IntArray], areas: tuple[IntArray, IntArray]
) -> tuple[Halo, ...]:
    """Find what agent `k` shares with each neighbour, in the order of the whole problem at both ends."""
    (row, column), (of_row, of_variable) = entries, areas
    reads, is_read = of_row[row] == k, of_variable[column] == k
    others = np.union1d(of_variable[column[reads]], of_row[row[is_read]])
    halos = []
    for other in others.tolist():
        heard = np.unique(column[reads & (of_variable[column] == other)])
        told = np.unique(column[is_read & (of_row[row] == other)])
        heard_rows = np.unique(row[is_read & (of_row[row] == other)])
        told_rows = np.unique(row[reads & (of_variable[column] == other)])
        halos.append(
            Halo(
                other,
                positions(cuts[k].variables, told),
                positions(cuts[k].variables, heard),
                positions(cuts[k].rows, told_rows),
                positions(cuts[k].rows, heard_rows),
            )
        )
    return tuple(halos)


def positions(known: IntArray, wanted: IntArray) -> IntArray:
    """Positions of wanted members in a list of distinct ones that holds them all.

    Parameters
    ----------
    known : ndarray of int, shape (n_known,)
        Distinct members, in any order.
    wanted : ndarray of int, shape (n_wanted,)
        Members to find, all of them in `known`.
    """
    order = np.argsort(known, kind="stable")
    found: IntArray = order[np.searchsorted(known[order], wanted)].astype(np.int64)
    return found


def part_of(problem: AtomicProblem, piece: Cut) -> Part:
    """Take an agent's numbers out of a problem.

    Parameters
    ----------
    problem : AtomicProblem
        The problem; its discs lie within areas.
    piece : Cut
        What the agent holds.
    """
    own, rows = piece.variables[: piece.n], piece.rows[: piece.m]
    held = _renamed(problem.rows.tocsr(), rows, piece.variables)
    columns = _renamed(problem.rows.tocsc(), own, piece.rows)
    mine = np.isin(problem.discs[:, 0], own)
    local = replace(
        problem,
        quadratic=problem.quadratic[own],
        linear=problem.linear[own],
        lower=problem.lower[own],
        upper=problem.upper[own],
        soft_lower=problem.soft_lower[own],
        soft_upper=problem.soft_upper[own],
        penalty=problem.penalty[own],
        rows=sp.csr_matrix(held, shape=(piece.m, len(piece.variables))),
        row_lower=problem.row_lower[rows],
        row_upper=problem.row_upper[rows],
        row_penalty=problem.row_penalty[rows],
        variable_atom=np.zeros(piece.n, dtype=np.int64),
        row_atom=np.zeros(piece.m, dtype=np.int64),
        parent=np.full(1, -1, dtype=np.int64),
        discs=positions(own, problem.discs[mine].ravel()).reshape(-1, 2),
        disc_radius=problem.disc_radius[mine],
        cones=np.zeros((0, 4), dtype=np.int64),
        offset=0.0,
        n_state=int((own < problem.n_state).sum()),
        reach=None if problem.reach is None else problem.reach[own],
    )
    foreign = columns[0][columns[1] >= piece.m]
    return Part(local, sp.csc_matrix(columns, shape=(len(piece.rows), piece.n)), foreign)


def _renamed(
    matrix: sp.csr_matrix | sp.csc_matrix, lines: IntArray, across: IntArray
) -> tuple[FloatArray, IntArray, IntArray]:
    """Take whole lines (rows or columns) out of a matrix, in their order, with their places renamed."""
    sizes = np.diff(matrix.indptr)[lines]
    pointer = np.append(0, np.cumsum(sizes)).astype(np.int64)
    at = np.arange(pointer[-1]) - np.repeat(pointer[:-1] - matrix.indptr[lines], sizes)
    return matrix.data[at], positions(across, matrix.indices[at]), pointer
