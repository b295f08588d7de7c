"""The registry of market models, and what is said of a name that is in none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.models import (
    MODELS,
    check_model,
    find_ahead,
    find_model,
    find_reference,
    import_member,
    negotiated_models,
)

UNIFORM = "dlmp_cosim.market.baselines.uniform:UniformMarket"


@pytest.mark.parametrize("name", MODELS)
def test_every_line_of_the_registry_can_be_imported(name: str) -> None:
    line = MODELS[name]
    for path in filter(None, (line.market, line.reference, line.ahead)):
        found = import_member(path, kind="market model", where="here")
        assert path.endswith(f":{found.__name__}")


def test_models_that_negotiate_are_those_with_a_reference() -> None:
    assert negotiated_models() == ("nodal", "branch_flow")


def test_a_class_outside_the_package_may_be_named() -> None:
    found: Any = find_model(UNIFORM, where="here")
    assert found.__name__ == "UniformMarket"
    assert find_model("uniform", where="here") is found


def refused(find: Callable[..., object], name: str) -> str:
    with pytest.raises(InputError) as caught:
        find(name, where="s.toml market.model")
    return str(caught.value).removeprefix("s.toml market.model: ")


@pytest.mark.parametrize("find", [check_model, find_model, find_ahead, find_reference])
def test_a_misspelt_model_gets_the_nearest(find: Callable[..., object]) -> None:
    assert refused(find, "nodl") == (
        "unknown market model 'nodl'; expected one of nodal, branch_flow, uniform, none; did you "
        "mean 'nodal'?"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere:Market", "No module named 'nowhere'"),
        ("dlmp_cosim.market.baselines.uniform:Unifrom", "has no attribute 'Unifrom'"),
        ("dlmp_cosim.market.baselines.uniform:", "has no attribute ''"),
        (":Market", "Empty module name"),
        (".uniform:UniformMarket", "required to perform a relative import"),
    ],
)
def test_a_path_that_leads_nowhere_is_one_clear_error(name: str, why: str) -> None:
    message = refused(find_model, name)
    assert message.startswith(f"market model {name!r} cannot be loaded: ")
    assert why in message


@pytest.mark.parametrize("name", ["uniform", "none", "branch_flow", UNIFORM])
def test_a_model_of_one_interval_cannot_look_ahead(name: str) -> None:
    assert refused(find_ahead, name) == (
        f"market model {name!r} clears one interval at a time, and the scenario has a horizon; "
        "expected nodal, or a class with a method `clear_ahead`"
    )


@pytest.mark.parametrize("name", ["uniform", "none", UNIFORM])
def test_a_model_without_a_reference_says_so(name: str) -> None:
    assert refused(find_reference, name) == (
        f"market model {name!r} has no central reference; expected one of nodal, branch_flow, "
        "or a class with an attribute `reference`"
    )


class OwnAhead:
    """A market of one's own that looks ahead, and says what it is held against."""

    reference = dict

    def clear_ahead(self) -> None:
        """Clear nothing."""


def test_a_class_of_ones_own_may_look_ahead_and_name_its_reference() -> None:
    own = f"{__name__}:OwnAhead"
    assert find_ahead(own, where="here").__name__ == "OwnAhead"  # type: ignore[attr-defined]
    assert find_reference(own, where="here") is dict  # type: ignore[comparison-overlap]
