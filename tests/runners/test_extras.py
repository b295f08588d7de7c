"""Optional parts: what they need, what is missing, and which one brings a module."""

from __future__ import annotations

from importlib import metadata

import pytest

from dlmp_cosim.runners import extras
from dlmp_cosim.runners.extras import EXTRAS, extra_with, install_command, missing_packages, packages_of

NEEDS = [
    "numpy>=1.26",
    'matplotlib>=3.8; extra == "report"',
    "openpyxl>=3.1; extra == 'excel'",
    'pvlib; python_version > "3.10" and extra == "pv"',
    'power-grid-model[doc]>=1.8; extra == "power-grid-model"',
    'reportlab; extra == "report-more"',
]


@pytest.fixture(autouse=True)
def _needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: NEEDS)


@pytest.mark.parametrize(
    ("extra", "packages"),
    [
        ("report", ("matplotlib",)),
        ("excel", ("openpyxl",)),
        ("pv", ("pvlib",)),
        ("power-grid-model", ("power-grid-model",)),
        ("notebook", ()),
    ],
)
def test_a_part_needs_its_own_packages(extra: str, packages: tuple[str, ...]) -> None:
    assert packages_of(extra) == packages


def test_what_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "pvlib":
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(extras.metadata, "version", version)
    assert missing_packages("pv") == ("pvlib",)
    assert missing_packages("report") == ()


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("matplotlib.figure", "report"),
        ("power_grid_model", "power-grid-model"),
        ("numpy", ""),
        ("nowhere", ""),
    ],
)
def test_a_module_comes_with_a_part(module: str, extra: str) -> None:
    assert extra_with(module) == extra


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_part_is_installed_by_its_name(extra: str) -> None:
    assert install_command(extra) == f'pip install "dlmp-cosim[{extra}]"'
