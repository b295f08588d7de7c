"""A day of an aggregator against a market that sees every device."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.measure.aggregation import aggregation_command, apart

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three hours of the operator's day with one car in ten."""
    folder = tmp_path / "configs" / "ieee123_operator"
    shutil.copytree(CONFIGS / "ieee123_operator", folder)
    for name in ("ieee123_day", "ieee123_pv"):
        (tmp_path / "configs" / name).symlink_to(CONFIGS / name)
    file = folder / "scenario.toml"
    text = file.read_text().replace("T00:00:00", "T15:00:00").replace("intervals = 24", "intervals = 3")
    file.write_text(text)
    lines = (folder / "homes.csv").read_text().splitlines()
    (folder / "homes.csv").write_text("\n".join([*lines[:2], *lines[2::10]]) + "\n")
    return folder


def test_every_device_becomes_a_resource_where_all_of_them_were(folder: Path) -> None:
    study = apart(load_study(folder), "homes")
    mine = [resource for resource in study.network.resources if resource.owner == "homes"]
    assert len(mine) == 26
    assert {resource.bus for resource in mine} == {"76"}
    assert {resource.kind for resource in mine} == {"storage", "generator"}
    with pytest.raises(InputError, match="offers 26 resources apart"):
        apart(study, "homes")


def test_the_market_that_sees_every_device_loses_less(folder: Path) -> None:
    figure = folder / "figure.svg"
    done = CliRunner().invoke(aggregation_command, [str(folder), "homes", "--json", "--figure", str(figure)])
    assert done.exit_code == 0, done.output
    together, every = json.loads(done.output)
    assert (together["offers"], every["offers"]) == ("together", "apart")
    assert "the line that is offered" in figure.read_text()
    assert together["lost_usd"] > every["lost_usd"] >= -1e-9
    assert together["shortfall_kwh"] == pytest.approx(0.0, abs=1e-9)
    assert together["total_usd"] == pytest.approx(every["total_usd"], rel=0.02)


def test_an_owner_that_is_not_there_is_named(folder: Path) -> None:
    done = CliRunner().invoke(aggregation_command, [str(folder), "home"])
    assert done.exit_code == 1
    assert "did you mean 'homes'?" in done.output
