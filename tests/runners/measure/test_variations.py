"""What `dlmp convergence` varies: each choice changes one thing, and has a name of its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain as joined

import numpy as np
import pytest

from dlmp_cosim.market.pac.negotiate import USUAL
from dlmp_cosim.market.pac.step_sizes import local_gains
from dlmp_cosim.runners.measure.tolerances import Choice
from dlmp_cosim.runners.measure.variations import ALL, GROUPS, NEVER, PUBLISHED, USUAL_CHOICE, steeper
from tests.market.interior_point.chains import chain, network

CHOICES = [*joined.from_iterable(GROUPS), *joined.from_iterable(PUBLISHED)]
OF_TUNING = ("gains", "restart", "check_every", "watch_margin", "mask", "momentum")


def changed(choice: Choice) -> set[str]:
    """Fields of the tuning that differ from the usual ones."""
    return {name for name in OF_TUNING if getattr(choice.tuning, name) != getattr(USUAL, name)}


def test_the_usual_choice_comes_first_and_changes_nothing() -> None:
    assert GROUPS[0] == (USUAL_CHOICE,)
    assert changed(USUAL_CHOICE) == set()
    assert USUAL_CHOICE.settings == ()


def test_every_choice_has_a_name_of_its_own() -> None:
    names = [(choice.group, choice.name) for choice in CHOICES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("group", [group for group in GROUPS if group[0] is not USUAL_CHOICE])
def test_a_group_varies_what_it_is_called_by(group: tuple[Choice, ...]) -> None:
    fields = {
        "gains": {"gains"},
        "restarts": {"restart"},
        "primal weight": {"gains", "restart"},
        "rounds between checks": {"check_every"},
        "agents": set(),
        "watched limits": {"watch_margin"},
    }
    (name,) = {choice.group for choice in group}
    for choice in group:
        assert changed(choice) <= fields[name], choice.name
        assert changed(choice) or choice.settings, choice.name


def test_published_methods_have_an_agent_a_bus() -> None:
    for choice in joined.from_iterable(PUBLISHED):
        assert dict(choice.settings) == {"method": choice.group, "agents": 0}


@pytest.mark.parametrize(("name", "agents"), [("1", 1), ("32", 32), ("one a bus", 0)])
def test_agents_are_counted(name: str, agents: int) -> None:
    (choice,) = (choice for choice in CHOICES if (choice.group, choice.name) == ("agents", name))
    assert dict(choice.settings) == {"agents": agents}


def test_never_and_all_are_beyond_what_there_is() -> None:
    restarts = {choice.name: choice.tuning.restart for choice in CHOICES if choice.group == "restarts"}
    assert restarts["never"].long == NEVER > 1e12
    watched = {
        choice.name: choice.tuning.watch_margin for choice in CHOICES if choice.group == "watched limits"
    }
    assert watched["all"] == ALL > 1e6


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_steeper_gains_keep_the_product_of_both_steps(ratio: float) -> None:
    problem = replace(network(chain(4)), reach=np.full(12, 1.0))
    usual, other = local_gains(problem), steeper(problem, ratio)
    np.testing.assert_allclose(other.tau * np.sqrt(ratio), usual.tau)
    np.testing.assert_allclose(other.sigma / np.sqrt(ratio), usual.sigma)
