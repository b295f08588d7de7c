"""Conductors of the line segments: matrices by configuration and length, ratings, and wrong tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.ieee123.conductors import FEET_PER_MILE, read_lines, read_ratings
from dlmp_cosim.feeders.ieee123.records import Segment
from dlmp_cosim.feeders.network import FloatArray

RATINGS = """conductor,rating_a,note
thick,500,
switch,900,
"""
CONSTRUCTION = """config,type,phasing,phase_cond,neutral_cond,spacing_id
1,overhead,C A N,thick,thin,500
2,overhead,B,thick,,510
"""
IMPEDANCE = """config,ph_i,ph_j,r_ohm_per_mile,x_ohm_per_mile,b_uS_per_mile
1,A,A,0.4,1.0,5.0
1,A,C,0.1,0.5,-1.0
1,C,C,0.6,1.2,6.0
2,B,B,1.3,1.4,4.5
"""
SEGMENTS = """node_a,node_b,length_ft,config
150,x-1,2640,1
x-1,y_2,528,2
"""


NO_PHASING = "is not a phasing; expected letters out of A B C N"


@pytest.fixture
def hand(tmp_path: Path) -> Path:
    """Two configurations and two segments."""
    texts = {
        "line_ratings": RATINGS,
        "line_config_construction": CONSTRUCTION,
        "line_config_impedance": IMPEDANCE,
        "line_segments": SEGMENTS,
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def lines(folder: Path) -> list[Segment]:
    return read_lines(folder, read_ratings(folder))


def message(folder: Path, name: str, old: str, new: str) -> str:
    """What is said of a table with one thing changed."""
    path = folder / f"{name}.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        lines(folder)
    return str(error.value)


def pair(first: float, between: float, third: float) -> FloatArray:
    """A matrix of phases A and C."""
    return np.array([[first, 0.0, between], [0.0, 0.0, 0.0], [between, 0.0, third]])


def test_ratings_are_those_of_the_conductors(hand: Path) -> None:
    assert read_ratings(hand) == {"thick": 500.0, "switch": 900.0}


def test_half_a_mile_has_half_of_the_impedance_and_susceptance(hand: Path) -> None:
    first = lines(hand)[0]
    assert (first.ends, first.kind, first.phases, first.rating_a) == (("150", "x-1"), "line", (1, 3), 500.0)
    half = 2640 / FEET_PER_MILE
    assert half == 0.5
    np.testing.assert_allclose(first.resistance, pair(0.2, 0.05, 0.3))
    np.testing.assert_allclose(first.reactance, pair(0.5, 0.25, 0.6))
    np.testing.assert_allclose(first.susceptance, pair(2.5, -0.5, 3.0))


def test_one_phase_has_one_entry(hand: Path) -> None:
    second = lines(hand)[1]
    assert second.phases == (2,)
    assert np.count_nonzero(second.resistance) == 1
    assert second.reactance[1, 1] == pytest.approx(0.14)


def test_a_row_says_where_it_stands(hand: Path) -> None:
    assert [segment.row.where("config") for segment in lines(hand)] == [
        "line_segments.csv:2 config",
        "line_segments.csv:3 config",
    ]


@pytest.mark.parametrize("order", ["A,C", "C,A"])
def test_a_pair_of_phases_is_the_same_either_way(hand: Path, order: str) -> None:
    path = hand / "line_config_impedance.csv"
    path.write_text(path.read_text().replace("A,C", order))
    resistance = lines(hand)[0].resistance
    assert resistance[0, 2] == resistance[2, 0] == 0.05


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("line_ratings", "switch,900", "thick,5,\nswitch,900", "3 conductor: 'thick' is already on line 2"),
        ("line_config_construction", "2,over", "1,,B,thick,,\n2,over", "3 config: '1' is already on line 2"),
        ("line_config_impedance", "1,C,C", "1,A,A", "4 ph_j: '1 A-A' is already on line 2"),
        ("line_config_impedance", "1,C,C", "1,C,A", "4 ph_j: '1 A-C' is already on line 3"),
    ],
)  # fmt: skip
def test_what_is_given_twice_is_refused(hand: Path, name: str, old: str, new: str, said: str) -> None:
    assert message(hand, name, old, new) == f"{name}.csv:{said}; expected each one once"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("line_config_impedance", "2,B,B", "2,B,D", "5 ph_j: unknown phase 'D'; expected one of A, B, C"),
        ("line_config_construction", ",B,", ",B B,", f"3 phasing: 'B B' {NO_PHASING}"),
        ("line_config_construction", ",B,", ",N,", f"3 phasing: 'N' {NO_PHASING}"),
        ("line_segments", "528", "-528", "3 length_ft: -528 is too small; expected more than 0"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_refused_with_its_line(hand: Path, name: str, old: str, new: str, said: str) -> None:
    assert message(hand, name, old, new) == f"{name}.csv:{said}"


def test_a_phase_without_resistance_is_refused_where_the_configuration_has_it(hand: Path) -> None:
    said = "line_config_construction.csv:3 phasing: configuration 2 has no impedance for one of its phases"
    assert message(hand, "line_config_impedance", "2,B,B,1.3", "2,B,B,0") == said


@pytest.mark.parametrize("bus", ["x.1", "x 1", "a=b", "5'", "[1]", "x/2"])
def test_what_opendss_would_split_is_no_name_of_a_bus(hand: Path, bus: str) -> None:
    said = f"line_segments.csv:2 node_b: {bus!r} is no name of a bus; expected letters, digits, _ and -"
    assert message(hand, "line_segments", "x-1", bus) == said


def test_a_place_given_twice_is_refused(tables: Path) -> None:
    path = tables / "bus_coords.csv"
    path.write_text(path.read_text().replace("\n2,", "\n1,", 1))
    with pytest.raises(InputError, match=r"bus_coords\.csv:3 node: '1' is already on line 2"):
        ieee123.case(tables)
