"""The generator that needs nothing of this project, on a wire that a test holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dlmp_cosim.federates import plain

RESOURCES = [
    {"name": "dg", "owner": "assets", "kw_max": 300.0},
    {"name": "one", "owner": "backup", "kw_max": 80.0},
    {"name": "two", "owner": "backup", "kw_max": 20.0},
]


class Told:
    """A wire whose award is told, and that remembers when what was offered."""

    federate = None

    def __init__(self, award: list[float]) -> None:
        self.award, self.now = award, 0.0
        self.offers: list[tuple[float, dict[str, Any]]] = []
        self.read: list[float] = []

    def text(self, key: str) -> str:
        assert key == "feeder/network"
        return json.dumps({"resources": RESOURCES})

    def vector(self, key: str) -> list[float]:
        assert key == "market/dispatch_real"
        self.read.append(self.now)
        return self.award

    def offer(self, content: dict[str, Any]) -> None:
        self.offers.append((self.now, content))

    def wait_until(self, time: float) -> None:
        assert time > self.now
        self.now = time


@pytest.fixture(autouse=True)
def _no_helics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain.h, "helicsFederateEnterExecutingMode", lambda _: None)


def test_it_offers_what_it_owns_and_counts_what_it_sold() -> None:
    wire: Any = Told([250.0, 60.0, 12.0])
    assert plain.play(wire, "backup", 300, 3, 32.0) == pytest.approx(3 * 72.0 * 300 / 3600)
    assert [time for time, _ in wire.offers] == [1.0, 301.0, 601.0]
    assert wire.read == [298.0, 598.0, 898.0]
    assert wire.now == 900.0
    assert wire.offers[1][1] == {
        "interval": 1,
        "offers": [
            {"resource": "one", "p_min_kw": 0.0, "p_max_kw": 80.0, "cost_linear": 32.0},
            {"resource": "two", "p_min_kw": 0.0, "p_max_kw": 20.0, "cost_linear": 32.0},
        ],
    }


def test_who_owns_nothing_offers_nothing() -> None:
    wire: Any = Told([250.0, 60.0, 12.0])
    assert plain.play(wire, "stranger", 300, 1, 32.0) == 0.0
    assert wire.offers[0][1]["offers"] == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e49])
def test_a_vector_that_was_never_published_is_no_award(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """What HELICS reads where nothing was published is -1e49, and counts as valid."""
    monkeypatch.setattr(plain.h, "helicsInputGetVector", lambda _: [1.0, value])
    wire = object.__new__(plain.Wire)
    wire._inputs = {"market/dispatch_real": None}
    with pytest.raises(ValueError, match="market/dispatch_real is not finite"):
        wire.vector("market/dispatch_real")


def test_a_federation_that_ends_early_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain.h, "helicsFederateRequestTime", lambda *_: 9.2e9)
    wire = object.__new__(plain.Wire)
    wire.federate = None
    with pytest.raises(ValueError, match="the federation ended early"):
        wire.wait_until(300.0)
