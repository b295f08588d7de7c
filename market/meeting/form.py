"""Where a market's agents are: in one process and one loop, or each on its own and handed its part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.interior_point.clear import NOT_TRIED, Room, effort_of, negotiate_sweeps
from dlmp_cosim.market.interior_point.fronts import Plan
from dlmp_cosim.market.interior_point.parts import SweepCut, cut_sweeps, sweep_areas, sweep_parts
from dlmp_cosim.market.meeting.agent import Report
from dlmp_cosim.market.meeting.judge import AgentsLostError, judge
from dlmp_cosim.market.meeting.rules import WINDOWS, agent_name
from dlmp_cosim.market.meeting.shares import atom_parents, merge, renamed_sweep, renamed_ties
from dlmp_cosim.market.meeting.tasks import Answer, SweepTask, TalkTask, Task
from dlmp_cosim.market.pac.clear import (
    Effort,
    Talk,
    Warmth,
    begin,
    iteration_budget,
    negotiate_areas,
    negotiate_buses,
)
from dlmp_cosim.market.pac.negotiate import Negotiation, Start, Tuning, exchanged
from dlmp_cosim.market.pac.parts import talk_parts
from dlmp_cosim.market.pac.step_sizes import local_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.graph import ways_of
from dlmp_cosim.market.problem.prices import NetworkSolver
from dlmp_cosim.market.problem.solution import Multipliers, Solution
from dlmp_cosim.market.settings import MarketSettings

ATTEMPTS = 6
"""Times that agents are asked anew, each without those that were lost."""


class Hold(Protocol):
    """What carries a meeting: tasks out, reports back."""

    def hold(self, meeting: int, tasks: Mapping[int, Task]) -> Sequence[Report]:
        """Hold a meeting; agents of which nothing is heard have no report.

        Parameters
        ----------
        meeting : int
            Number of the meeting.
        tasks : mapping of int to Task
            What every agent is handed, by its number.
        """

    def close(self) -> None:
        """End the meetings of one clearing."""


@dataclass(frozen=True)
class Matter:
    """What agents are to agree on.

    Attributes
    ----------
    problem : AtomicProblem
        The problem of all buses.
    solver : NetworkSolver
        Its factorised network.
    area : ndarray of int, shape (n_atom,)
        Area of every atom, for negotiations of first order between areas.
    plan : Plan, optional
        Plan of its sweeps, for the method of second order.
    warmth : Warmth, optional
        What the clearing before left.
    settings : MarketSettings
        Method, tolerance, budget.
    tuning : Tuning
        How agents negotiate.
    """

    problem: AtomicProblem
    solver: NetworkSolver
    area: IntArray
    plan: Plan | None
    warmth: Warmth | None
    settings: MarketSettings
    tuning: Tuning

    def about(self, problem: AtomicProblem, area: IntArray) -> Matter:
        """State the same for other limits of resources and other areas.

        Parameters
        ----------
        problem : AtomicProblem
            The same problem with other limits of its resources.
        area : ndarray of int, shape (n_atom,)
            Area of every atom.
        """
        return replace(self, problem=problem, solver=replace(self.solver, problem=problem), area=area)


Sweeps = Callable[[AtomicProblem, Plan, Warmth | None, MarketSettings], tuple[Solution, Effort, Warmth]]


def agree(
    matter: Matter, sweeps: Sweeps = negotiate_sweeps, talk: Talk | None = None
) -> tuple[Solution, Effort, Warmth]:
    """Let agents agree by the settings' method.

    Parameters
    ----------
    matter : Matter
        What about.
    sweeps, talk : callable, optional
        What lets them sweep, or talk; by default at once, in this process.
    """
    problem, settings = matter.problem, matter.settings
    if matter.plan is not None:
        return sweeps(problem, matter.plan, matter.warmth, settings)
    start = begin(problem, matter.solver, matter.warmth)
    more = settings, matter.tuning, talk
    if settings.method == "pac-accelerated" and settings.agents:
        solution, effort, weight = negotiate_areas(problem, matter.solver, matter.area, start, *more)
    else:
        solution, effort, weight = negotiate_buses(problem, matter.solver, start, *more)
    return solution, effort, Warmth(solution.resources, solution.limits * problem.cost_unit, weight)


class Form(Protocol):
    """Where agents are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the last agreement."""

    def open(self, interval: int) -> None:
        """Say which interval is negotiated from now on."""

    def agree(self, matter: Matter, running: FloatArray) -> tuple[Solution, Effort, Warmth]:
        """Let agents agree; `running` is what resources run at, in the problem's units.

        Parameters
        ----------
        matter : Matter
            What about.
        running : ndarray, shape (n_resource_variable,)
            What resources run at, in the problem's units.
        """


class Together:
    """All agents in one process, in compiled loops."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._room = Room()

    def open(self, interval: int) -> None:
        """Nothing depends on the interval."""

    def agree(self, matter: Matter, running: FloatArray) -> tuple[Solution, Effort, Warmth]:
        """Let agents agree."""
        del running
        factors = matter.solver.factors
        return agree(matter, partial(negotiate_sweeps, room=self._room, factors=factors))


