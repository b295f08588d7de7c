"""A study's folder: where things of it lie, and what is said when they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import CIRCUIT, make_study, write_configs

from dlmp_cosim.federates.study.study import RESULTS_VARIABLE, Membership, Study, load_study
from dlmp_cosim.feeders.errors import InputError


def member(study: Study, **changes: Any) -> Study:
    """The study as the feeder north of a substation."""
    place = study.folder.parent / "together"
    usual = Membership("north", "all", 3, 5, place / "north.h5", place / "run")
    return replace(study, member=replace(usual, **changes))


def change(study: Study, old: str, new: str) -> Study:
    text = study.scenario_file.read_text()
    assert old in text
    study.scenario_file.write_text(text.replace(old, new))
    return load_study(study.folder)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(InputError) as failure:
        action()
    return str(failure.value)


def test_results_go_where_the_scenario_says(
    study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(RESULTS_VARIABLE, raising=False)
    assert study.results_file == tmp_path / "out" / "results.h5"
    assert study.run_folder == tmp_path / "out" / "results.run"


def test_the_environment_puts_results_into_another_folder(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RESULTS_VARIABLE, "/elsewhere")
    assert study.results_file == Path("/elsewhere/results.h5")
    assert member(study).results_file == study.folder.parent / "together" / "north.h5", "but for a member"


def test_a_study_on_its_own_is_its_own_federation(study: Study) -> None:
    assert (study.federation, study.feeder, study.others_go_on) == ("toy", "", False)


def test_a_member_is_part_of_that_of_all(study: Study) -> None:
    north = member(study, others_go_on=True)
    assert (north.federation, north.feeder, north.others_go_on) == ("all", "north", True)
    assert (north.clock.exchanges, north.clock.rounds_max) == (3, 4)
    assert study.clock.exchanges != 3


def test_assets_and_owners_are_read_once(study: Study) -> None:
    assert study.network is study.network
    assert [terms.resource for terms in study.terms] == ["dg", "flex"]


def test_without_an_asset_table_nothing_is_dispatched(study: Study) -> None:
    bare = change(study, 'assets = "assets.csv"\n', "")
    assert bare.network.resources == ()
    assert bare.terms == ()


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            "toi.dss",
            "feeder.case: unknown circuit 'toi.dss'; expected one of toy.dss; did you mean 'toy.dss'?",
        ),
        (
            "ieee132",
            "feeder.case: unknown feeder 'ieee132'; expected one of ieee123; did you mean 'ieee123'?",
        ),
        ("none/x.dss", "feeder.case: unknown circuit 'none/x.dss'"),
    ],
)
def test_a_circuit_that_is_not_there_is_named_with_the_nearest(study: Study, case: str, said: str) -> None:
    other = change(study, f'case = "{CIRCUIT}"', f'case = "{case}"')
    assert said in refusal(lambda: other.case)


@pytest.mark.parametrize("name", ["data/x.csv", "./x.csv", "a/../x.csv", "/abs/x.csv"])
def test_files_in_the_folder_and_absolute_ones_may_be_named(study: Study, name: str) -> None:
    assert study.data_file(name) == study.folder / name


@pytest.mark.parametrize("name", ["../x.csv", "../../x.csv", "a/../../x.csv", "../none/x.csv"])
def test_a_path_that_leads_out_is_refused(study: Study, name: str) -> None:
    said = refusal(lambda: study.data_file(name, "feeder.assets"))
    assert said.startswith(f"{study.scenario_file} feeder.assets: {name!r} leads out of the study; expected")


def test_a_study_may_read_from_one_beside_it(study: Study) -> None:
    make_study(study.folder.parent / "beside")
    assert study.data_file("../beside/x.csv") == study.folder / "../beside/x.csv"


def test_a_federate_has_its_file_or_what_the_contract_says(study: Study) -> None:
    of_file = study.config("market")
    study.config_file("market").unlink()
    assert study.config("market") == of_file


def test_a_file_of_another_federate_is_refused(study: Study) -> None:
    file = study.config_file("market")
    file.write_text(study.config_file("wholesale").read_text())
    assert refusal(lambda: study.config("market")) == (
        f"{file} name: the federate is called 'wholesale'; expected 'market'"
    )


def test_every_file_that_a_study_reads_counts(study: Study) -> None:
    before = study.input_hashes()
    assert {"scenario.toml", "market.json", "assets.csv", CIRCUIT} <= before.keys()
    (study.folder / "assets.csv").write_text("changed")
    (study.folder / "unread.txt").write_text("new")
    after = study.input_hashes()
    assert {name for name in after if after[name] != before.get(name)} == {"assets.csv"}


def test_files_beside_a_circuit_count_too(study: Study) -> None:
    (study.folder / "lines.DSS").write_text("! lines")
    assert "lines.DSS" in study.input_hashes()


@pytest.mark.parametrize("file", ["scenario.toml", "market.json"])
def test_a_file_that_an_editor_marked_as_unicode_is_read(study: Study, file: str) -> None:
    path = study.folder / file
    path.write_text(path.read_text(), encoding="utf-8-sig")
    other = load_study(study.folder)
    assert other.scenario == study.scenario
    assert other.config("market") == study.config("market")


def test_a_folder_without_a_scenario_says_which_file(tmp_path: Path) -> None:
    assert refusal(lambda: load_study(tmp_path)) == f"{tmp_path / 'scenario.toml'}: no such file"
    (tmp_path / "scenaro.toml").write_text("")
    assert refusal(lambda: load_study(tmp_path)).endswith("did you mean 'scenaro.toml'?")


def test_the_same_study_read_twice_is_equal(study: Study) -> None:
    write_configs(study.folder)
    assert load_study(study.folder) == study
