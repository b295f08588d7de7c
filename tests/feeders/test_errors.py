"""What errors say: what, where, what was expected, and the nearest name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders import errors
from dlmp_cosim.feeders.errors import DlmpError, InputError, nearest_name, unknown_name


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({}, "a.csv:3 bus: is empty"),
        ({"expected": "a name"}, "a.csv:3 bus: is empty; expected a name"),
        ({"nearest": "b1"}, "a.csv:3 bus: is empty; did you mean 'b1'?"),
        (
            {"expected": "a name", "nearest": "b1"},
            "a.csv:3 bus: is empty; expected a name; did you mean 'b1'?",
        ),
    ],
)
def test_the_message_of_an_input_error(hints: dict[str, str], message: str) -> None:
    error = InputError("is empty", where="a.csv:3 bus", **hints)
    assert str(error) == message
    assert (error.what, error.where) == ("is empty", "a.csv:3 bus")
    assert (error.expected, error.nearest) == (hints.get("expected", ""), hints.get("nearest", ""))


def test_every_error_of_the_project_is_of_one_tree() -> None:
    found = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert len(found) == 6
    assert all(issubclass(item, DlmpError) for item in found)


@pytest.mark.parametrize(
    ("name", "valid", "nearest"),
    [
        ("perriod_s", ("period_s", "intervals"), "period_s"),
        ("nodl", ("nodal", "none", "uniform"), "nodal"),
        ("xyz", ("nodal", "none"), ""),
        ("a", (), ""),
    ],
)
def test_the_nearest_name(name: str, valid: tuple[str, ...], nearest: str) -> None:
    assert nearest_name(name, valid) == nearest


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1), min_size=1), st.data())
def test_a_name_that_exists_is_nearest_to_itself(valid: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(valid))
    assert nearest_name(name, valid) == name


def test_an_unknown_name_lists_those_that_there_are() -> None:
    error = unknown_name("bus", "s77", ["s76", "t9"], where="a.csv:2 bus")
    assert str(error) == "a.csv:2 bus: unknown bus 's77'; expected one of s76, t9; did you mean 's76'?"


def test_a_long_list_is_cut_after_eight() -> None:
    error = unknown_name("bus", "q", (f"bus{k}" for k in range(20)), where="x")
    assert error.expected == "one of bus0, bus1, bus2, bus3, bus4, bus5, bus6, bus7, ..."
    assert error.nearest == ""
    assert unknown_name("bus", "q", list("abcdefgh"), where="x").expected.endswith("g, h")
