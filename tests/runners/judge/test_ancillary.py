"""`dlmp ancillary`, `dlmp settle` and `dlmp substation --verify` on a run of toy feeders with a reserve."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from toys import ROLES, make_substation

from dlmp_cosim.federates.runtime.direct import run_together
from dlmp_cosim.federates.study.substation import load_substation
from dlmp_cosim.runners.cli import main

COLUMNS = "resource,kind,bus,phases,load,kw_max,kva_max,curtailable_share,cost_linear,cost_quadratic"
ASSETS = f"""{COLUMNS},reserve,called
dg,generator,b,abc,,300,300,,18,0.05,2,60
big,generator,b,abc,,250,250,,10,0.01,,
"""
SETTINGS = """
[ancillary]
gate_minutes = 6
paid_by = "peak"
[ancillary.reserve]
requirement_kw = 260
minutes = 1
[[disruption]]
feeder = "one"
resource = "big"
begin_minutes = 1
minutes = 3
"""


def run(folder: Path, settings: str) -> Path:
    made = make_substation(folder / "all", "one", "two", settings=settings, model="nodal")
    for name in ("one", "two"):
        (made / name / "assets.csv").write_text(ASSETS)
    study = load_substation(made)
    run_together(study, {"one": ROLES, "two": ROLES})
    return study.results_file


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("sold"), SETTINGS)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("bare"), "")


def told(*words: str | Path) -> str:
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    return found.output


def test_calls_and_their_answers_are_told(results: Path) -> None:
    text = told("ancillary", results)
    assert "reserve" in text
    assert "one.dg" in text
    assert "delivered" in text
    table = json.loads(told("ancillary", results, "--json"))
    assert table["products"][0]["short_intervals"] == 0
    assert table["within_minutes"] == 1.0
    assert sum(table["products"][0]["calls"].values()) == len(table["answers"]) > 0


def test_the_verdict_has_them_and_one_without_a_market_does_not(results: Path, bare: Path) -> None:
    assert json.loads(told("verdict", results, "--json"))["ancillary"]["out_of_band"] >= 1
    assert "off what was bought" in told("verdict", results)
    assert "ancillary" not in json.loads(told("verdict", bare, "--json"))


def test_the_ledger_names_who_is_paid_and_who_pays(results: Path, bare: Path) -> None:
    table = json.loads(told("settle", results, "--json"))
    sold = table["ancillary"]
    assert sum(sold["charged_usd"].values()) == pytest.approx(sold["paid_usd"], abs=1e-9)
    assert sum(sold["products_usd"].values()) == pytest.approx(sold["paid_usd"], abs=1e-9)
    assert abs(table["imbalance_usd"]) <= 1e-6
    assert any(item["called_usd"] > 0.0 for item in sold["sellers"])
    assert "its operator pays" in told("settle", results)
    assert "ancillary" not in json.loads(told("settle", bare, "--json"))


def test_prices_are_held_against_one_program(results: Path) -> None:
    gaps = json.loads(told("substation", results, "--verify", "1", "--json"))["gaps"]
    assert gaps
    assert all(abs(item["products"]["reserve"]) <= 0.1 for item in gaps)


def test_two_runs_are_drawn_beside_each_other(results: Path, tmp_path: Path) -> None:
    file = tmp_path / "trip.svg"
    told("ancillary", results, "--beside", results, "--figure", file)
    assert file.stat().st_size > 1000


def test_results_without_a_market_are_refused(bare: Path) -> None:
    for path in (bare, bare.parent / "one.h5"):
        found = CliRunner().invoke(main, ["ancillary", str(path)])
        assert found.exit_code == 1
        assert "[ancillary]" in found.output
