"""Whole federations of toys in one process: equal to processes, steady for long, safe against rogues."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from failing import failing_roles
from soak import COLLECTED, WEIGHTS
from toys import ROLES, ROOT, environment, make_runner, make_study

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.base import Role
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import ClearingError, DlmpError, FederationError, InputError, ResultsError
from dlmp_cosim.feeders.network import FloatArray

pytestmark = pytest.mark.federation


def contents(path: Path) -> dict[str, Any]:
    """Everything of a results file that has a row per interval, and its manifest."""
    with Results(path) as results:
        rows: dict[str, Any] = {}
        for key in results.keys:
            try:
                rows[key] = results.values(key)
            except ResultsError:
                rows[key] = results.texts(key)
        return {"manifest": results.manifest, "complete": results.complete, **rows}


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[key], other[key], equal_nan=True)
        if isinstance(one[key], np.ndarray)
        else one[key] == other[key]
        for key in one
    )


@pytest.mark.usefixtures("quick_starts")
def test_processes_and_threads_give_equal_results(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", intervals=24)
    run_local(load_study(study), ROLES)
    threads = contents(load_study(study).results_file)
    runner = make_runner(study)
    command = [
        sys.executable,
        "-m",
        "dlmp_cosim.runners.cli",
        "run",
        str(runner),
        "-o",
        str(tmp_path / "other"),
    ]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True)
    processes = contents(tmp_path / "other" / "results.h5")
    assert threads["complete"]
    assert len(threads["wholesale/lmp"]) == 24
    assert equal(threads, processes)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        study = make_study(tmp_path / name / "study", intervals=4)
        scenario = study / "scenario.toml"
        scenario.write_text(scenario.read_text().replace(str(tmp_path / name / "out"), "out"))
        loaded = load_study(study)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DLMP_RESULTS_DIR", str(tmp_path / name))
            run_local(loaded, ROLES)
            texts.append(loaded.results_file.read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("model", "policy", "held", "reason"),
    [
        ("Stubborn", "hold_last", True, "after 4 rounds"),
        ("Stubborn", "dispatch_anyway", False, "after 4 rounds"),
        ("Helpless", "hold_last", True, "no numbers today"),
        ("Helpless", "dispatch_anyway", True, "no numbers today"),
    ],
)
def test_what_does_not_settle_is_labelled(
    tmp_path: Path, model: str, policy: str, held: bool, reason: str
) -> None:
    study = make_study(tmp_path / "study", intervals=3, model=f"toy_market:{model}", on_failure=policy)
    run_local(load_study(study), ROLES)
    with Results(tmp_path / "out" / "results.h5") as results:
        records = results.records("market/clearing")
        dispatch = results.values("market/dispatch_real")
        price = results.values("market/dlmp_real")
    assert [record["settled"] for record in records] == [True, False, False]
    assert [record["held"] for record in records] == [False, held, held]
    assert all(reason in record["reason"] for record in records[1:])
    assert (price[1, 0] == price[0, 0]) == held
    assert (dispatch[1].tolist() == dispatch[0].tolist()) == held


@pytest.mark.parametrize(
    ("model", "says"), [("Stubborn", "after 4 rounds"), ("Helpless", "no numbers today")]
)
def test_failing_ends_the_run(tmp_path: Path, model: str, says: str) -> None:
    study = make_study(tmp_path / "study", intervals=3, model=f"toy_market:{model}", on_failure="fail")
    with pytest.raises(ClearingError, match=says):
        run_local(load_study(study), ROLES)
    with Results(tmp_path / "out" / "results.h5") as results:
        assert results.intervals == 1


class Tampering:
    """A role whose link changes what it publishes."""

    def __init__(self, role: Role, change: Callable[[str, Value], Value]) -> None:
        self._role, self._change = role, change

    def initial(self) -> Mapping[str, Value]:
        return self._role.initial()

    def run(self, link: Link) -> None:
        self._role.run(_TamperingLink(link, self._change))

    def close(self) -> None:
        self._role.close()


class _TamperingLink:
    """Publishes past the checks of the publisher's own link, as a federate of somebody else would."""

    def __init__(self, link: Any, change: Callable[[str, Value], Value]) -> None:
        self._link, self._change = link, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def publish(self, key: str, value: Value) -> None:
        checks = self._link._check
        self._link._check = lambda *_: None
        try:
            self._link.publish(key, self._change(key, value))
        finally:
            self._link._check = checks


def tamper(study: Path, name: str, change: Callable[[str, Value], Value]) -> None:
    def build(found: Study) -> Role:
        return Tampering(ROLES[name](found), change)

    run_local(load_study(study), {**ROLES, name: build})


def longer(values: Value) -> FloatArray:
    return np.append(np.asarray(values), 0.0)


def spoilt(value: float) -> Callable[[Value], FloatArray]:
    def spoil(values: Value) -> FloatArray:
        copy = np.array(values, dtype=np.float64)
        copy[-1] = value
        return copy

    return spoil


