"""What a scenario of several feeders may say, and what the market side reads of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toys import make_substation

from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.federates.study.substation import (
    SubstationScenario,
    SubstationSection,
    is_substation,
    load_any,
    load_substation,
)
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.substation.limits import SharedRules

FILE = Path("scenario.toml")
BASE = {
    "study": {"name": "both"},
    "feeders": [{"name": "north", "study": "n"}, {"name": "south", "study": "s"}],
    "results": {"file": "out/substation.h5"},
}
TRIP = {"feeder": "north", "resource": "dg", "begin_minutes": 0.0, "minutes": 30.0}


def refused(**changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        validate(SubstationScenario, BASE | changes, FILE)
    return str(caught.value)


def test_without_a_table_nothing_is_shared() -> None:
    found = validate(SubstationScenario, BASE, FILE)
    assert found.substation.rules == SharedRules()
    assert (found.ancillary, found.disruption) == (None, [])


def test_every_rule_of_the_market_is_one_of_the_scenario() -> None:
    given = {
        "rating_kva": 500.0, "import_max_kw": 400.0, "export_max_kw": 0.0, "ramp_kw_per_minute": 9.0,
        "peak_target_kw": 300.0, "peak_price": 40.0, "penalty": 800.0, "margin_kw": 5.0,
    }  # fmt: skip
    assert set(given) == set(SharedRules.__dataclass_fields__)
    assert SubstationSection(**given).rules == SharedRules(**given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"feeders": []},
            "scenario.toml feeders: [] cannot be used; expected list should have at least 1 item after "
            "validation, not 0 (feeders that meet here)",
            id="no feeder",
        ),
        pytest.param(
            {"feeders": [{"name": "north", "study": "n"}] * 2},
            "scenario.toml: feeder 'north' is taken; expected each name once, and none 'substation'",
            id="a name twice",
        ),
        pytest.param(
            {"feeders": [{"name": "substation", "study": "n"}]},
            "scenario.toml: feeder 'substation' is taken; expected each name once, and none 'substation'",
            id="the name of the substation",
        ),
        pytest.param(
            {"disruption": [TRIP | {"feeder": "nroth"}]},
            "scenario.toml: disruption: there is no feeder 'nroth', did you mean 'north'?; "
            "expected one of north, south",
            id="a disruption of a feeder that is not there",
        ),
        pytest.param(
            {"disruption": [TRIP, TRIP | {"begin_minutes": 20.0}]},
            "scenario.toml: disruption: north.dg is out twice from 20 min on; expected one "
            "disruption at a time",
            id="two disruptions at once",
        ),
        pytest.param(
            {"disruption": [TRIP | {"resource": None}, TRIP | {"resource": None, "begin_minutes": 29.0}]},
            "scenario.toml: disruption: the head of 'north' is out twice from 29 min on; "
            "expected one disruption at a time",
            id="a head that opens twice",
        ),
        pytest.param(
            {"substation": {"exchanges": 1}},
            "scenario.toml substation.exchanges: 1 cannot be used; expected input should be greater "
            "than or equal "
            "to 2 (exchanges with the feeders in one of their rounds)",
            id="one exchange",
        ),
        pytest.param(
            {"substation": {"rating_kv": 500.0}},
            "scenario.toml substation.rating_kv: unknown key 'rating_kv'; expected one of "
            + ", ".join(SubstationSection.model_fields) + "; did you mean 'rating_kva'?",
            id="a misspelt key",
        ),
        pytest.param(
            {"results": {"file": "../out.h5"}},
            "scenario.toml results.file: '../out.h5' leads out of the folder that federates run in; "
            "expected a path inside it, or an absolute one",
            id="results elsewhere",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(changes: dict[str, Any], message: str) -> None:
    assert refused(**changes) == message


def test_disruptions_one_after_the_other_will_do() -> None:
    after = [TRIP, TRIP | {"begin_minutes": 30.0}, TRIP | {"feeder": "south"}]
    assert len(validate(SubstationScenario, BASE | {"disruption": after}, FILE).disruption) == 3


def test_a_scenario_that_lists_feeders_is_one_of_a_substation(tmp_path: Path) -> None:
    folder = make_substation(tmp_path / "all", "one", "two")
    assert is_substation(folder)
    assert not is_substation(folder / "one")


def test_results_of_feeders_lie_beside_those_of_the_substation(tmp_path: Path) -> None:
    study = load_substation(make_substation(tmp_path / "all", "one", "two"))
    assert study.results_file == tmp_path / "together" / "results.h5"
    assert {name: member.results_file for name, member in study.members.items()} == {
        "one": tmp_path / "together" / "one.h5",
        "two": tmp_path / "together" / "two.h5",
    }
    assert study.run_folder == tmp_path / "together" / "results.run"


def test_the_substation_reads_the_same_of_every_feeder(tmp_path: Path) -> None:
    study = load_substation(make_substation(tmp_path / "all", "one", "two"))
    config = study.config("substation")
    reads = [item.key for item in config.subscriptions]
    assert {key.split(".", 1)[1] for key in reads if key.startswith("one.")} == {
        key.split(".", 1)[1] for key in reads if key.startswith("two.")
    }
    assert "one.market/response" in reads
    assert "one.feeder/response_real" not in reads
    assert [item.key for item in config.publications] == ["substation/adder", "substation/call"]


def test_an_ancillary_market_reads_what_is_given_when_called(tmp_path: Path) -> None:
    settings = "[ancillary.reserve]\nrequirement_kw = 10.0\nminutes = 5.0\n"
    study = load_substation(make_substation(tmp_path / "all", "one", settings=settings))
    assert "one.feeder/response_real" in [item.key for item in study.config("substation").subscriptions]


def test_nobody_else_is_configured_here(tmp_path: Path) -> None:
    folder = make_substation(tmp_path / "all", "one")
    with pytest.raises(InputError) as caught:
        load_substation(folder).config("market")
    assert (
        str(caught.value) == f"{folder / 'scenario.toml'}: there is no federate 'market'; expected substation"
    )


@pytest.mark.parametrize(
    ("settings", "what", "expected"),
    [
        (
            "[[disruption]]\nfeeder = 'one'\nresource = 'dgg'\nbegin_minutes = 0.0\nminutes = 1.0\n",
            " disruption.resource: unknown resource 'dgg'",
            "one of dg, flex; did you mean 'dg'?",
        ),
    ],
)
def test_what_the_feeders_do_not_have_is_told(
    tmp_path: Path, settings: str, what: str, expected: str
) -> None:
    folder = make_substation(tmp_path / "all", "one", settings=settings)
    with pytest.raises(InputError) as caught:
        _ = load_substation(folder).members
    assert str(caught.value) == f"{folder / 'scenario.toml'}{what}; expected {expected}"


def test_one_feeder_of_several_is_a_study_that_knows_the_others(tmp_path: Path) -> None:
    folder = make_substation(tmp_path / "all", "one", "two", on_stop="go_on")
    study: Any = load_any(folder, "two")
    assert study.feeder == "two"
    assert (study.federation, study.others_go_on) == ("toys", True)
    assert study.clock.exchanges == 3
