from __future__ import annotations

from pathlib import Path

import pytest
from toys import make_study

from federates.assets import Assets
from federates.host import find_build, main
from federates.runtime.hosting import hosted
from federates.study.study import load_study
from feeders.errors import InputError


def test_a_hosted_federate_has_a_name_and_a_class() -> None:
    assert hosted("pv_66=federates.pv:Pv") == ("pv_66", "federates.pv:Pv")


@pytest.mark.parametrize("word", ["", "pv_66", "pv_66=", "=federates.pv:Pv", "pv_66=federates.pv", "a=:Pv"])
def test_anything_else_is_refused_with_the_form(word: str) -> None:
    with pytest.raises(InputError, match=r"no federate to host.*NAME=MODULE:CLASS"):
        hosted(word)


def test_the_class_makes_a_role_of_that_name(tmp_path: Path) -> None:
    role = find_build("assets", "federates.assets:Assets")(load_study(make_study(tmp_path / "study")))
    assert isinstance(role, Assets)
    assert role.name == "assets"


@pytest.mark.parametrize("path", ["federates.assetz:Assets", "federates.assets:Asset"])
def test_a_class_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(InputError, match=f"federate '{path}' cannot be loaded"):
        find_build("mine", path)


@pytest.mark.parametrize("words", [["mine"], ["mine=federates.assetz:Assets"]])
def test_the_process_ends_at_once_when_it_cannot_host(words: list[str], tmp_path: Path) -> None:
    assert main([str(make_study(tmp_path / "study")), *words]) == 1


def test_a_study_that_is_not_there_ends_it_too(tmp_path: Path) -> None:
    assert main([str(tmp_path), "mine=federates.assets:Assets"]) == 1
