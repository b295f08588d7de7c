"""The files for containers: sound without an engine, and about the hosts of their runner file."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import load_runner
from dlmp_cosim.runners.start.examples import copy_example, find_example

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


def test_the_image_holds_a_sound_study(services: dict[str, Any], tmp_path: Path) -> None:
    for service in services.values():
        context = (FOLDER / service["build"]["context"]).resolve()
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]).is_file()
    text = (FOLDER / "Dockerfile").read_text()
    assert "dlmp new /study --like ieee123_agents --name ieee123_agents" in text
    assert "COPY configs/compose/runner.json /study/runner.json" in text
    study = tmp_path / "ieee123_agents"
    copy_example(find_example("ieee123_agents"), study, "ieee123_agents")
    shutil.copy(FOLDER / "runner.json", study / "runner.json")
    assert check_study(load_runner(study / "runner.json")).errors == ()


def test_docker_accepts_the_file() -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode
    ):
        pytest.skip("there is no docker compose here")
    command = ["docker", "compose", "-f", str(FOLDER / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
