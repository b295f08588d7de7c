"""Copies of a circuit are the circuit many times; a clearing of them costs as many times as much."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.feeders.admittance import nodal_admittance
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.runners.measure import scaling
from dlmp_cosim.runners.measure.bench import bench_command
from dlmp_cosim.runners.measure.clarabel_direct import solve_directly
from dlmp_cosim.runners.measure.growth import draw_growth, show_growth
from dlmp_cosim.runners.measure.scaling import (
    PRICE,
    SETTINGS,
    Growth,
    Subject,
    copied,
    growth_exponent,
    measure_growth,
    open_subject,
)
from tests.circuits import OWN
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_method import agree, optimum

MIXED = OWN / "mixed.dss"


@pytest.fixture(scope="module")
def subject() -> Subject:
    return open_subject(MIXED)


def test_currents_of_copies_balance(subject: Subject) -> None:
    """What leaves every node through elements is that of the circuit; the head gives all of it."""
    three = copied(subject, 3)
    one_v = subject.state.voltage * subject.network.base_v
    many_v = three.state.voltage * three.network.base_v
    one = nodal_admittance(subject.network, subject.state.admittance) @ one_v
    many = nodal_admittance(three.network, three.state.admittance) @ many_v
    shared = len(subject.network.buses[0].phases)
    scale = np.abs(one).max()
    np.testing.assert_allclose(many[shared:], np.tile(one[shared:], 3), atol=1e-9 * scale)
    np.testing.assert_allclose(three.state.head, 3 * subject.state.head)


def test_copies_clear_as_the_circuit_does(subject: Subject) -> None:
    three = copied(subject, 3)
    alone, many = (
        NodalMarket(s.network, SETTINGS).clear(s.state, s.network.listed_demand, s.offers, PRICE)
        for s in (subject, three)
    )
    assert many.status == "solved"
    assert many.cost == pytest.approx(3 * alone.cost, rel=1e-6)
    np.testing.assert_allclose(many.dispatch, np.tile(alone.dispatch, 3), atol=0.05)


def test_one_copy_is_the_circuit_itself(subject: Subject) -> None:
    assert copied(subject, 1).network is subject.network


def test_the_yardstick_finds_the_optimum() -> None:
    problem = network(chain(6), low=-0.5, per_bus=2)
    cost, took, ended = solve_directly(problem)
    assert cost == pytest.approx(optimum(problem)[0], abs=1e-6)
    assert agree(problem).converged
    assert took > 0
    assert ended == "Solved"


def growth(nodes: int, cold: float) -> Growth:
    return Growth("x", nodes, 1, 1, 2, 4, 4, 0.0, cold, cold, cold, "Solved", None, 0.0)


def test_the_exponent_is_that_of_a_power_law() -> None:
    assert growth_exponent([growth(n, 3e-5 * n**1.2) for n in (40, 300, 9000)]) == pytest.approx(1.2)


def test_times_are_drawn(tmp_path: Path) -> None:
    draw_growth([growth(40, 0.1), growth(9000, 2.0)], tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_circuits_are_measured_from_the_command_line() -> None:
    told = CliRunner().invoke(
        bench_command, ["--circuit", str(MIXED), "--copies", "2", "--repeats", "1", "--json"]
    )
    assert told.exit_code == 0, told.output
    first, second = json.loads(told.output)["circuits"]
    assert second["resources"] == 2 * first["resources"]
    assert max(first["gap"], second["gap"]) < 1e-4
    assert min(first["cvxpy"], second["cvxpy"]) > 0


def test_what_is_too_large_for_cvxpy_is_not_stated_there(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scaling, "CENTRAL_NODES", 1)
    found = measure_growth(subject, 1)
    assert found.cvxpy is None
    show_growth([found], as_json=False)
    assert "too large" in capsys.readouterr().out


def test_copies_of_nothing_are_refused() -> None:
    told = CliRunner().invoke(bench_command, ["--copies", "2"])
    assert told.exit_code == 2
    assert "--circuit" in told.output