@dataclass
class _Absence:
    """An agent that takes no part in this interval, for how many in a row, and why."""

    reason: str
    intervals: int = 1
    out: bool = True


@dataclass
class Talked:
    """What the agreements of an interval took between agents apart.

    Attributes
    ----------
    meetings : int
        Meetings held.
    seconds : float
        How long they took together [s of the network].
    packets, bytes, repetitions : int
        What was sent.
    """

    meetings: int = 0
    seconds: float = 0.0
    packets: int = 0
    bytes: int = 0
    repetitions: int = 0

    def add(self, reports: Sequence[Report]) -> None:
        """Count a meeting in."""
        self.meetings += 1
        self.seconds += max((report.seconds for report in reports), default=0.0)
        self.packets += sum(report.packets for report in reports)
        self.bytes += sum(report.bytes for report in reports)
        self.repetitions += sum(report.repetitions for report in reports)


class Apart:
    """Agents that hold nothing but their own part, which a coordinator hands them for every meeting.

    Parameters
    ----------
    carrier : Hold
        Carries meetings.
    held_intervals : int
        Intervals in a row in which a lost agent is asked again, before it is islanded for good.
    """

    def __init__(self, carrier: Hold, held_intervals: int = 2) -> None:
        self._carrier, self._held = carrier, held_intervals
        self._interval, self._meeting, self._layout = 0, 0, 0
        self._absent: dict[int, _Absence] = {}
        self._agent_of = np.zeros(0, dtype=np.int64)
        self._cuts: SweepCut | None = None
        self.talked = Talked()

    @property
    def notes(self) -> tuple[str, ...]:
        """Who took no part, and why."""
        return tuple(
            f"{agent_name(k)} {item.reason}: "
            + ("islanded" if item.intervals > self._held else "held")
            + ", its resources at their last dispatch"
            for k, item in sorted(self._absent.items())
            if item.out
        )

    def open(self, interval: int) -> None:
        """Ask everybody again who is not islanded."""
        self._interval, self._meeting, self.talked = interval, 0, Talked()
        for absence in self._absent.values():
            absence.out = absence.intervals > self._held

    def agree(self, matter: Matter, running: FloatArray) -> tuple[Solution, Effort, Warmth]:
        """Let agents agree; those that get lost are left out, and the others begin again.

        Parameters
        ----------
        matter : Matter
            What about.
        running : ndarray, shape (n_resource_variable,)
            What resources run at, in the problem's units; those of lost agents are held there.

        Raises
        ------
        ClearingError
            When they do not agree in time, or nobody is left.
        """
        try:
            return self._insist(matter, running)
        finally:
            self._carrier.close()

    def _insist(self, matter: Matter, running: FloatArray) -> tuple[Solution, Effort, Warmth]:
        for _ in range(ATTEMPTS):
            try:
                found = self._attempt(matter, running)
            except AgentsLostError as error:
                self._lose(error.lost)
            else:
                for agent in [k for k, item in self._absent.items() if not item.out]:
                    del self._absent[agent]
                return found
        raise ClearingError(f"agents got lost again and again: {'; '.join(self.notes)}")

    def _attempt(self, matter: Matter, running: FloatArray) -> tuple[Solution, Effort, Warmth]:
        problem, n, count = matter.problem, matter.problem.n_state, matter.settings.agents
        if matter.plan is not None:
            area, up = sweep_areas(matter.plan, count), atom_parents(matter.plan)
        else:
            area = matter.area if count else np.arange(problem.n_atom)
            up = problem.parent
        out = {k for k, item in self._absent.items() if item.out}
        lower, upper = problem.lower.copy(), problem.upper.copy()
        held = n + np.flatnonzero(np.isin(area[problem.variable_atom[n:]], list(out)))
        lower[held] = upper[held] = np.clip(running[held - n], lower[held], upper[held])
        merged, numbers = merge(area, up, out)
        if not np.array_equal(numbers[merged], self._agent_of):
            self._agent_of, self._cuts, self._layout = numbers[merged], None, self._layout + 1
        self._numbers, self._merged = numbers, merged
        fixed = replace(problem, lower=lower, upper=upper) if len(held) else problem
        return agree(matter.about(fixed, merged), self._sweeps, self._talk)

    def _lose(self, lost: Mapping[int, str]) -> None:
        for agent, reason in lost.items():
            before = self._absent.get(agent)
            self._absent[agent] = _Absence(reason, before.intervals + 1 if before else 1)

    def _sweeps(
        self, problem: AtomicProblem, plan: Plan, start: Warmth | None, settings: MarketSettings
    ) -> tuple[Solution, Effort, Warmth]:
        """Let agents sweep, each over its own buses."""
        if self._cuts is None or self._cuts.plan is not plan:
            self._cuts, self._layout = cut_sweeps(problem, plan, self._merged), self._layout + 1
        n, total, cuts = problem.n_state, len(problem.linear), self._cuts
        kept = start is not None and start.multipliers is not None
        resumes = kept and start.multipliers.limits.shape[1] == total  # type: ignore[union-attr]
        dispatch = np.zeros(total - n) if start is None else start.dispatch
        own = [piece.variables[: piece.n] for piece in cuts.cuts]
        tasks = {
            int(number): SweepTask(
                renamed_sweep(part, self._numbers),
                dispatch[variables[variables >= n] - n],
                resumes,
                self._layout,
                settings.tolerance,
                settings.negotiation_rounds,
            )
            for number, part, variables in zip(self._numbers, sweep_parts(problem, cuts), own, strict=True)
        }
        answers = self._meet(tasks)
        resources, limits = np.zeros(total - n), np.zeros(n)
        for number, variables in zip(self._numbers, own, strict=True):
            resources[variables[variables >= n] - n] = answers[number].values
            limits[variables[variables < n]] = answers[number].duals
        converged, steps, primal, dual = answers[int(self._numbers[-1])].figures
        effort = NOT_TRIED
        if steps >= 0:
            effort = effort_of(plan, int(steps), primal, dual, converged=bool(converged))
        # The prices themselves stay with the agents; what is left here says that they have some.
        stays = Multipliers(np.empty((4, total)), np.zeros(0), np.zeros(0, dtype=np.int64))
        return Solution(resources, limits), effort, Warmth(resources, limits * problem.cost_unit, 1.0, stays)

    def _talk(
        self, problem: AtomicProblem, start: Start, settings: MarketSettings, tuning: Tuning
    ) -> Negotiation:
        """Let agents negotiate by messages of first order."""
        area = np.arange(problem.n_atom) if problem.n_atom == len(self._numbers) else self._merged
        parts, shares = talk_parts(problem, (tuning.gains or local_gains)(problem), start, area)
        ways = ways_of(problem)
        most = iteration_budget(ways.sweep, settings, tuning)
        tasks = {
            int(number): TalkTask(
                replace(part, ties=renamed_ties(part.ties, self._numbers)),
                settings.tolerance,
                most,
                tuning.check_every,
                tuning.restart,
            )
            for number, part in zip(self._numbers, parts, strict=True)
        }
        answers = self._meet(tasks)
        x, y = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
        for number, variables, rows in zip(self._numbers, shares.variables, shares.rows, strict=True):
            x[variables], y[rows] = answers[number].values, answers[number].duals
        reached, done, primal, dual, weight, restarts = answers[int(self._numbers[0])].figures
        checks = int(done) // tuning.check_every + (int(restarts) + 1 if done else 0)
        talked = exchanged(ways, int(done), checks)
        return Negotiation(
            x=x,
            y=y,
            converged=bool(reached),
            iterations=int(done),
            rounds=talked.rounds,
            messages=talked.messages,
            scalars=talked.scalars,
            sweep=talked.sweep,
            primal_residual=primal,
            dual_residual=dual,
            weight=weight,
            restarts=int(restarts),
            trace=np.empty((0, 3)),
        )

    def _meet(self, tasks: Mapping[int, Task]) -> dict[int, Answer]:
        """Hold a meeting and judge its reports."""
        if self._meeting >= WINDOWS:
            raise ClearingError(f"the agents met {WINDOWS} times in one interval and are not done")
        number = self._interval * WINDOWS + self._meeting
        self._meeting += 1
        reports = self._carrier.hold(number, tasks)
        self.talked.add(reports)
        return judge(tasks, reports)
