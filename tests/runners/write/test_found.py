"""The page of what was found in a circuit, on circuits that fit on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Bus, CapacitorBank, Network, Regulator, VoltagePoint
from dlmp_cosim.feeders.opendss.case import Circuit, Finding
from dlmp_cosim.runners.write.found import (
    found_page,
    limited,
    load_models,
    loops,
    sizes,
    voltage_levels,
)
from tests.handmade import ABC, KV, chain, generator, line, load


def network() -> Network:
    constant = replace(load("z", "c", 1000.0, -2.0), model=2)
    made = chain(
        "a", "b", "c",
        loads=[load("x", "b"), load("y", "c", 20.0, 3.0), constant],
        resources=[generator("g", "b")],
        elements=[line("line.tie", ("a", "c"), (2,)), replace(line("line.s", ("b", "c")), kind="switch")],
        regulators=[Regulator("reg", "t", 2, 0.00625, -16, 16)],
        banks=[CapacitorBank("cap", "c", 1, 1)],
    )  # fmt: skip
    return replace(made, voltage_points=(*made.voltage_points, VoltagePoint("c", 1, 2, KV * 3**0.5)))


def test_sizes_are_counted() -> None:
    found = dict(sizes(network(), Circuit(network(), shapes={})))
    assert found == {
        "buses": "3", "nodes": "9", "sources": "1", "lines": "3", "switches": "1", "loops": "2",
        "regulators": "1", "switched capacitors": "1", "loads": "3, 1,050 kW and 13 kvar",
        "load shapes in use": "0", "machines that run on their own": "0",
        "resources that the market may dispatch": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (chain("a", "b", "c"), 0),
        (chain("a", "b", "c", elements=[line("line.tie", ("a", "c"))]), 1),
        (chain("a", "b", elements=[line("line.twin", ("a", "b"))]), 1),
        (chain("a", "b", "c", "d", elements=[line("line.t", ("a", "d")), line("line.u", ("b", "d"))]), 2),
    ],
)
def test_loops_are_branches_too_many(made: Network, count: int) -> None:
    assert loops(made) == count


def test_conductors_of_different_phases_close_no_loop() -> None:
    """Three lines of one phase each between two buses are none; a fourth is."""
    made = chain("a")
    made = replace(made, buses=(*made.buses, Bus("b", ABC, KV)))
    lines = [line(f"line.{phase}", ("a", "b"), (phase,)) for phase in ABC]
    assert loops(replace(made, elements=tuple(lines))) == 0
    assert loops(replace(made, elements=(*lines, line("line.x", ("a", "b"), (2,))))) == 1


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_loops_are_what_a_spanning_forest_leaves(pairs: list[tuple[int, int]]) -> None:
    """Branches less buses plus islands, for branches of all phases."""
    pairs = [(a, b) for a, b in pairs if a != b]
    names = [f"b{k}" for k in range(7)]
    made = replace(
        chain("b0"),
        buses=tuple(Bus(name, ABC, KV) for name in names),
        elements=tuple(line(f"line.{k}", (names[a], names[b])) for k, (a, b) in enumerate(pairs)),
    )
    joined = np.eye(7, dtype=bool)
    for a, b in pairs:
        joined[a, b] = joined[b, a] = True
    for _ in range(3):
        joined = joined @ joined
    islands = len({row.tobytes() for row in joined})
    assert loops(made) == len(pairs) - 7 + islands


def test_voltage_levels_are_sorted_from_the_highest() -> None:
    made = network()
    made = replace(made, buses=(*made.buses, Bus("sec", ABC, 0.12)))
    assert voltage_levels(made) == [
        ("2.4 kV to neutral (4.157 kV between phases)", "3 buses"),
        ("0.12 kV to neutral (0.2078 kV between phases)", "1 buses"),
    ]


def test_loads_are_counted_by_what_voltage_does_to_them() -> None:
    assert load_models(network()) == [
        ("1: constant power", "2 loads, 50 kW"),
        ("2: constant impedance", "1 loads, 1,000 kW"),
    ]


def test_limits_are_counted() -> None:
    made = network()
    free = replace(made.elements[0], rating_a=(np.inf, np.inf))
    assert dict(limited(replace(made, elements=(free, *made.elements[1:])))) == {
        "voltages to ground": "9",
        "voltages between conductors": "1",
        "branches with a rating": "3 of 4",
        "nodes with a price": "9",
    }


def test_the_page_says_what_the_market_leaves_out() -> None:
    finding = Finding("storage.s", "frozen", "stands still")
    page = found_page(network(), Circuit(network(), findings=(finding,)), "master.dss")
    assert page.startswith(
        "# hand\n\nRead from `master.dss`, which OpenDSS compiles as it is in every run.\n"
    )
    assert (
        "## Frozen, ignored or left out\n\n| | |\n| --- | --- |\n| `storage.s` | frozen: stands still |\n"
        in page
    )
    assert '`[market] controls = "together"`): reg, cap.' in page


def test_a_circuit_without_controls_or_findings_says_so() -> None:
    page = found_page(chain("a", "b"), Circuit(chain("a", "b")), "m.dss")
    assert "## Controls" not in page
    assert "## Load models" not in page
    assert page.endswith("## Left out\n\nNothing: the market understands everything that the file has.\n")
