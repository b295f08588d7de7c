"""A circuit as SVG: where things stand, and that no name breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Network
from dlmp_cosim.runners.write.drawing import COLOURS, MARGIN, WIDTH, draw_circuit
from tests.handmade import chain, generator, load

SVG = "{http://www.w3.org/2000/svg}"


def network(*places: tuple[float, float] | None, **more: Any) -> Network:
    """Buses a, b, c, ... in a row, some with coordinates."""
    made = chain(*"abcdef"[: len(places)], **more)
    buses = tuple(
        replace(bus, x=place[0], y=place[1]) if place else bus
        for bus, place in zip(made.buses, places, strict=True)
    )
    return replace(made, buses=buses)


def drawn(found: Network, kind: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(draw_circuit(found)).iter(f"{SVG}{kind}"))  # noqa: S314 - our own


def places(found: Network) -> dict[str | None, tuple[float, float]]:
    """Where every bus is drawn [px]."""
    return {
        dot.findtext(f"{SVG}title"): (float(dot.get("cx", "nan")), float(dot.get("cy", "nan")))
        for dot in drawn(found, "circle")
    }


@pytest.mark.parametrize("where", [[None], [None, (1.0, 2.0)], [None, (1.0, 2.0), None]])
def test_one_place_is_no_drawing(where: list[Any]) -> None:
    assert draw_circuit(network(*where)) == ""


def test_the_width_is_filled_and_north_is_up() -> None:
    found = places(network((0.0, 0.0), (100.0, 50.0)))
    assert found == {"a": (MARGIN, MARGIN + 430.0), "b": (WIDTH - MARGIN, MARGIN)}


def test_buses_one_above_the_other_are_drawn_too() -> None:
    found = places(network((5.0, 0.0), (5.0, 10.0)))
    assert found["a"][0] == found["b"][0] == MARGIN
    assert found["a"][1] - found["b"][1] == pytest.approx(2 * (WIDTH - 2 * MARGIN))


def test_all_at_one_place_is_a_dot() -> None:
    assert set(places(network((3.0, 3.0), (3.0, 3.0))).values()) == {(MARGIN, MARGIN)}


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=6))
def test_nothing_is_drawn_beyond_the_edge(where: list[tuple[float, float]]) -> None:
    found = network(*where)
    height = float(ElementTree.fromstring(draw_circuit(found)).get("viewBox", "").split()[3])  # noqa: S314
    for x, y in places(found).values():
        assert MARGIN - 0.1 <= x <= WIDTH - MARGIN + 0.1
        assert MARGIN - 0.1 <= y <= height - MARGIN + 0.6


def test_a_branch_needs_both_its_ends() -> None:
    lines = drawn(network((0.0, 0.0), (1.0, 0.0), None), "line")
    assert [line.findtext(f"{SVG}title") for line in lines] == ["line.a_b"]
    assert lines[0].get("stroke") == COLOURS["line"]


def test_a_kind_without_a_colour_is_drawn_like_a_line() -> None:
    plain = network((0.0, 0.0), (1.0, 0.0))
    odd = replace(plain, elements=(replace(plain.elements[0], kind="reactor"),))
    assert drawn(odd, "line")[0].get("stroke") == COLOURS["reactor"]


def test_buses_with_generators_are_larger_and_flexible_loads_are_not() -> None:
    shed = replace(generator("shed", "a"), kind="flexible_load", load="x")
    found = network((0.0, 0.0), (1.0, 0.0), loads=[load("x", "a")], resources=[generator("g", "b"), shed])
    assert [dot.get("r") for dot in drawn(found, "circle")] == ["1.6", "4.0"]


def test_the_source_is_a_square_where_it_is() -> None:
    square = drawn(network((0.0, 0.0), (1.0, 0.0)), "rect")[-1]
    assert (square.get("x"), square.get("y")) == ("16.0", "16.0")


def test_a_source_without_a_place_is_not_drawn() -> None:
    """It stood in a corner, as if that were its place."""
    assert len(drawn(network(None, (0.0, 0.0), (1.0, 0.0)), "rect")) == 1, "the ground alone"


@pytest.mark.parametrize("name", ['<b>&"x"', "]]>", "é ☃"])
def test_any_name_is_a_title(name: str) -> None:
    found = replace(network((0.0, 0.0), (1.0, 0.0)), name=name)
    assert ElementTree.fromstring(draw_circuit(found)).findtext(f"{SVG}title") == name  # noqa: S314


def test_equal_circuits_give_equal_text() -> None:
    where = ((0.0, 0.0), (1.0, 2.0), (3.0, 1.0))
    assert draw_circuit(network(*where)) == draw_circuit(network(*where))
