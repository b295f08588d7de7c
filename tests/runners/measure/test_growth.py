"""Tests of the table and JSON of circuits of every size: what a cell says, and what the slope is."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.runners.measure.growth import grow, show_growth
from dlmp_cosim.runners.measure.scaling import Growth, growth_exponent

SMALL = Growth("small", 40, 3, 2, 12, 60, 24, 0.5, 0.01234567, 0.004, 0.02, "Solved", 0.3, 2.5e-7)
LARGE = replace(SMALL, name="large", nodes=4000, cold=1.234567, clarabel_ended="AlmostSolved", cvxpy=None)


def shown(capsys: pytest.CaptureFixture[str], *found: Growth) -> dict[str, list[str]]:
    show_growth(found, as_json=False)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines() if "\t" in line]
    return {head: cells for head, *cells in rows}


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("", ["small", "large"]),
        ("nodes", ["40", "4,000"]),
        ("resources", ["3", "3"]),
        ("limits with a price", ["2", "2"]),
        ("hops of a step", ["12", "12"]),
        ("rounds, cold", ["60", "60"]),
        ("rounds, warm", ["24", "24"]),
        ("set-up [s]", ["0.5", "0.5"]),
        ("cold [s]", ["0.0123", "1.23"]),
        ("warm [s]", ["0.004", "0.004"]),
        ("Clarabel [s]", ["0.02", "0.02"]),
        ("Clarabel ends", ["Solved", "AlmostSolved"]),
        ("CVXPY [s]", ["0.3", "too large"]),
        ("difference of costs", ["2.5e-07", "2.5e-07"]),
    ],
)
def test_a_row_says_one_thing_of_every_circuit(
    head: str, cells: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, SMALL, LARGE)[head] == cells


def test_a_hundred_times_the_nodes_in_a_hundred_times_the_time_is_a_power_of_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_growth([SMALL, LARGE], as_json=False)
    assert "nodes to the power 1.00" in capsys.readouterr().out


def test_one_circuit_has_no_slope(capsys: pytest.CaptureFixture[str]) -> None:
    show_growth([SMALL], as_json=False)
    assert "power" not in capsys.readouterr().out


def test_json_has_every_figure_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    show_growth([SMALL, LARGE], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["circuits"] == [asdict(SMALL), asdict(LARGE)]
    assert told["exponent"] == pytest.approx(1.0, abs=1e-12)


def test_json_of_one_circuit_has_no_slope(capsys: pytest.CaptureFixture[str]) -> None:
    show_growth([SMALL], as_json=True)
    assert json.loads(capsys.readouterr().out)["exponent"] is None


@pytest.mark.parametrize("unit", [1e-3, 60.0])
def test_the_slope_does_not_depend_on_the_unit_of_time(unit: float) -> None:
    found = [replace(SMALL, nodes=n, cold=t) for n, t in ((40, 0.02), (300, 0.3), (9000, 4.0))]
    scaled = [replace(g, cold=unit * g.cold) for g in found]
    assert growth_exponent(scaled) == pytest.approx(growth_exponent(found), rel=1e-12)


def test_a_figure_of_no_known_kind_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "times.xyz"
    with pytest.raises(DlmpError, match=r"xyz"):
        grow([tmp_path / "absent.dss"], (), 1, file, quiet=True)
    assert not file.exists()
