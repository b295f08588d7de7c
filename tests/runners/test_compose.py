"""The files for containers: sound without an engine, and about the hosts of their runner file."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import load_runner
from dlmp_cosim.runners.start.examples import copy_example, find_example
from tests.runners.namespaces import connected

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "compose"


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return found


def test_every_host_has_a_container_that_runs_its_part(services: dict[str, Any]) -> None:
    runner = load_runner(FOLDER / "runner.json")
    hosts = {member.host for member in runner.content.federates}
    assert set(services) == hosts
    assert len(hosts) == 4
    for name, service in services.items():
        words = shlex.split(service["command"])
        assert words[:2] == ["dlmp", "run"]
        command = main.get_command(click.Context(main), "run")
        assert command is not None
        given = command.make_context("run", words[2:]).params
        assert (given["host"], given["study"], str(given["output"])) == (
            name,
            "/study/runner.json",
            f"/results/{name}",
        )
        assert name == "broker" or service["depends_on"] == ["broker"]
    beside = [member.name for member in runner.on_host("broker")]
    assert beside[0] == "broker"
    assert "recorder" in beside


def test_the_image_is_built_once_and_never_fetched(services: dict[str, Any]) -> None:
    """Two builds of one name at a time fail, and whose image of that name there is elsewhere nobody knows."""
    assert {service["image"] for service in services.values()} == {"dlmp-cosim"}
    build = services["broker"]["build"]
    assert [name for name, service in services.items() if "build" in service] == ["broker"]
    assert {name: service["pull_policy"] for name, service in services.items() if name != "broker"} == {
        "feeder": "never",
        "market": "never",
        "agents": "never",
    }
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == FOLDER / "Dockerfile"
    copied = [
        line.split()[1]
        for line in (FOLDER / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY")
    ]
    sent = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert [line[1:] for line in sent if line.startswith("!")] == copied
    assert "*" in sent


def test_the_image_holds_a_sound_study(tmp_path: Path) -> None:
    text = (FOLDER / "Dockerfile").read_text()
    assert "dlmp new /study --like ieee123_agents --name ieee123_agents" in text
    assert "COPY configs/compose/runner.json /study/runner.json" in text
    study = tmp_path / "ieee123_agents"
    copy_example(find_example("ieee123_agents"), study, "ieee123_agents")
    shutil.copy(FOLDER / "runner.json", study / "runner.json")
    assert check_study(load_runner(study / "runner.json")).errors == ()


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.timeout(180)
def test_the_commands_run_on_hosts_of_those_names(
    services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each service's own command, on a host that the others know by the service's name."""
    folder = tmp_path / "study"
    copy_example(find_example("ieee123_agents"), folder, "ieee123_agents", ["time.intervals=2"])
    shutil.copy(FOLDER / "runner.json", folder / "runner.json")
    jobs = []
    with connected(len(services), list(services)) as hosts:
        for k, service in enumerate(services.values(), 1):
            line = service["command"].replace("/study", str(folder)).replace("/results", str(tmp_path))
            words = [*hosts.prefix(k), sys.executable, "-m", "dlmp_cosim.runners.cli", *shlex.split(line)[1:]]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            jobs.append(subprocess.Popen(words, cwd=folder, text=True, **pipes))
        said = [job.communicate(timeout=150)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * len(jobs), said
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path / "one"))
    study = load_study(folder)
    run_direct(study)
    with Results(study.results_file) as one, Results(tmp_path / "broker" / "results.h5") as four:
        assert four.complete
        assert one.values("market/dlmp_real").tobytes() == four.values("market/dlmp_real").tobytes()


def test_docker_accepts_the_file() -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode
    ):
        pytest.skip("there is no docker compose here")
    command = ["docker", "compose", "-f", str(FOLDER / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
