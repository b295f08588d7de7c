"""Names of topics and federates: on a feeder's own, among feeders, and by what a study brings with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.contract.topics import (
    BY_KEY,
    LARGEST,
    TOPICS,
    Topic,
    award_topic,
    find_topic,
    in_federation,
    offer_topic,
    present,
    published_by,
)
from tests.handmade import chain, generator, line, load

FEATURES = ("horizon", "emissions", "supply", "substation", "ancillary")
KEYS = st.sampled_from(sorted(BY_KEY))
NAMES = st.text("abcXYZ019_-", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("name", "feeder", "called"),
    [
        ("market", "", "market"),
        ("market", "north", "north.market"),
        ("market/clearing", "north", "north.market/clearing"),
        ("substation", "north", "substation"),
        ("substation/adder", "north", "substation/adder"),
        ("battery/offer", "n-1_x", "n-1_x.battery/offer"),
    ],
)
def test_a_name_is_that_of_its_feeder_among_several(name: str, feeder: str, called: str) -> None:
    assert in_federation(name, feeder) == called


@given(KEYS, NAMES)
def test_a_topic_is_the_same_on_any_feeder(key: str, feeder: str) -> None:
    found = find_topic(in_federation(key, feeder))
    assert found is BY_KEY[key]


@given(KEYS, NAMES)
def test_a_publisher_is_of_the_feeder_of_its_topic(key: str, feeder: str) -> None:
    among = Topic(in_federation(key, feeder), "string", "", "", "")
    assert among.publisher == in_federation(BY_KEY[key].publisher, feeder)


@pytest.mark.parametrize("key", ["market/award_pv_66", "north.market/award_pv_66"])
def test_what_an_owner_hears_in_one_piece_is_the_markets(key: str) -> None:
    assert find_topic(key) == award_topic("pv_66")
    assert Topic(key, "vector", "", "", "").publisher == key.split("/", 1)[0]
    assert award_topic("pv_66").largest == LARGEST["$/MWh"]


@pytest.mark.parametrize("key", ["market/award_", "feeder/award_pv", "market/awards"])
def test_an_award_is_an_owners(key: str) -> None:
    assert find_topic(key) is None


@pytest.mark.parametrize(
    "key", ["", "market", "market/", "/lmp", "Market/clearing", "market/clearing/more", "lmp", "north.lmp"]
)
def test_what_is_no_key_is_no_topic(key: str) -> None:
    assert find_topic(key) is None


@given(NAMES)
def test_anybody_may_offer_under_his_own_name(name: str) -> None:
    topic = find_topic(f"{name}/offer")
    assert topic == offer_topic(name)
    assert topic is not None
    assert (topic.publisher, topic.type, topic.ids) == (name, "string", "")


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_brings_topics_of_its_own_and_takes_none_away(feature: str) -> None:
    plain, more = present(), present((feature,))
    assert set(plain) < set(more)
    assert {topic.needs for topic in set(more) - set(plain)} == {feature}


def test_all_features_bring_everything_in_the_order_of_the_contract() -> None:
    assert present(FEATURES) == TOPICS
    assert [topic for topic in TOPICS if topic in present()] == list(present())


@pytest.mark.parametrize(
    ("federate", "features", "keys"),
    [
        ("substation", (), []),
        ("substation", ("substation",), ["substation/adder", "substation/call"]),
        ("recorder", FEATURES, ["audit/verdict"]),
        ("audit", FEATURES, []),
        ("battery", FEATURES, []),
        ("north.market", FEATURES, []),
    ],
)
def test_a_federate_publishes_what_is_its_own(
    federate: str, features: tuple[str, ...], keys: list[str]
) -> None:
    assert [topic.key for topic in published_by(federate, features)] == keys


def test_every_topic_is_published_by_somebody() -> None:
    federates = {"wholesale", "feeder", "market", "recorder", "substation"}
    assert sorted(t.key for name in federates for t in published_by(name, FEATURES)) == sorted(BY_KEY)


def test_a_vector_has_an_entry_for_each_of_what_it_lists() -> None:
    tie = line("line.tie", ("a", "b"), (1,), controlled=True)
    network = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b")], elements=[tie])
    lengths = {topic.ids: len(topic.id_list(network)) for topic in TOPICS if topic.ids}
    assert lengths == {
        "node": 6,
        "conductor": 8,
        "load": 1,
        "resource": 1,
        "machine": 0,
        "head": 3,
        "tap": 0,
        "capacitor": 0,
        "admittance": 4,
    }
    assert find_topic("wholesale/lmp").id_list(network) == ()  # type: ignore[union-attr]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.key)
def test_a_topic_knows_what_would_be_absurd(topic: Topic) -> None:
    assert topic.largest == LARGEST[topic.unit] > 0.0
