"""What the project says of itself in several places is the same everywhere."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from dlmp_cosim.runners.extras import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == citation["version"] == metadata.version("dlmp-cosim")
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_a_change_is_told_under_unreleased() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert changes.index("## [Unreleased]") < changes.index(f"## [{PROJECT['version']}]")


def test_every_extra_of_a_user_is_explained() -> None:
    assert set(PROJECT["optional-dependencies"]) - {"dev", "docs"} == set(EXTRAS)


@pytest.mark.parametrize("name", ["CITATION.cff", ".pre-commit-config.yaml"])
def test_settings_are_yaml(name: str) -> None:
    assert isinstance(yaml.safe_load((ROOT / name).read_text()), dict)
