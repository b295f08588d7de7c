"""Federates without a federation: a link that a test scripts, and the toy study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from toys import make_study

from dlmp_cosim.federates.runtime.link import Value
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import FloatArray, Network


class ScriptedLink:
    """A link whose inputs a test sets by time, and whose outputs it reads afterwards.

    `script` maps a simulated time to what others publish then; a callable gets the link instead.
    `trace` keeps the order of everything that the federate did.
    """

    def __init__(self, script: Mapping[float, Mapping[str, Value] | Callable[[ScriptedLink], None]]) -> None:
        self._script = dict(script)
        self.now = 0.0
        self.inputs: dict[str, Value] = {}
        self.published: dict[str, float] = {}
        self.outputs: dict[str, Value] = {}
        self.trace: list[tuple[float, str]] = []
        self.shown: list[Mapping[str, float | str]] = []
        self.offers: tuple[str, ...] = ()
        self.publishes: tuple[str, ...] = ()
        self._play(0.0)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.inputs)

    def adopt(self, network: Network) -> None:
        self.network = network

    def wait_until(self, time: float) -> None:
        assert time > self.now, "a federate may only wait for the future"
        for moment in sorted(self._script):
            if self.now < moment <= time:
                self._play(moment)
        self.now = time
        self.trace.append((time, "wait"))

    def number(self, key: str, *, since: float = 0.0) -> float:
        return float(self._read(key, since))  # type: ignore[arg-type]

    def vector(self, key: str, *, since: float = 0.0) -> FloatArray:
        value = self._read(key, since)
        assert not isinstance(value, float | str)
        return value

    def text(self, key: str, *, since: float = 0.0) -> str:
        return str(self._read(key, since))

    def publish(self, key: str, value: Value) -> None:
        self.outputs[key] = value
        self.trace.append((self.now, key))

    def show(self, figures: Mapping[str, float | str]) -> None:
        self.shown.append(figures)

    def _read(self, key: str, since: float) -> Value:
        if self.published.get(key, -1.0) < since:
            raise FederationError(f"{key} was not published at {since:g} s or later")
        return self.inputs[key]

    def _play(self, moment: float) -> None:
        values = self._script.get(moment, {})
        if callable(values):
            values(self)
        else:
            self.inputs.update(values)
            self.published.update(dict.fromkeys(values, moment))


@pytest.fixture
def toy_study(tmp_path: Path) -> Study:
    return load_study(make_study(tmp_path / "study"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """One interval of a minute."""
    return load_study(make_study(tmp_path / "study", intervals=1))


@pytest.fixture
def scripted() -> type[ScriptedLink]:
    return ScriptedLink
