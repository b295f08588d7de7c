"""How long the rows of a network take, bus by bus along the sweeps' fronts, and with sparse solvers.

``python -m dlmp_cosim.runners.measure.factors MASTER.dss ...`` factorises the rows by which a clearing
recovers prices, and solves for as many right-hand sides as prices have causes. SuperLU comes with SciPy; KLU
and UMFPACK are tried where kvxopt is installed, PARDISO where pypardiso is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from rich.console import Console

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.factors import factorise
from dlmp_cosim.runners.measure.scaling import PRICE, SETTINGS, open_subject
from dlmp_cosim.runners.plain_table import Rows

T = TypeVar("T")

REPEATS = 5
CAUSES = 3
"""Right-hand sides: the head, voltage limits, ratings."""
ORDERINGS = ("COLAMD", "MMD_AT_PLUS_A", "MMD_ATA")
NATURAL_UP_TO = 5_000
"""Rows up to which the slow orderings are tried."""


@dataclass(frozen=True)
class Timed:
    """What one solver takes for one matrix.

    Attributes
    ----------
    solver : str
        Name, and how it was asked to order.
    factor, solve : float
        Processor time to factorise, the choice of an order with it, and to solve [s].
    again : float
        Processor time to factorise other numbers of the same pattern [s].
    missed : float
        Largest residual of the solution.
    """

    solver: str
    factor: float
    again: float
    solve: float
    missed: float


@dataclass(frozen=True)
class Way:
    """One way to solve: an order from the pattern, factors from the numbers, then solutions."""

    solver: str
    order: Callable[[], Any]
    factor: Callable[[Any], Any]
    solve: Callable[[Any, Any, FloatArray], FloatArray]


def stated(path: Path) -> AtomicProblem:
    """State a circuit's market as a clearing does, at listed demand.

    Parameters
    ----------
    path : Path
        Master file of OpenDSS.

    Raises
    ------
    FeederError
        When OpenDSS does not compile or solve it.
    """
    subject = open_subject(path)
    model = NodalModel(subject.network, SETTINGS)
    anchor = model.anchor(subject.state, subject.network.listed_demand, subject.offers)
    return model.problem(anchor, subject.offers, PRICE)


def network_rows(problem: AtomicProblem) -> sp.csc_matrix:
    """Rows of a problem's network in its own variables, shape (n_state, n_state)."""
    return problem.rows[: problem.n_state, : problem.n_state].tocsc()


def bus_by_bus(problem: AtomicProblem) -> list[Way]:
    """Go by the fronts of the sweeps; their order is that of a plan, which a market makes once."""
    return [
        Way(
            "bus by bus",
            lambda: make_plan(problem).network,
            lambda fronts: factorise(problem.rows, problem.n_state, fronts),
            lambda _, factors, right: np.stack([factors.solve(column) for column in right.T], axis=1),
        )
    ]


def superlu(matrix: sp.csc_matrix) -> list[Way]:
    """SuperLU by its orderings; pivots from the diagonal where the pattern is taken to be symmetric."""
    ways = []
    for ordering in ORDERINGS if matrix.shape[0] <= NATURAL_UP_TO else ORDERINGS[:2]:
        for symmetric in (False, True):
            options = {"options": {"SymmetricMode": True}, "diag_pivot_thresh": 1e-3} if symmetric else {}
            factor = partial(sla.splu, matrix, permc_spec=ordering, **options)
            name = f"SuperLU, {ordering}" + (", symmetric" if symmetric else "")
            ways.append(
                Way(name, lambda: None, lambda _, factor=factor: factor(), lambda _, f, b: f.solve(b))  # type: ignore[misc]
            )
    return ways


def suitesparse(matrix: sp.csc_matrix) -> list[Way]:
    """KLU and UMFPACK, by kvxopt's wheel."""
    if find_spec("kvxopt") is None:
        return []
    kvxopt, entries = import_module("kvxopt"), matrix.tocoo()
    a = kvxopt.spmatrix(entries.data, entries.row, entries.col, matrix.shape)

    def solved(solve: Callable[..., None], before: Sequence[Any], right: FloatArray) -> FloatArray:
        answer = kvxopt.matrix(right)
        solve(a, *before, answer)
        return np.array(answer)

    klu, umfpack = import_module("kvxopt.klu"), import_module("kvxopt.umfpack")
    return [
        Way(
            "KLU",
            partial(klu.symbolic, a),
            partial(klu.numeric, a),
            lambda o, f, b: solved(klu.solve, (o, f), b),
        ),
        Way(
            "UMFPACK",
            partial(umfpack.symbolic, a),
            partial(umfpack.numeric, a),
            lambda _, f, b: solved(umfpack.solve, (f,), b),
        ),
    ]


def pardiso(matrix: sp.csc_matrix) -> list[Way]:
    """PARDISO of Intel's MKL, by pypardiso; every factorisation is of all of it."""
    if find_spec("pypardiso") is None:
        return []
    solver, rows = import_module("pypardiso").PyPardisoSolver(), matrix.tocsr()
    return [
        Way(
            "PARDISO",
            lambda: None,
            lambda _: solver.factorize(rows),
            lambda _, __, right: np.asarray(solver.solve(rows, right)),
        )
    ]


def measure(matrix: sp.csc_matrix, way: Way, repeats: int = REPEATS) -> Timed:
    """Time one way on one matrix; medians count.

    Parameters
    ----------
    matrix : csc_matrix, shape (n, n)
        The rows.
    way : Way
        How to solve.
    repeats : int
        Times that each part is timed.
    """
    right = np.random.default_rng(0).standard_normal((matrix.shape[0], CAUSES))
    ordering, order = _timed(way.order, repeats)
    factoring, factors = _timed(lambda: way.factor(order), repeats)
    solving, x = _timed(lambda: way.solve(order, factors, right), repeats)
    missed = float(np.abs(matrix @ x - right).max())
    return Timed(way.solver, ordering + factoring, factoring, solving, missed)


def _timed(call: Callable[[], T], repeats: int) -> tuple[float, T]:
    times = []
    for _ in range(repeats):
        began = time.process_time()
        result = call()
        times.append(time.process_time() - began)
    return median(times), result


def main(arguments: Sequence[str]) -> int:
    """Print one table a circuit.

    Parameters
    ----------
    arguments : sequence of str
        Master files.

    Raises
    ------
    InputError
        When none is given.
    """
    if not arguments:
        raise InputError("no circuit is named", where="factors", expected="master files of OpenDSS")
    console = Console()
    for path in map(Path, arguments):
        problem = stated(path)
        matrix = network_rows(problem)
        title = f"{path.stem}: {matrix.shape[0]} rows, {matrix.nnz} entries"
        rows = Rows("solver", "factor [ms]", "again [ms]", "solve [ms]", "residual", title=title)
        for way in (*bus_by_bus(problem), *superlu(matrix), *suitesparse(matrix), *pardiso(matrix)):
            timed = measure(matrix, way)
            times = (f"{1e3 * part:.2f}" for part in (timed.factor, timed.again, timed.solve))
            rows.add_row(timed.solver, *times, f"{timed.missed:.0e}")
        rows.print(console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
