"""What every link checks, however values travel: on a link whose values are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.contract.limits import largest_offer
from dlmp_cosim.federates.contract.topics import TOPICS, Topic, find_topic, offer_topic
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.federates.runtime.link import (
    LARGEST_UNKNOWN,
    CheckedLink,
    Value,
    plain_message,
    refusal,
)
from dlmp_cosim.federates.study.wiring import config_of
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import FloatArray
from tests.handmade import chain, generator, load

NETWORK = chain(
    "a", "b", loads=[load("x", "b"), load("y", "b")], resources=[generator("g", "b"), generator("h", "b")]
)
READS = ("wholesale/lmp", "wholesale/source", "feeder/load_real", "feeder/voltage_magnitude", "feeder/status")
OWN = Topic("pv/energy", "double", "kWh", "", "energy given so far")


class Told(CheckedLink):
    """Values are what `told` says, published at the times of `at`; what is sent is kept."""

    def __init__(self, told: Mapping[str, Any], at: Mapping[str, float] | None = None) -> None:
        topics = [topic for key in READS if (topic := find_topic(key)) is not None]
        reads = [*topics, offer_topic("assets"), offer_topic("other")]
        config = config_of("pv", [offer_topic("pv"), OWN, Topic("pv/all", "vector", "kW", "", "x")], reads)
        super().__init__(config, Heartbeat(None, "pv"))
        self._told, self._at = told, at or {}
        self.sent: list[tuple[str, Value]] = []

    def wait_until(self, time: float) -> None:
        """Nothing comes."""

    @property
    def post(self) -> None:
        """There is none."""
        return

    def _take(self, key: str, since: float) -> Any:
        if key not in self.keys:
            raise self._not_listed(key)
        self._check_age(key, self._at.get(key, 0.0), since)
        return self._told[key]

    def _take_number(self, key: str, since: float) -> float:
        return float(self._take(key, since))

    def _take_vector(self, key: str, since: float) -> FloatArray:
        return np.array(self._take(key, since), dtype=np.float64)

    def _take_text(self, key: str, since: float) -> str:
        text = str(self._take(key, since))
        self._check_length(key, len(text))
        return text

    def _send(self, key: str, value: Value) -> None:
        self.sent.append((key, value))


def link(**told: Any) -> Told:
    """A link that has heard something, by quantity; it knows the network."""
    keys = {key.replace("/", "_"): key for key in (*READS, "assets/offer", "other/offer")}
    made = Told({keys[name]: value for name, value in told.items()})
    made.adopt(NETWORK)
    return made


def refused(read: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(FederationError) as caught:
        read(*arguments, **more)
    return str(caught.value)


def test_what_is_read_and_published_is_listed() -> None:
    assert link().keys == (*READS, "assets/offer", "other/offer")
    assert link().publishes == ("pv/offer", "pv/energy", "pv/all")
    assert link().offers == ("assets/offer", "other/offer")


@pytest.mark.parametrize("value", [0.0, -1e8, 1e8, 31.5])
def test_a_sound_number_is_read(value: float) -> None:
    assert link(wholesale_lmp=value).number("wholesale/lmp") == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "is nan; expected a finite number within 1e+08 $/MWh"),
        (float("inf"), "is inf; expected a finite number within 1e+08 $/MWh"),
        (-1.1e8, "is -1.1e+08; expected a finite number within 1e+08 $/MWh"),
        (-1e49, "was never published"),
    ],
)
def test_a_number_that_is_none_names_topic_and_publisher(value: float, says: str) -> None:
    message = refused(link(wholesale_lmp=value).number, "wholesale/lmp")
    assert message == f"wholesale/lmp, published by 'wholesale', {says}"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([1.0], "has 1 values; expected 2"),
        ([], "has 0 values; expected 2"),
        ([1.0, float("nan")], "is nan at y; expected a finite number within 1e+07 kW"),
        ([-2e7, float("nan")], "is -2e+07 at x; expected a finite number within 1e+07 kW"),
        ([-1e49], "has 1 values; expected 2"),
    ],
)
def test_a_vector_that_is_wrong_names_its_entry(values: list[float], says: str) -> None:
    message = refused(link(feeder_load_real=values).vector, "feeder/load_real")
    assert message == f"feeder/load_real, published by 'feeder', {says}"


def test_before_the_network_is_known_any_length_will_do() -> None:
    assert Told({"feeder/load_real": [1.0] * 9}).vector("feeder/load_real").tolist() == [1.0] * 9


def test_a_network_fixes_the_lengths_of_all_vectors_at_once() -> None:
    made = link(feeder_load_real=[1.0, 2.0], feeder_voltage_magnitude=[1.0] * 6)
    assert made.vector("feeder/load_real").tolist() == [1.0, 2.0]
    made.adopt(replace(NETWORK, loads=NETWORK.loads[:1]))
    assert refused(made.vector, "feeder/load_real").endswith("has 2 values; expected 1")
    assert len(made.vector("feeder/voltage_magnitude")) == 6


@pytest.mark.parametrize("text", ["", "-99999999999999994649000"])
def test_a_text_that_nobody_published(text: str) -> None:
    message = refused(link(feeder_status=text).text, "feeder/status")
    assert message == "feeder/status, published by 'feeder', was never published"


def test_any_other_text_is_read_as_it_is() -> None:
    assert link(feeder_status="é ☃ <b>").text("feeder/status") == "é ☃ <b>"


@pytest.mark.parametrize(("owner", "resources"), [("assets", 2), ("other", 0)])
def test_an_offer_may_be_as_long_as_its_owner_has_resources(owner: str, resources: int) -> None:
    most = largest_offer(resources)
    made = link(**{f"{owner}_offer": "x" * most})
    assert len(made.text(f"{owner}/offer")) == most
    longer = link(**{f"{owner}_offer": "x" * (most + 1)})
    assert refused(longer.text, f"{owner}/offer") == (
        f"{owner}/offer, published by '{owner}', has {most + 1} bytes; expected at most {most}"
    )


def test_texts_that_are_no_offers_may_be_of_any_length() -> None:
    assert len(link(feeder_status="x" * 10**6).text("feeder/status")) == 10**6


@pytest.mark.parametrize(
    ("published", "since", "fresh"), [(300.0, 300.0, True), (301.0, 300.0, True), (299.5, 300.0, False)]
)
def test_an_old_value_is_none(published: float, since: float, fresh: bool) -> None:
    made = Told({"wholesale/lmp": 30.0}, {"wholesale/lmp": published})
    if fresh:
        assert made.number("wholesale/lmp", since=since) == 30.0
    else:
        assert refused(made.number, "wholesale/lmp", since=since) == (
            "wholesale/lmp, published by 'wholesale', was last published at 299.5 s; expected 300 s or later"
        )


@pytest.mark.parametrize(
    ("key", "near"), [("wholesale/lpm", "wholesale/lmp"), ("feeder/load_raal", "feeder/load_real")]
)
def test_a_topic_that_is_not_read(key: str, near: str) -> None:
    message = refused(link().number, key)
    assert message == f"pv does not list {key} among its subscriptions (nearest: {near})"


@pytest.mark.parametrize(
    ("key", "value"),
    [("pv/energy", 5.0), ("pv/offer", "{}"), ("pv/all", np.zeros(3)), ("pv/energy", -LARGEST_UNKNOWN)],
)
def test_what_is_sound_is_sent(key: str, value: Value) -> None:
    made = link()
    made.publish(key, value)
    assert made.sent == [(key, value)]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "pv/energy",
            float("nan"),
            "pv/energy, published by 'pv', is nan; expected a finite number within 1e+12",
        ),
        ("pv/energy", 2e12, "pv/energy, published by 'pv', is 2e+12; expected a finite number within 1e+12"),
        (
            "pv/all",
            np.array([0.0, np.inf]),
            "pv/all, published by 'pv', is inf; expected a finite number within 1e+12",
        ),
        ("pv/enrgy", 1.0, "pv does not list pv/enrgy among its publications (nearest: pv/energy)"),
    ],
)
def test_what_is_not_sound_is_not_sent(key: str, value: Value, says: str) -> None:
    made = link()
    assert refused(made.publish, key, value) == says
    assert made.sent == []


@given(st.sampled_from([topic for topic in TOPICS if topic.type == "double"]), st.floats(-1.0, 1.0))
def test_numbers_of_the_contract_are_held_to_their_own_unit(topic: Topic, share: float) -> None:
    made = Told({})
    made._largest[topic.key] = topic.largest
    made._check(topic.key, np.array([share * topic.largest]), ("",))
    with pytest.raises(FederationError, match="expected a finite number within"):
        made._check(topic.key, np.array([1.001 * topic.largest]), ("",))


def test_an_empty_vector_is_sound() -> None:
    made = link()
    made.publish("pv/all", np.zeros(0))
    assert [key for key, _ in made.sent] == ["pv/all"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [("[-1] no such broker", "no such broker"), ("no number", "no number"), ("[9] a] b", "a] b")],
)
def test_errors_of_helics_are_told_without_their_number(text: str, plain: str) -> None:
    assert plain_message(RuntimeError(text)) == plain


def test_a_refusal_names_the_feeder_where_there_are_several() -> None:
    assert str(refusal("north.audit/verdict", "is odd")) == (
        "north.audit/verdict, published by 'north.recorder', is odd"
    )
