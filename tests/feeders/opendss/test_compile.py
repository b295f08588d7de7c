"""A circuit compiled: its options, its voltage bases, the tolerance that its power flow comes down to."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.compile import (
    MIN_CONTROL_ITERATIONS,
    MIN_ITERATIONS,
    OFF,
    compile_case,
    settle,
)
from tests.circuits import written
from tests.feeders.opendss.small import BASES, LINE, LOAD, REGULATED, SOURCE, STEP_UP, Compiled


class Stubborn:
    """A solution that converges once its tolerance is loose enough."""

    def __init__(self, reached: float) -> None:
        self.reached, self.tried = reached, list[float]()
        self.Tolerance, self.Converged = 1.0, False

    def Solve(self) -> None:  # noqa: N802 - as OpenDSS calls it
        self.tried.append(self.Tolerance)
        self.Converged = self.Tolerance >= self.reached


@pytest.mark.parametrize(
    ("reached", "loosest", "tried", "solved"),
    [
        pytest.param(1e-10, 1e-8, [1e-10], True, id="at once"),
        pytest.param(1e-9, 1e-8, [1e-10, 1e-9], True, id="by ten"),
        pytest.param(3e-9, 1e-8, [1e-10, 1e-9, 1e-8], True, id="down to what it reaches"),
        pytest.param(5e-9, 5e-9, [1e-10, 1e-9, 5e-9], True, id="no looser than allowed"),
        pytest.param(1e-6, 1e-8, [1e-10, 1e-9, 1e-8], False, id="never"),
        pytest.param(1e-6, 1e-12, [1e-10], False, id="not to be loosened"),
    ],
)
def test_a_tolerance_is_loosened_by_tens_until_it_is_reached(
    reached: float, loosest: float, tried: list[float], solved: bool
) -> None:
    solution = Stubborn(reached * (1 - 1e-9))
    assert settle(solution, 1e-10, loosest) is solved
    assert solution.tried == pytest.approx(tried, rel=1e-12)


@pytest.mark.parametrize(
    ("own", "iterations", "control"),
    [
        ("set maxiterations=7 maxcontroliter=9", MIN_ITERATIONS, MIN_CONTROL_ITERATIONS),
        ("set maxiterations=300 maxcontroliter=400", 300, 400),
    ],
)
def test_iterations_are_raised_and_never_lowered(own: str, iterations: int, control: int) -> None:
    solution = Compiled(LOAD, own).circuit.Solution
    assert (solution.MaxIterations, solution.MaxControlIterations) == (iterations, control)


def test_controls_are_at_rest_whatever_the_file_says() -> None:
    """A load that pulls the voltage far out of the band moves no tap."""
    heavy = LOAD.replace("kw=300", "kw=2500")
    compiled = Compiled(heavy, STEP_UP, REGULATED, "set mode=daily controlmode=static")
    assert compiled.circuit.Solution.ControlMode == OFF
    assert compiled.circuit.Solution.ModeID.lower().startswith("snap")
    compiled.circuit.Transformers.Name = "t"
    compiled.circuit.Transformers.Wdg = 2
    assert compiled.circuit.Transformers.Tap == 1.0


def test_what_the_engine_held_before_is_gone() -> None:
    compiled = Compiled(LOAD)
    other = written("\n".join((SOURCE, LINE, LOAD.replace("load.b", "load.other"), *BASES)))
    assert list(compile_case(compiled.engine, other, tolerance=1e-8).Loads.AllNames) == ["other"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        Compiled(case=Case("x", path=tmp_path))
    assert str(error.value) == f"{tmp_path}: there is no such file; expected the master file of a circuit"


@pytest.mark.parametrize("folder", ["two words", "it's", "Größe", "a(b)[c]", "50%", "x=y,z"])
def test_a_file_may_lie_in_a_folder_of_any_name(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "Master.dss"
    path.parent.mkdir()
    path.write_text("\n".join(("clear", SOURCE, LINE, LOAD, *BASES)), encoding="utf-8")
    assert Compiled(case=Case("mine", path=path)).circuit.NumBuses == 2


def bases_of(*lines: str) -> dict[str, float]:
    """Base of every bus between phases, after commands that stand for a whole file [kV]."""
    circuit = Compiled(LOAD, bases=lines).circuit
    found = {}
    for k, name in enumerate(circuit.AllBusNames):
        circuit.SetActiveBusi(k)
        found[name] = round(circuit.ActiveBus.kVBase * math.sqrt(3.0), 6)
    return found


LATE = "new line.bz bus1=b bus2=z length=0.1"
LEVELS = "set voltagebases=[4.16]"


@pytest.mark.parametrize(
    ("lines", "bases"),
    [
        pytest.param((LEVELS, "calcvoltagebases"), {"s": 4.16, "b": 4.16}, id="as the file has them"),
        pytest.param((LEVELS,), {"s": 4.16, "b": 4.16}, id="of the levels alone"),
        pytest.param(
            (LEVELS, "calcvoltagebases", LATE), {"s": 4.16, "b": 4.16, "z": 4.16}, id="for a late bus"
        ),
        pytest.param(
            (LEVELS, "calcvoltagebases", "setkvbase bus=s kvll=4.2", LATE),
            {"s": 4.2, "b": 4.16, "z": 4.16}, id="beside one that was set",
        ),
        pytest.param(
            ("makebuslist", "setkvbase bus=s kvll=4.2", "setkvbase bus=b kvll=4.3"), {"s": 4.2, "b": 4.3},
            id="set without levels",
        ),
    ],
)  # fmt: skip
def test_bases_are_derived_only_where_there_is_none(lines: tuple[str, ...], bases: dict[str, float]) -> None:
    assert bases_of(*lines) == bases


def test_a_file_without_levels_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "Master.dss"
    path.write_text("\n".join(("clear", SOURCE, LINE, LOAD)))
    with pytest.raises(InputError) as error:
        Compiled(case=Case("mine", path=path))
    assert str(error.value) == (
        f"{path}: no bus has a voltage base; "
        "expected 'set voltagebases=[...]' (kV between phases) and 'calcvoltagebases' at its end"
    )
