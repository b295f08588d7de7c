"""Agents as federates: the same clearing as in one process, on a rough network too, without the silent."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.federates.agent import AgentHost
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES, run_local
from dlmp_cosim.federates.study.agents import AgentsSection
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.network import FloatArray

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "configs" / "ieee123_agents"
VALUES = ("market/dispatch_real", "market/dispatch_reactive", "market/dlmp_real", "market/dlmp_reactive")
ROUGH = {"delay_s": 0.02, "random_s": 0.01, "loss": 0.05, "duplication": 0.02, "reordering": 0.02}


@dataclass(frozen=True)
class Left:
    """What a run left."""

    values: dict[str, FloatArray]
    records: list[dict[str, Any]]

    @property
    def rounds(self) -> list[int]:
        """Negotiation rounds of every interval."""
        return [sum(item["negotiation_rounds"] for item in record["rounds"]) for record in self.records]


def study_of(
    *, method: str = "interior-point", agents: int = 4, hour: int = 17, intervals: int = 2, **wire: Any
) -> Study:
    """The example study, changed."""
    base = load_study(STUDY)
    scenario = base.scenario
    start = scenario.time.start.replace(hour=hour)
    changed = scenario.model_copy(
        update={
            "time": scenario.time.model_copy(update={"start": start, "intervals": intervals}),
            "market": scenario.market.model_copy(update={"method": method, "agents": agents}),
            "agents": AgentsSection.model_validate({"wire": True} | wire),
        }
    )
    return Study(base.folder, changed)


def left(study: Study) -> Left:
    with Results(study.results_file) as results:
        assert results.complete
        return Left({key: results.values(key) for key in VALUES}, results.records("market/clearing"))


def on_the_wire(study: Study) -> Left:
    """A HELICS federation with a federate for each host of agents."""
    agents = {f"agents_{k + 1}": AgentHost for k in range(study.scenario.agent_hosts)}
    run_local(study, {**ROLES, **agents})
    return left(study)


def in_process(study: Study) -> Left:
    run_direct(study)
    return left(study)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path))


def assert_equal(one: Left, other: Left) -> None:
    """Equal to the last bit."""
    for key in VALUES:
        assert one.values[key].tobytes() == other.values[key].tobytes(), key
    assert one.rounds == other.rounds


def assert_close(one: Left, other: Left) -> None:
    """Equal but for rounding: one loop condenses steps to the few limits that hold, agents apart sweep."""
    for key in VALUES:
        bound = 1e-8 if "dispatch" in key else 1e-5
        np.testing.assert_allclose(one.values[key], other.values[key], rtol=0, atol=bound, err_msg=key)
    assert one.rounds == other.rounds


@pytest.mark.federation
@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated"])
def test_agents_that_are_federates_clear_the_same(method: str) -> None:
    """Against one loop in one process, and against agents apart in one process."""
    hour = 17 if method == "interior-point" else 6
    wire = on_the_wire(study_of(method=method, hour=hour))
    assert all(record["agents"]["packets"] > 0 for record in wire.records)
    equal = assert_close if method == "interior-point" else assert_equal
    equal(wire, in_process(study_of(method=method, hour=hour, wire=False)))
    apart = in_process(study_of(method=method, hour=hour))
    assert_equal(wire, apart)
    assert [record["agents"] for record in wire.records] == [record["agents"] for record in apart.records]


@pytest.mark.federation
def test_a_rough_network_is_the_same_in_helics_and_simulated() -> None:
    """Seconds, packets and repetitions are equal, and the prices are those of an ideal network."""
    study = study_of(link=[ROUGH])
    wire, simulated = on_the_wire(study), in_process(study)
    assert_equal(wire, simulated)
    assert [record["agents"] for record in wire.records] == [record["agents"] for record in simulated.records]
    assert all(record["agents"]["repetitions"] > 0 for record in wire.records)
    assert_close(wire, in_process(study_of(wire=False)))


@pytest.mark.federation
@pytest.mark.parametrize("kind", ["silent", "nan"])
def test_a_broken_agent_is_named_in_the_record_and_the_run_goes_on(kind: str) -> None:
    fault = [{"agent": 3, "kind": kind, "first": 1}]
    study = study_of(intervals=5, fault=fault, word_s=5.0, grain_s=0.05)
    wire = on_the_wire(study)
    said = [" ".join(record["notes"]) for record in wire.records]
    assert said[0] == ""
    assert all(note.startswith("agent_3 ") for note in said[1:])
    assert ["held" in note for note in said] == [False, True, True, False, False]
    assert ["islanded" in note for note in said] == [False, False, False, True, True]
    assert all(record["settled"] for record in wire.records)


@pytest.mark.parametrize(("agents", "hour", "intervals"), [(4, 17, 2), (8, 17, 2), (8, 2, 4), (0, 2, 2)])
def test_minutes_of_talk_are_equal_without_helics(agents: int, hour: int, intervals: int) -> None:
    """Limits bind from 17:00 on, none does at 2:00; a binding limit takes thousands of rounds, one a bus."""
    same = {"method": "pac-accelerated", "agents": agents, "hour": hour, "intervals": intervals}
    apart = in_process(study_of(**same, federates=2))
    assert sum(apart.rounds) > 270
    assert_equal(apart, in_process(study_of(**same, wire=False)))


@pytest.mark.slow
@pytest.mark.federation
@pytest.mark.parametrize(
    ("method", "agents", "federates", "hour"),
    [
        ("interior-point", 4, 0, 17),
        ("interior-point", 8, 0, 17),
        ("interior-point", 0, 2, 17),
        ("pac-accelerated", 4, 0, 17),
        ("pac-accelerated", 4, 0, 2),
        ("pac-accelerated", 8, 0, 17),
        ("pac-accelerated", 0, 2, 2),
    ],
)
@pytest.mark.timeout(600)
def test_an_hour_is_equal(method: str, agents: int, federates: int, hour: int) -> None:
    """Twelve intervals, by four agents, by eight and by one a bus."""
    same = {"method": method, "agents": agents, "hour": hour, "intervals": 12, "federates": federates}
    wire, loop = on_the_wire(study_of(**same)), in_process(study_of(**same | {"wire": False}))
    equal = assert_close if method == "interior-point" else assert_equal
    equal(wire, loop)


@pytest.mark.slow
@pytest.mark.federation
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "command", ["helics run --path=runners/ieee123_agents.json", "dlmp run ieee123_agents"]
)
def test_the_example_runs_by_itself(command: str, tmp_path: Path) -> None:
    environment = os.environ | {"DLMP_RESULTS_DIR": str(tmp_path)}
    binaries = Path(sys.executable).parent
    environment["PATH"] = f"{binaries}:{environment['PATH']}"
    words = command.split()
    if words[0] == "dlmp":
        words += ["-o", str(tmp_path)]
    subprocess.run([str(binaries / words[0]), *words[1:]], cwd=ROOT, env=environment, check=True)
    found = left(load_study(STUDY))
    assert len(found.records) == 12
    assert all(record["settled"] for record in found.records)
