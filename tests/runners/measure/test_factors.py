"""Every way to solve that is installed solves, and none changes what is solved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.runners.measure import factors
from dlmp_cosim.runners.measure.factors import (
    Way,
    bus_by_bus,
    main,
    measure,
    network_rows,
    pardiso,
    stated,
    suitesparse,
    superlu,
)
from tests.circuits import path_of

MASTER = path_of("mixed")


@pytest.fixture(scope="module")
def problem() -> AtomicProblem:
    assert MASTER is not None
    return stated(MASTER)


@pytest.fixture(scope="module")
def rows(problem: AtomicProblem) -> sp.csc_matrix:
    return network_rows(problem)


def test_bus_by_bus_solves(problem: AtomicProblem, rows: sp.csc_matrix) -> None:
    (way,) = bus_by_bus(problem)
    timed = measure(rows, way, 1)
    assert timed.missed < 1e-8
    assert 0.0 < timed.again <= timed.factor


def test_rows_are_those_of_the_network_and_determine_it(rows: sp.csc_matrix) -> None:
    n = rows.shape[0]
    assert rows.shape == (n, n)
    assert np.linalg.matrix_rank(rows.toarray()) == n


def test_every_ordering_of_superlu_solves(rows: sp.csc_matrix) -> None:
    timed = [measure(rows, way, 1) for way in superlu(rows)]
    assert len({each.solver for each in timed}) == 6
    for each in timed:
        assert each.missed < 1e-8
        assert 0.0 < each.again <= each.factor


def test_slow_orderings_are_left_out_where_rows_are_many() -> None:
    many = sp.identity(factors.NATURAL_UP_TO + 1, format="csc")
    assert not any("ATA" in way.solver for way in superlu(many))


def test_what_is_not_installed_is_left_out(rows: sp.csc_matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factors, "find_spec", {}.get)
    assert suitesparse(rows) == pardiso(rows) == []


@pytest.mark.parametrize(
    ("library", "find", "names"),
    [
        ("kvxopt", suitesparse, ["KLU", "UMFPACK"]),
        ("pypardiso", pardiso, ["PARDISO"]),
    ],
)
def test_others_solve_the_same_where_they_are_installed(
    rows: sp.csc_matrix, library: str, find: Callable[[sp.csc_matrix], list[Way]], names: list[str]
) -> None:
    pytest.importorskip(library)
    timed = [measure(rows, way, 1) for way in find(rows)]
    assert [each.solver for each in timed] == names
    assert all(each.missed < 1e-8 for each in timed)


def test_a_table_a_circuit_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(MASTER)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mixed: ")
    assert lines[1].split("\t") == ["solver", "factor [ms]", "again [ms]", "solve [ms]", "residual"]


def test_no_circuit_is_an_error() -> None:
    with pytest.raises(InputError, match="master files of OpenDSS"):
        main([])