@pytest.mark.parametrize(
    ("key", "change", "says"),
    [
        ("feeder/voltage_magnitude", longer, "has 7 values; expected 6"),
        ("feeder/voltage_magnitude", lambda values: np.asarray(values)[:-1], "has 5 values; expected 6"),
        (
            "feeder/voltage_magnitude",
            spoilt(float("nan")),
            "is nan at b.3; expected a finite number within 10 pu",
        ),
        ("feeder/voltage_magnitude", spoilt(2401.0), "is 2401 at b.3; expected a finite number within 10 pu"),
        ("feeder/load_real", spoilt(float("inf")), "is inf at load_c"),
        ("feeder/losses_real", lambda _: float("nan"), "is nan; expected a finite number"),
        ("feeder/losses_real", lambda _: -1e49, "was never published"),
        ("feeder/status", lambda _: "so far so good", "is not JSON"),
        ("market/dispatch_real", longer, "has 3 values; expected 2"),
        ("market/dispatch_real", spoilt(float("nan")), "is nan at flex"),
        ("market/dispatch_real", spoilt(1e6), "of flex; it has"),
        ("market/clearing", lambda _: "[]", "is not a JSON object"),
        ("wholesale/lmp", lambda _: 1e9, "is 1e+09; expected a finite number within 1e+08 $/MWh"),
        ("wholesale/demand_ratio", lambda _: float("nan"), "is nan"),
    ],
)
def test_a_value_that_is_wrong_is_refused_with_its_publisher(
    tmp_path: Path, key: str, change: Callable[[Value], Value], says: str
) -> None:
    study = make_study(tmp_path / "study", intervals=2)
    name = key.split("/", maxsplit=1)[0]
    with pytest.raises(FederationError) as caught:
        tamper(study, name, lambda topic, value: change(value) if topic == key else value)
    assert says in str(caught.value)
    assert f"published by '{name}'" in str(caught.value)


def test_the_publisher_itself_refuses_to_publish_nonsense(tmp_path: Path) -> None:
    class Careless(ROLES["wholesale"]):  # type: ignore[misc]
        def run(self, link: Link) -> None:
            link.publish("wholesale/lmp", float("nan"))

    study = load_study(make_study(tmp_path / "study"))
    with pytest.raises(FederationError, match="wholesale/lmp, published by 'wholesale', is nan"):
        run_local(study, {**ROLES, "wholesale": Careless})


def test_a_federate_may_only_publish_what_it_lists(tmp_path: Path) -> None:
    class Rogue(ROLES["assets"]):  # type: ignore[misc]
        def run(self, link: Link) -> None:
            link.publish("market/dispatch_real", np.zeros(2))

    study = load_study(make_study(tmp_path / "study"))
    with pytest.raises(FederationError, match="assets does not list market/dispatch_real"):
        run_local(study, {**ROLES, "assets": Rogue})


def rogue_publication(study: Path, key: str) -> None:
    """Let the assets federate list a topic that is not its own, past its own check."""
    file = study / "assets.json"
    table = json.loads(file.read_text())
    table["publications"].append({"key": key, "type": "double", "unit": "kW", "global": True})
    file.write_text(json.dumps(table))


@pytest.mark.parametrize("key", ["feeder/head_power_reserve", "recorder/anything"])
def test_a_topic_of_somebody_else_is_refused_by_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    study = make_study(tmp_path / "study")
    rogue_publication(study, key)
    with pytest.raises(DlmpError, match=r"may not publish|unknown topic"):
        run_local(load_study(study), ROLES)
    monkeypatch.setattr("dlmp_cosim.federates.study.helics_config.check_config", lambda *_: None)
    owner = key.split("/", maxsplit=1)[0]
    with pytest.raises(FederationError, match=f"'assets' publishes {key}, which only '{owner}' may"):
        run_local(load_study(study), ROLES)


def test_another_unit_on_the_wire_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path / "study")
    file = study / "feeder.json"
    config = json.loads(file.read_text())
    (load_real,) = (item for item in config["publications"] if item["key"] == "feeder/load_real")
    load_real["unit"] = "MW"
    file.write_text(json.dumps(config))
    monkeypatch.setattr("dlmp_cosim.federates.study.helics_config.check_config", lambda *_: None)
    with pytest.raises(
        FederationError, match="feeder/load_real, published by 'feeder', is in 'MW'; expected 'kW'"
    ):
        run_local(load_study(study), ROLES)


def test_one_failure_stops_everybody(tmp_path: Path) -> None:
    stopped: list[BaseException] = []

    study = load_study(make_study(tmp_path / "study"))
    with pytest.raises(RuntimeError, match="out of offers"):
        run_local(study, failing_roles(stopped))
    assert "assets: RuntimeError: out of offers" in str(stopped[0])


def test_one_that_fails_before_joining_stops_everybody(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study")
    (study / "market.json").write_text("{")
    with pytest.raises(InputError, match=r"market.json"):
        run_local(load_study(study), ROLES)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("intervals", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_run(tmp_path: Path, intervals: int) -> None:
    command = [sys.executable, str(ROOT / "tests" / "toys" / "soak.py"), str(tmp_path), str(intervals)]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True)
    weights = json.loads((tmp_path / WEIGHTS).read_text())
    assert len(weights) == intervals
    with Results(tmp_path / "out" / "results.h5") as results:
        assert results.complete
        assert results.values("wholesale/lmp")[-1] == 20.0 + (intervals - 1) % 20
    assert intervals // 2 % COLLECTED == 0
    # Half a kB for each interval of the second half, a MB at most; Python's own pages come and go by 80 kB.
    assert weights[-1] - weights[intervals // 2 - 1] < min(1024, intervals // 4)
