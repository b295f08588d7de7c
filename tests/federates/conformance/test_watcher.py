"""The eye of the kit in front of a HELICS that is told: what it sees, when it looks, and what it plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import helics as h
import numpy as np
import pytest

from dlmp_cosim.federates.conformance import watcher as module
from dlmp_cosim.federates.conformance.watcher import Sample, Watcher, numbers
from dlmp_cosim.federates.contract.topics import award_topic, offer_topic, published_by
from dlmp_cosim.federates.runtime.base import ALONE
from dlmp_cosim.federates.runtime.link import FederationStopped
from dlmp_cosim.federates.study.study import Study

OFFER = offer_topic("assets")


class Helics:
    """A federation in which one topic has a publisher; what comes is told by the time."""

    def __init__(self) -> None:
        self.now, self.ends = 0.0, float("inf")
        self.publications: Any = ["assets/offer"]
        self.settings: dict[str, Any] = {}
        self.values: dict[float, str] = {}
        self.sent: list[tuple[float, str, Any]] = []
        self.asked: list[float] = []
        self.left = 0

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Stand in place of the library."""
        for name in ("EnterInitializingMode", "EnterExecutingMode"):
            patch.setattr(h, f"helicsFederate{name}", lambda _: None)
        patch.setattr(h, "helicsCreateValueFederateFromConfig", self.settings_of)
        patch.setattr(h, "helicsCreateQuery", lambda *words: words)
        patch.setattr(h, "helicsQueryExecute", lambda *_: self.publications)
        patch.setattr(h, "helicsFederateGetInputByIndex", lambda _, n: n)
        patch.setattr(h, "helicsFederateGetPublicationByIndex", lambda _, n: n)
        patch.setattr(h, "helicsFederateRequestTime", self.request)
        patch.setattr(h, "helicsFederateDisconnect", lambda _: setattr(self, "left", self.left + 1))
        patch.setattr(h, "helicsInputGetPublicationType", lambda n: "string" if n == 0 else "")
        patch.setattr(h, "helicsInputGetInjectionUnits", lambda _: OFFER.unit)
        patch.setattr(h, "helicsInputIsUpdated", lambda n: n == 0 and self.now in self.values)
        patch.setattr(h, "helicsInputGetString", lambda _: self.values[self.now])
        patch.setattr(module, "send", lambda n, value: self.sent.append((self.now, self.key(n), value)))

    def settings_of(self, text: str) -> str:
        self.settings = json.loads(text)
        return "federate"

    def key(self, number: int) -> str:
        return str(self.settings["publications"][number]["key"])

    def request(self, _federate: Any, time: float) -> float:
        self.asked.append(time)
        self.now = min(time, self.ends)
        return self.now


@pytest.fixture
def helics(monkeypatch: pytest.MonkeyPatch) -> Helics:
    told = Helics()
    told.use(monkeypatch)
    return told


@pytest.fixture
def watch(helics: Helics, study: Study) -> Callable[..., Watcher]:
    """Watch assets for one interval of a minute."""

    def run(name: str = "market", tested: str = "assets") -> Watcher:
        watcher = Watcher(name, tested, [OFFER], study.network, study.clock)
        watcher.run(ALONE, "secret")
        assert helics.left == 1
        return watcher

    return run


def offers(*rows: dict[str, Any]) -> str:
    return json.dumps({"interval": 0, "offers": list(rows)})


DG = {"resource": "dg", "p_min_kw": 40, "p_max_kw": 100, "cost_linear": 20}


def test_it_publishes_what_the_contract_asks_of_its_name(helics: Helics, watch: Any) -> None:
    watch()
    asked = [*published_by("market"), award_topic("assets")]
    assert [row["key"] for row in helics.settings["publications"]] == [topic.key for topic in asked]
    assert helics.settings["subscriptions"] == [
        {"key": "assets/offer", "required": False},
        {"key": "feeder/status", "required": False},
    ]
    assert "--brokerkey=secret" in helics.settings["core_init_string"]


def test_it_looks_at_every_slot_that_anybody_acts_in(helics: Helics, watch: Any, study: Study) -> None:
    watch()
    assert helics.asked == sorted(set(helics.asked))
    assert {1.0, 2.0, 3.0, 58.0, 59.0} <= set(helics.asked)
    assert helics.asked[-1] == study.clock.end == 60.0


def test_what_comes_was_published_a_slot_before(helics: Helics, watch: Any) -> None:
    helics.values = {0.0: "initial", 2.0: offers(), 4.0: "late"}
    assert watch().seen.samples == [
        Sample("assets/offer", 0, -1, "initial"),
        Sample("assets/offer", 0, 1, offers()),
        Sample("assets/offer", 0, 3, "late"),
    ]


def test_types_and_units_are_those_of_the_wire(watch: Any) -> None:
    seen = watch().seen
    assert (seen.types, seen.units) == ({"assets/offer": "string"}, {"assets/offer": OFFER.unit})
    assert seen.published == ("assets/offer",)


def test_one_that_does_not_answer_publishes_nothing(helics: Helics, watch: Any) -> None:
    helics.publications = {"error": "unknown"}
    assert watch().seen.published == ()


def dispatched(helics: Helics) -> list[tuple[float, list[float]]]:
    return [(time, value.tolist()) for time, key, value in helics.sent if key == "market/dispatch_real"]


def test_the_middle_of_a_sound_offer_is_awarded(helics: Helics, watch: Any) -> None:
    helics.values = {2.0: offers(DG)}
    watch()
    assert dispatched(helics) == [(2.0, [70.0, 0.0]), (4.0, [70.0, 0.0])]
    records = [json.loads(value) for _, key, value in helics.sent if key == "market/clearing"]
    assert [(row["trials"], row["status"]) for row in records] == [(0, "trial"), (1, "final")]


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", offers(), offers(DG | {"p_min_kw": "low"}), offers(DG | {"resource": "dgg"})],
    ids=["none", "nonsense", "empty", "a wrong number", "a stranger"],
)
def test_what_is_no_sound_offer_is_awarded_nothing(helics: Helics, watch: Any, text: str) -> None:
    helics.values = {2.0: text} if text else {}
    watch()
    assert [row for _, row in dispatched(helics)] == [[0.0, 0.0]] * 2


def test_in_the_place_of_the_recorder_it_ends_the_interval(helics: Helics, watch: Any, study: Study) -> None:
    watch("recorder", "market")
    assert [(time, key) for time, key, _ in helics.sent] == [(study.clock.recording(0), "audit/verdict")]


def test_a_federation_that_ends_early_is_said_to(helics: Helics, watch: Any) -> None:
    helics.ends = 5.0
    with pytest.raises(FederationStopped, match=r"^the federation ended before 6 s$"):
        watch()
    assert helics.left == 1


def test_a_federation_that_broke_stops_it(
    helics: Helics, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise h.HelicsException("[-4] the broker is gone")

    monkeypatch.setattr(h, "helicsFederateRequestTime", broken)
    with pytest.raises(FederationStopped, match=r"^the broker is gone$"):
        watch()
    assert helics.left == 1


def test_a_text_that_is_not_unicode_is_read_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> str:
        return b"\xff".decode()

    monkeypatch.setattr(h, "helicsInputGetString", broken)
    assert module._read(0, "string") == ""


@pytest.mark.parametrize(
    ("value", "found"), [("text", []), (2.5, [2.5]), (np.array([1.0, 2.0]), [1.0, 2.0]), (np.zeros(0), [])]
)
def test_numbers_of_a_value(value: Any, found: list[float]) -> None:
    assert numbers(value).tolist() == found
