from __future__ import annotations

from pathlib import Path

import pytest
from toys import make_study, make_substation

from dlmp_cosim.federates.assets import Assets
from dlmp_cosim.federates.host import find_build, main
from dlmp_cosim.federates.runtime.hosting import all_hosted, hosted
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError


def test_a_hosted_federate_has_a_name_and_a_class() -> None:
    assert hosted("pv_66=dlmp_cosim.federates.pv:Pv") == ("pv_66", "dlmp_cosim.federates.pv:Pv")


@pytest.mark.parametrize(
    "word", ["", "pv_66", "pv_66=", "=dlmp_cosim.federates.pv:Pv", "pv_66=dlmp_cosim.federates.pv", "a=:Pv"]
)
def test_anything_else_is_refused_with_the_form(word: str) -> None:
    with pytest.raises(InputError, match=r"no federate to host.*NAME=MODULE:CLASS"):
        hosted(word)


def test_the_class_makes_a_role_of_that_name(tmp_path: Path) -> None:
    role = find_build("assets", "dlmp_cosim.federates.assets:Assets")(
        load_study(make_study(tmp_path / "study"))
    )
    assert isinstance(role, Assets)
    assert role.name == "assets"


@pytest.mark.parametrize("path", ["dlmp_cosim.federates.assetz:Assets", "dlmp_cosim.federates.assets:Asset"])
def test_a_class_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(InputError, match=f"federate '{path}' cannot be loaded"):
        find_build("mine", path)


@pytest.mark.parametrize("words", [["mine"], ["mine=dlmp_cosim.federates.assetz:Assets"]])
def test_the_process_ends_at_once_when_it_cannot_host(words: list[str], tmp_path: Path) -> None:
    assert main([str(make_study(tmp_path / "study")), *words]) == 1


def test_a_study_that_is_not_there_ends_it_too(tmp_path: Path) -> None:
    assert main([str(tmp_path), "mine=dlmp_cosim.federates.assets:Assets"]) == 1


def test_a_feeder_among_others_has_its_own_five_and_those_that_are_named() -> None:
    words = ["configs/all", "--feeder", "north", "pv_66=dlmp_cosim.federates.pv:Pv"]
    listed = all_hosted(words)
    assert listed["north.market"] == "dlmp_cosim.federates.market"
    assert listed["north.pv_66"] == "dlmp_cosim.federates.pv:Pv"
    assert len(listed) == 6


def test_without_a_feeder_only_what_is_named_is_hosted() -> None:
    words = ["configs/one", "pv_66=dlmp_cosim.federates.pv:Pv"]
    assert all_hosted(words) == {"pv_66": "dlmp_cosim.federates.pv:Pv"}


def test_a_host_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main([str(make_study(tmp_path / "study"))])


def test_a_feeder_that_is_not_listed_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_substation(tmp_path / "all", "one", "two")
    assert main([str(folder), "--feeder", "tow"]) == 1
    assert "did you mean 'two'" in caplog.text
