from __future__ import annotations

import pytest
from toys import CONFIGS, NAMES, toy_network

from dlmp_cosim.federates.contract.topics import (
    BY_KEY,
    LARGEST,
    TOPICS,
    Topic,
    find_topic,
    offer_topic,
    published_by,
)
from dlmp_cosim.federates.study.helics_config import check_config
from dlmp_cosim.federates.study.study import load_study


def test_every_key_is_listed_once() -> None:
    assert len(BY_KEY) == len(TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.key)
def test_topic_is_sound(topic: Topic) -> None:
    assert topic.type == "vector" or not topic.ids
    assert topic.unit in LARGEST
    assert topic.meaning
    assert topic.key == topic.key.lower()


def test_ids_follow_the_network() -> None:
    network = toy_network()
    lengths = {topic.key: len(topic.id_list(network)) for topic in TOPICS if topic.ids}
    assert lengths["feeder/voltage_magnitude"] == 6
    assert lengths["feeder/branch_power_real"] == lengths["feeder/branch_current"] == 6
    assert lengths["feeder/load_real"] == 3
    assert find_topic("feeder/branch_power_real").id_list(network)[0] == "line.ab:1.1"  # type: ignore[union-attr]


def test_the_recorder_publishes_the_verdict() -> None:
    assert [topic.key for topic in published_by("recorder")] == ["audit/verdict"]


def test_any_federate_may_offer() -> None:
    assert find_topic("battery/offer") == offer_topic("battery")
    assert find_topic("battery/offers") is None
    assert find_topic("/offer") is None


@pytest.mark.parametrize("name", NAMES)
def test_what_the_contract_wires_honours_it(name: str) -> None:
    config = load_study(CONFIGS).config(name)
    check_config(config, CONFIGS / f"{name}.json")
    assert {item.key for item in config.publications} >= {topic.key for topic in published_by(name)}


def test_the_recorder_reads_every_topic_of_the_others() -> None:
    read = {item.key for item in load_study(CONFIGS).config("recorder").subscriptions}
    assert read >= {topic.key for topic in TOPICS if topic.publisher != "recorder" and not topic.needs}
    assert not read & {topic.key for topic in TOPICS if topic.needs}
