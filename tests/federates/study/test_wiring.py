from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toys import CONFIGS, NAMES

from dlmp_cosim.federates.contract.topics import TOPICS
from dlmp_cosim.federates.study.helics_config import load_config
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.federates.study.wiring import IN_STEP, default_config, features, write_config
from dlmp_cosim.feeders.errors import InputError

BATTERY = CONFIGS.parent / "ieee123_battery"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_out_reads_back_equal(name: str, tmp_path: Path) -> None:
    config = load_study(CONFIGS).config(name)
    write_config(config, tmp_path / f"{name}.json")
    assert load_config(tmp_path / f"{name}.json") == config


def test_the_market_reads_the_offers_of_every_owner() -> None:
    assert load_study(BATTERY).config("market").offers == ("assets/offer", "battery/offer")


def test_the_recorder_keeps_what_owners_publish_beside_offers() -> None:
    read = {item.key for item in load_study(BATTERY).config("recorder").subscriptions}
    assert read >= {"battery/offer", "battery/energy", "assets/offer"}
    assert read >= {topic.key for topic in TOPICS if topic.publisher != "recorder" and not topic.needs}


def test_topics_of_a_feature_are_there_with_it_alone() -> None:
    plain, operator = load_study(CONFIGS), load_study(CONFIGS.parent / "ieee123_operator")
    assert features(plain.scenario) == frozenset()
    assert features(operator.scenario) == {"emissions", "supply"}
    published = {item.key for item in operator.config("wholesale").publications}
    assert {"wholesale/lmp_answer", "wholesale/emission_rate"} <= published
    assert "market/clearing" in {item.key for item in operator.config("wholesale").subscriptions}
    read = {item.key for item in operator.config("market").subscriptions}
    assert "wholesale/lmp_answer" in read
    assert "wholesale/emission_rate" not in read
    for name in ("wholesale", "market", "recorder"):
        config = plain.config(name)
        keys = {item.key for item in (*config.publications, *config.subscriptions)}
        assert not keys & {topic.key for topic in TOPICS if topic.needs}


def test_a_file_takes_the_place_of_what_the_contract_says() -> None:
    assert load_study(BATTERY).config("battery") == load_config(BATTERY / "battery.json")


def test_nobody_runs_ahead_of_the_recorder_and_no_two_others_than_the_market_s_read_each_other() -> None:
    study = load_study(CONFIGS)
    read = {name: {item.key.partition("/")[0] for item in study.config(name).subscriptions} for name in NAMES}
    assert {name: IN_STEP[name].partition("/")[0] in read[name] for name in IN_STEP} == dict.fromkeys(
        IN_STEP, True
    )
    rings = {frozenset((a, b)) for a in read for b in read if _writer(b) in read[a] and _writer(a) in read[b]}
    assert rings == {frozenset(("market", other)) for other in ("recorder", "wholesale", "feeder")}


def _writer(federate: str) -> str:
    """First word of the topics of a federate."""
    return "audit" if federate == "recorder" else federate


def test_a_market_of_a_user_keeps_in_step_with_the_recorder(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS, tmp_path / "ieee123_day")
    file = tmp_path / "ieee123_day" / "market.json"
    config = load_study(CONFIGS).config("market")
    without = [item for item in config.subscriptions if item.key != "audit/verdict"]
    write_config(config.model_copy(update={"subscriptions": tuple(without)}), file)
    found = load_study(tmp_path / "ieee123_day").config("market").subscriptions
    assert [item.key for item in found] == [*(item.key for item in without), "audit/verdict"]
    assert not found[-1].required


def test_a_federate_that_the_contract_does_not_know_needs_a_file() -> None:
    study = load_study(CONFIGS)
    with pytest.raises(InputError, match=r"heat_pump.json: there is no such file"):
        default_config("heat_pump", study.scenario, study.folder)
