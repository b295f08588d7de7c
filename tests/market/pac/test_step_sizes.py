"""Steps chosen by neighbours: the bound that guarantees convergence, and what cones need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import svds

from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.pac.areas import condense, partition
from dlmp_cosim.market.pac.step_sizes import Gains, atom_gains, local_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem, with_copies
from dlmp_cosim.market.settings import MarketSettings
from tests.market.conftest import Situation


def norm(problem: AtomicProblem, gains: Gains) -> float:
    """Largest singular value of the rows in the metric of the steps."""
    scaled = sp.diags(np.sqrt(gains.sigma)) @ problem.rows @ sp.diags(np.sqrt(gains.tau))
    if min(scaled.shape) < 30:
        return float(np.linalg.norm(scaled.toarray(), 2))
    return float(svds(scaled.tocsc(), k=1, v0=np.ones(min(scaled.shape)), return_singular_vectors=False)[0])


Choice = Callable[[AtomicProblem], Gains]
CHOICES: dict[str, Choice] = {
    "local": local_gains,
    "local, as scaled by the model": lambda problem: local_gains(problem, passes=0),
    "one pair an atom": lambda problem: atom_gains(problem, 100.0),
    "one pair an atom, balanced": lambda problem: atom_gains(problem, 1.0),
}


@pytest.mark.parametrize("form", ["plain", "copies", "areas"])
@pytest.mark.parametrize("name", CHOICES)
def test_steps_of_the_real_feeder_are_below_the_bound(sagging: Situation, name: str, form: str) -> None:
    model = NodalModel(sagging.network, MarketSettings())
    anchor = model.anchor(sagging.state, sagging.demand, sagging.offers)
    problem = model.problem(anchor, sagging.offers, WholesalePrice(26.7))
    if form == "copies":
        problem = with_copies(problem)
    if form == "areas":
        watched = np.flatnonzero(problem.penalty[: problem.n_state] > 0)
        problem = condense(problem, partition(problem.parent, 8), watched).problem
    gains = CHOICES[name](problem)
    assert np.all(gains.tau > 0)
    assert np.all(gains.sigma > 0)
    found = norm(problem, gains)
    assert found <= 1 + 1e-9
    # Steps far below the bound would crawl.
    assert found > 0.3


def bare(rows: np.ndarray, atoms: int = 1) -> AtomicProblem:
    """A problem of nothing but rows, dealt out to atoms in turn."""
    m, n = rows.shape
    return AtomicProblem(
        quadratic=np.zeros(n),
        linear=np.zeros(n),
        lower=np.full(n, -np.inf),
        upper=np.full(n, np.inf),
        soft_lower=np.full(n, -np.inf),
        soft_upper=np.full(n, np.inf),
        penalty=np.zeros(n),
        rows=sp.csr_matrix(rows),
        row_lower=np.zeros(m),
        row_upper=np.zeros(m),
        row_penalty=np.full(m, np.inf),
        variable_atom=np.arange(n) % atoms,
        row_atom=np.arange(m) % atoms,
        parent=np.arange(-1, atoms - 1),
        discs=np.zeros((0, 2), dtype=np.int64),
        disc_radius=np.zeros(0),
        cones=np.zeros((0, 4), dtype=np.int64),
        offset=0.0,
        cost_unit=1.0,
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 8), st.integers(4, 10), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_any_rows_are_below_the_bound(m: int, n: int, atoms: int, seed: int) -> None:
    """Entries over eight orders of magnitude, empty rows and columns, with and without cones."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-4, 4, (m, n)) * (rng.random((m, n)) < 0.5)
    problem = bare(rows, atoms)
    for item in (problem, replace(problem, cones=np.array([[0, 1, 2, 3]]))):
        for choose in CHOICES.values():
            gains = choose(item)
            assert np.all(np.isfinite(gains.tau) & (gains.tau > 0))
            assert np.all(np.isfinite(gains.sigma) & (gains.sigma > 0))
            assert norm(item, gains) <= 1 + 1e-9
            if len(item.cones):
                tau = gains.tau
                assert tau[0] == tau[1]
                assert tau[2] * tau[3] == pytest.approx((2 * tau[0]) ** 2, rel=1e-12)
                assert np.all(tau <= choose(problem).tau * (1 + 1e-12))


def test_an_atom_has_one_primal_and_one_dual_step() -> None:
    rng = np.random.default_rng(3)
    problem = bare(rng.normal(size=(9, 12)), atoms=3)
    gains = atom_gains(problem, 25.0)
    for atom in range(3):
        assert len(set(gains.tau[problem.variable_atom == atom].tolist())) == 1
        assert len(set(gains.sigma[problem.row_atom == atom].tolist())) == 1
    steeper = atom_gains(problem, 100.0)
    assert np.allclose(steeper.tau, gains.tau / 2)
    assert np.allclose(steeper.sigma, gains.sigma * 2)


def test_ten_passes_of_scaling_are_enough(sagging: Situation) -> None:
    model = NodalModel(sagging.network, MarketSettings())
    anchor = model.anchor(sagging.state, sagging.demand, sagging.offers)
    problem = model.problem(anchor, sagging.offers, WholesalePrice(26.7))
    few, many = local_gains(problem), local_gains(problem, passes=60)
    assert np.abs(few.tau / many.tau - 1).max() < 0.01
    assert np.abs(few.sigma / many.sigma - 1).max() < 0.01
