"""One federation on three hosts, network namespaces here: equal results, and an end when a cable is cut."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.cli import main
from tests.runners.namespaces import Hosts, connected

ROOT = Path(__file__).parents[2]
NAMES = (
    "wholesale",
    "feeder",
    "assets",
    "market",
    "recorder",
    "agents_1",
    "agents_2",
)
HOST_OF = {"feeder": 2, "market": 2, "agents_1": 3, "agents_2": 3}
"""Which host runs what; the first has the broker and all else."""
STALL_S = 12.0


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with connected(3) as found:
        yield found


def write_study(folder: Path, addresses: tuple[str, ...], intervals: int) -> Path:
    """The example study, short, its four agents in two federates, with a runner file that names hosts."""
    source = (ROOT / "configs" / "ieee123_agents" / "scenario.toml").read_text()
    data = ROOT / "configs" / "ieee123_day" / "data"
    text = source.replace("../ieee123_day/data", str(data)).replace(
        "intervals = 12", f"intervals = {intervals}"
    )
    text = text.replace("wire = true", "wire = true\nfederates = 2")
    folder.mkdir()
    (folder / "scenario.toml").write_text(text.replace('file = "results/ieee123_agents/', 'file = "results/'))
    members = [
        ("broker", 1, f"dlmp_cosim.runners.broker . --federates {','.join(NAMES)} --stall {STALL_S:g}")
    ]
    for name in NAMES:
        module = "agent" if name.startswith("agents_") else name
        members.append((name, HOST_OF.get(name, 1), f"dlmp_cosim.federates.{module} . --name {name}"))
    rows = [
        {"name": name, "directory": ".", "host": addresses[k - 1], "exec": f"python -u -m {words}"}
        for name, k, words in members
    ]
    file = folder / "runner.json"
    file.write_text(json.dumps({"name": "ieee123_agents", "federates": rows}))
    return file


def start(hosts: Hosts, runner: Path, k: int) -> subprocess.Popen[str]:
    """Run one host's part."""
    command = [sys.executable, "-m", "dlmp_cosim.runners.cli", "run", str(runner)]
    command += ["--host", hosts.addresses[k - 1], "-o", str(runner.parent / f"host_{k}")]
    return subprocess.Popen(
        hosts.prefix(k) + command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.timeout(180)
def test_three_hosts_leave_what_one_host_leaves(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = write_study(tmp_path / "study", hosts.addresses, 2)
    jobs = [start(hosts, runner, k) for k in (1, 2, 3)]
    said = [job.communicate(timeout=150)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], said
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path / "one"))
    study = load_study(runner.parent)
    run_direct(study)
    with Results(study.results_file) as one, Results(runner.parent / "host_1" / "results.h5") as three:
        assert three.complete
        for key in ("market/dispatch_real", "market/dlmp_real", "feeder/voltage_magnitude"):
            assert one.values(key).tobytes() == three.values(key).tobytes(), key


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.timeout(180)
def test_a_cut_cable_ends_the_run_everywhere_and_is_named(hosts: Hosts, tmp_path: Path) -> None:
    runner = write_study(tmp_path / "study", hosts.addresses, 288)
    jobs = [start(hosts, runner, k) for k in (1, 2, 3)]
    beat = runner.parent / "host_1" / "results.run" / "recorder.beat"
    limit = time.monotonic() + 90
    while time.monotonic() < limit and not (beat.is_file() and '"interval"' in beat.read_text()):
        time.sleep(0.2)
    hosts.cut(3)
    cut = time.monotonic()
    said = [job.communicate(timeout=60)[0] for job in jobs]
    took = time.monotonic() - cut
    assert all(job.returncode not in (0, None) for job in jobs)
    assert took < 3 * STALL_S
    assert f"nothing moves for {STALL_S:g} s" in said[0]
    assert all(name in said[0] for name in ("not known", "agents_1", "market"))
    # The second host knows as soon by itself: of its federates none moves, and from the broker nothing comes.
    assert re.search(f"nothing (moves|was heard) for {STALL_S:g} s", said[1]), said[1]
    for text in said[2:]:
        assert (
            f"nothing was heard for {STALL_S:g} s: the link to the broker at tcp://{hosts.addresses[0]}"
            in text
        )


def test_a_host_that_the_runner_file_does_not_name_is_refused(tmp_path: Path) -> None:
    runner = write_study(tmp_path / "study", ("alpha", "beta", "gamma"), 1)
    result = CliRunner().invoke(main, ["run", str(runner), "--host", "gama", "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "did you mean 'gamma'" in result.output
