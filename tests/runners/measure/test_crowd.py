"""Owners hosted in one process are federates like any others: same results, same end when one fails."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from click.testing import CliRunner
from toys import CONFIGS, PYTHONPATH, ROOT, environment, processes

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.ports import reserve_block
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.measure import crowd
from dlmp_cosim.runners.measure.crowd import Start, crowd_command, write_crowd
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import HOST_MODULE, load_runner
from dlmp_cosim.runners.run.supervise import supervise

STARTS: tuple[Start, ...] = get_args(Start)


def write_day(folder: Path) -> str:
    """Copy the shipped day, three intervals of it; its results go to `alone`."""
    shutil.copytree(CONFIGS, folder / "configs" / "ieee123_day")
    scenario = folder / "configs" / "ieee123_day" / "scenario.toml"
    text = scenario.read_text().replace("intervals = 288", "intervals = 3")
    scenario.write_text(text.replace("results/ieee123_day", str(folder / "alone")))
    runner = folder / "day.json"
    text = (ROOT / "runners" / "ieee123_day.json").read_text()
    text = text.replace("configs/ieee123_day", str(scenario.parent))
    runner.write_text(text.replace('"directory": ".."', f'"directory": "{ROOT}"'))
    return str(runner)


@pytest.fixture
def day(tmp_path: Path) -> str:
    return write_day(tmp_path)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """A day, and what it comes to without a crowd, in one process."""
    folder = tmp_path_factory.mktemp("day")
    written = write_day(folder)
    run_direct(load_runner(Path(written)).single)
    return written, result(folder / "alone" / "results.h5")


def result(file: Path) -> dict[str, Any]:
    with Results(file) as results:
        assert results.complete
        keys = ("market/dispatch_real", "market/dlmp_real", "feeder/voltage_magnitude")
        return {key: results.values(key) for key in keys}


@pytest.mark.parametrize("start", STARTS)
def test_a_crowd_is_a_sound_study(day: str, tmp_path: Path, start: Start) -> None:
    runner = load_runner(write_crowd(day, 4, tmp_path / "a crowd", start))
    report = check_study(runner)
    assert report.errors == ()
    assert report.federates == 9
    owners = {resource.owner for resource in runner.study.network.resources}
    assert owners == {"assets", *(f"owner_{k}" for k in (1, 2, 3, 4))}
    assert len(runner.members) == (9 if start == "alone" else 6)


def test_more_owners_than_loads_are_refused(day: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"flexible loads to hand over.*500 at least"):
        write_crowd(day, 500, tmp_path / "crowd")


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize("start", STARTS)
def test_who_offers_a_load_changes_nothing(
    alone: tuple[str, dict[str, Any]], tmp_path: Path, start: Start
) -> None:
    day, expected = alone
    crowded = write_crowd(day, 3, tmp_path / "crowd", start)
    assert supervise(load_runner(crowded)) is None
    together = result(tmp_path / "crowd" / "results.h5")
    for key, values in expected.items():
        assert np.array_equal(values, together[key]), key


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize(
    ("way", "start", "owner", "says", "finished"),
    [
        ("helics", "hosted", "Refusing", "a fault on purpose", 0),
        ("helics", "hosted", "Raising", "a fault on purpose", 1),
        ("helics", "hosted", "Hanging", "has not answered for 3 s", 1),
        ("dlmp", "hosted", "Refusing", "a fault on purpose", 0),
        ("dlmp", "hosted", "Raising", "a fault on purpose", 1),
        ("dlmp", "hosted", "Hanging", "has not answered for 3 s", 1),
        ("helics", "forked", "Killed", "ended without a word", 1),
        ("dlmp", "forked", "Killed", "ended without a word", 1),
        ("dlmp", "forked", "Raising", "a fault on purpose", 1),
    ],
)
def test_a_hosted_federate_at_fault_is_named(
    day: str, tmp_path: Path, way: str, start: Start, owner: str, says: str, finished: int
) -> None:
    """How a federate fails has nothing to do with the market, which negotiates nothing, nor with the day's
    other federates, which share a process.
    """
    path = write_crowd(day, 3, tmp_path / "crowd", start)
    scenario = path.parent / "scenario.toml"
    scenario.write_text(scenario.read_text().replace('model = "nodal"', 'model = "uniform"'))
    assert load_runner(path).study.scenario.market.model == "uniform"
    table = json.loads(path.read_text())
    broker, *members, host = table["federates"]
    broker["exec"] += " --stall 3"
    day_own = [f"{member['name']}=toy_owner:of_the_day" for member in members]
    shared = {
        **members[0],
        "name": "day",
        "exec": f"python -u -m {HOST_MODULE} {path.parent} {' '.join(day_own)}",
        "env": {"PYTHONPATH": PYTHONPATH},
    }
    table["federates"] = [broker, shared, host]
    host["exec"] = host["exec"].replace(
        "owner_2=dlmp_cosim.federates.assets:Assets", f"owner_2=toy_owner:{owner}"
    )
    host["env"] = {"PYTHONPATH": PYTHONPATH}
    path.write_text(json.dumps(table))
    words = ["helics", "run", f"--path={path}"] if way == "helics" else ["dlmp", "run", str(path)]
    port, guard = reserve_block()
    variables = environment(HELICS_BROKER_PORT=str(port))
    with guard:
        done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    ended = time.time()
    assert done.returncode == (137 if (way, owner) == ("dlmp", "Killed") else 1)
    log = path.parent / ("broker.log" if way == "helics" else "results.run/broker.log")
    said = done.stdout + done.stderr + log.read_text()
    assert any("owner_2" in line and says in line for line in said.splitlines()), said
    assert ended - float((path.parent / "fault.time").read_text()) < 10.0
    assert processes(path.parent) == []
    if finished:
        with Results(path.parent / "results.h5") as results:
            assert results.intervals == finished


def test_the_command_sums_up_ratios_of_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 11.0, 30.0, 16.0, 15.0, 20.0, 20.0, 50.0, 28.0, 40.0])
    monkeypatch.setattr(crowd, "write_crowd", lambda *_, **__: None)
    monkeypatch.setattr(crowd, "_run", lambda _: next(times))
    done = CliRunner().invoke(crowd_command, ["ieee123_day", "--owners", "7", "--repeats", "2", "--json"])
    assert done.exit_code == 0
    runs = json.loads(done.output)["runs"]
    assert list(runs) == ["none", "1", "7", "7, forked", "7, hosted"]
    assert runs["none"]["ratio"] == 1.0
    assert runs["7"] == {"seconds": 40.0, "ratio": 2.75, "ratio_min": 2.5, "ratio_max": 3.0}
    assert runs["7, forked"]["ratio"] == 1.5
    assert runs["7, hosted"]["ratio"] == 1.75


def test_the_table_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "write_crowd", lambda *_, **__: None)
    monkeypatch.setattr(crowd, "_run", lambda _: 12.0)
    done = CliRunner().invoke(crowd_command, ["ieee123_day", "--repeats", "1"])
    assert done.exit_code == 0
    assert "20, hosted" in done.output


def test_an_unknown_study_is_one_line() -> None:
    done = CliRunner().invoke(crowd_command, ["ieee123_dy"])
    assert done.exit_code == 1
    assert "did you mean 'ieee123_day'" in done.output
