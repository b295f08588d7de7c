"""Loads and generators that a scenario names have to be there, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toys import CONFIGS

from dlmp_cosim.federates.study.named import check_names
from dlmp_cosim.federates.study.scenario import Scenario, load_scenario
from dlmp_cosim.feeders.errors import InputError
from tests.handmade import chain, generator, load

FILE = Path("scenario.toml")
NETWORK = chain("a", "b", loads=[load("x", "b"), load("y", "b")], resources=[generator("dg", "b")])


def scenario(**changes: Any) -> Scenario:
    table = load_scenario(CONFIGS / "scenario.toml").model_dump()
    return Scenario.model_validate(table | changes)


def group(name: str, *loads: str) -> dict[str, Any]:
    return {"name": name, "loads": list(loads)}


def test_names_that_are_there_will_do() -> None:
    check_names(
        NETWORK,
        scenario(group=[group("one", "x"), group("two", "y")], emissions={"own": {"dg": 700.0}}),
        FILE,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"emissions": {"own": {"dg2": 1.0}}},
            "scenario.toml emissions.own: unknown generator 'dg2'; expected one of dg; did you mean 'dg'?",
        ),
        (
            {"group": [group("one", "z")]},
            "scenario.toml group.one.loads: unknown load 'z'; expected one of x, y",
        ),
        (
            {"group": [group("one", "x"), group("one", "y")]},
            "scenario.toml group.one: group 'one' is listed twice; expected each group once",
        ),
        (
            {"group": [group("one", "x"), group("two", "y", "x")]},
            "scenario.toml group.two.loads: load 'x' is in 'one' already; expected each load in one group",
        ),
        (
            {"group": [group("one", "x", "x")]},
            "scenario.toml group.one.loads: load 'x' is in 'one' already; expected each load in one group",
        ),
    ],
)
def test_what_is_not_there_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_names(NETWORK, scenario(**changes), FILE)
    assert str(caught.value) == message
