"""What the steps of one part share: the plan, room for numbers, and the solution of a linear system.

One agent may hold the whole problem, or each its part of it: the steps are the same, and where an agent needs
a number of another's it asks its neighbours (`market.agents.neighbours`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.neighbours import ALONE, BrokenWordError, Kind, Neighbours
from dlmp_cosim.market.interior_point.condensed import Condensed
from dlmp_cosim.market.interior_point.fronts import BoolArray, Fronts, Plan
from dlmp_cosim.market.interior_point.parts import ALL, Crossing, SweepPart
from dlmp_cosim.market.interior_point.sweeps import Store, System, make_store, sweep_down, sweep_up
from dlmp_cosim.market.problem.atoms import AtomicProblem, leave_room
from dlmp_cosim.market.problem.factors import Factors, WholeFactors

CONSISTENT = 1e-6
"""Share of its terms by which a row may be missed that holds but for rounding."""


@dataclass(frozen=True)
class Workspace:
    """An agent's part ready to be iterated on.

    Attributes
    ----------
    problem : AtomicProblem
        Own variables and rows; the rows are equalities.
    columns : sparse matrix, shape (n, m_known)
        Entries of all rows that own variables are in, variable by variable.
    fronts : Fronts
        Fronts that the agent eliminates.
    crossing : Crossing
        Where they meet those of neighbours.
    direct : ndarray of bool, shape (n,)
        Which variables answer directly.
    curved : bool
        Whether anybody has a disc.
    store : Store
        Room for messages.
    system : System
        The linear system of the next step.
    curve : ndarray, shape (n,)
        Second derivatives of the costs; infinite for variables without room, which are known and stay.
    near : Neighbours
        Whom the agent talks to.
    condensed : Condensed, optional
        What solves without sweeps where it can; an agent has it that holds the whole problem, factorised.
    """

    problem: AtomicProblem
    columns: sp.csr_matrix | sp.csc_matrix
    fronts: Fronts
    crossing: Crossing
    direct: BoolArray
    curved: bool
    store: Store
    system: System
    curve: FloatArray
    near: Neighbours
    condensed: Condensed | None = None

    @property
    def n(self) -> int:
        """Number of own variables."""
        return len(self.curve)

    @property
    def n_known(self) -> int:
        """Number of variables that the agent has to know of, its own first."""
        return len(self.system.curve)

    def with_others(self, x: FloatArray) -> FloatArray:
        """Make room beside own variables for those of others."""
        known = np.zeros(self.n_known)
        known[: self.n] = x
        return known

    async def solve(
        self, x: FloatArray, t: float, *, sound: bool = True
    ) -> tuple[FloatArray, FloatArray] | None:
        """Solve the system around `x` by one sweep up and one down, or condensed.

        Parameters
        ----------
        x : ndarray, shape (n_known,)
            Variables before the step; those of others are filled in.
        t : float
            What the products of slacks and prices are to become.
        sound : bool
            Whether the agent's own system may be solved.

        Returns
        -------
        tuple of ndarray, shape (n_known,) and (m_known,), or None
            Step and multipliers of the rows; None when an agent's equations do not determine its part.
        """
        await self.near.share_values(x)
        self.system.right[:] = self.problem.row_lower - self.problem.rows @ x
        found = self.condensed.solve(self.system, t) if self.condensed and sound else None
        if found is not None:
            return found
        known = np.zeros(self.n_known), np.zeros(self.columns.shape[1])
        if not await self._up(known, sound=sound):
            return None
        sweep_down(self.fronts, self.system, self.store, t, *known)
        self._answer(known, sound=True)
        return known

    def check(self, x: FloatArray) -> None:
        """Hold what neighbours say that they agreed on against own rows, which hold after every step.

        Parameters
        ----------
        x : ndarray, shape (n_known,)
            Own variables, and what others told of theirs.

        Raises
        ------
        BrokenWordError
            When a row does not hold that reads a neighbour.
        """
        miss = np.abs(self.problem.row_lower - self.problem.rows @ x)
        size = 1.0 + abs(self.problem.rows) @ np.abs(x)
        worst = int(np.argmax(miss / size))
        if not miss[worst] > CONSISTENT * size[worst]:
            return
        read = self.problem.rows.indices[
            self.problem.rows.indptr[worst] : self.problem.rows.indptr[worst + 1]
        ]
        for halo in self.near.ties.halos:
            if np.isin(halo.hear_values, read).any():
                reason = f"says what a row between the two misses by {miss[worst]:.2g}: it is inconsistent"
                raise BrokenWordError(halo.area, reason)

    async def _up(self, known: tuple[FloatArray, FloatArray], *, sound: bool) -> bool:
        """Take in summaries, eliminate, pass the own one on, and wait for the answer: whether all could."""
        fronts, store, crossing = self.fronts, self.store, self.crossing
        for area, ghost in zip(crossing.areas, crossing.ghosts, strict=True):
            room = slice(store.sent_ptr[ghost], store.sent_ptr[ghost + 1])
            words = await self.near.hear(area, Kind.SUMMARY, 1 + room.stop - room.start)
            sound = sound and words[0] > 0.0
            store.sent[room] = words[1:]
        sound = sound and sweep_up(fronts, self.system, store) < 0
        if crossing.up >= 0:
            top = crossing.top
            summary = store.sent[store.sent_ptr[top] : store.sent_ptr[top + 1]]
            self.near.say(
                crossing.up, Kind.SUMMARY, np.append(float(sound), summary if sound else 0 * summary)
            )
            edge = fronts.edge[fronts.edge_ptr[top] : fronts.edge_ptr[top + 1]]
            words = await self.near.hear(crossing.up, Kind.ANSWER, 1 + len(edge))
            sound = words[0] > 0.0
            variable = edge < self.n_known
            known[0][edge[variable]] = words[1:][variable]
            known[1][edge[~variable] - self.n_known] = words[1:][~variable]
        if not sound:
            self._answer(known, sound=False)
        return sound

    def _answer(self, known: tuple[FloatArray, FloatArray], *, sound: bool) -> None:
        """Tell neighbours away from the root what their summaries ask for."""
        if not self.crossing.areas:
            return
        everything = np.concatenate(known)
        for area, ghost in zip(self.crossing.areas, self.crossing.ghosts, strict=True):
            edge = self.fronts.edge[self.fronts.edge_ptr[ghost] : self.fronts.edge_ptr[ghost + 1]]
            self.near.say(area, Kind.ANSWER, np.append(float(sound), everything[edge]))


def make_workspace(
    problem: AtomicProblem,
    plan: Plan,
    store: Store | None = None,
    factors: Factors | WholeFactors | None = None,
) -> Workspace:
    """Make room for the steps of an agent that holds the whole problem.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    plan : Plan
        Plan of its pattern.
    store : Store, optional
        Room that an earlier problem of this plan has left; what is in it is forgotten.
    factors : Factors or WholeFactors, optional
        Factors of the network's rows, where they are at hand.
    """
    if store is not None:
        store.seen[:, :] = np.nan
    return Workspace(
        problem=problem,
        columns=problem.rows.T,
        fronts=plan.fronts,
        crossing=ALL,
        direct=plan.direct,
        curved=bool(len(problem.disc_radius)),
        store=store or make_store(plan.fronts, len(problem.linear)),
        system=new_system(problem),
        curve=own_curve(problem),
        near=ALONE,
        condensed=None if factors is None else Condensed(problem, factors),
    )


def part_workspace(sweep: SweepPart, near: Neighbours) -> Workspace:
    """Make room for the steps of one agent among others.

    Parameters
    ----------
    sweep : SweepPart
        What it knows.
    near : Neighbours
        Whom it talks to.
    """
    part, fronts = sweep.part, sweep.fronts
    problem = leave_room(part.problem)
    # Fronts of neighbours have room for their summaries and nothing of their own.
    own_ptr = np.append(fronts.own_ptr, np.full(len(sweep.crossing.ghosts), fronts.own_ptr[-1]))
    entries = np.append(problem.rows.data, part.foreign)
    return Workspace(
        problem=problem,
        columns=part.columns.T,
        fronts=fronts,
        crossing=sweep.crossing,
        direct=sweep.direct,
        curved=sweep.curved,
        store=make_store(fronts._replace(own_ptr=own_ptr), part.n_known),
        system=new_system(problem)._replace(entries=entries),
        curve=own_curve(problem),
        near=near,
    )


def new_system(problem: AtomicProblem) -> System:
    """Make room for the numbers of a step; rows may have columns for variables of others."""
    n = problem.rows.shape[1]
    mate = np.full(n, -1, dtype=np.int64)
    mate[problem.discs[:, 0]], mate[problem.discs[:, 1]] = problem.discs[:, 1], problem.discs[:, 0]
    right = np.zeros(len(problem.row_lower))
    return System(problem.rows.data, np.zeros(n), np.zeros(n), np.zeros((2, n)), right, mate)


def own_curve(problem: AtomicProblem) -> FloatArray:
    """Second derivatives of the costs, shape (n,); infinite for variables without room."""
    return np.where(problem.lower == problem.upper, np.inf, problem.quadratic)
