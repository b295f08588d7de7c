"""`dlmp scenarios` on a short study: five runs through the physics, compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.market.money.payment_schemes import MODELS, Rates
from dlmp_cosim.runners.compare.scenarios import REPORT, read_outcome, scenarios_command, variant
from dlmp_cosim.runners.judge.settle import settle_command
from dlmp_cosim.runners.run.find import find_study

pytestmark = pytest.mark.federation


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(scenarios_command, [str(item) for item in arguments])


@pytest.fixture(scope="module")
def folder(short_study: Path, tmp_path_factory: pytest.TempPathFactory, quick_workers: None) -> Path:
    del quick_workers
    output = tmp_path_factory.mktemp("scenarios") / "out"
    result = run(short_study, "-o", output)
    assert result.exit_code == 0, result.output
    for expected in (
        "Traditional",
        "Retail_B",
        "Market, net",
        "net revenue of the operator",
        "highest voltage, pu",
    ):
        assert expected in result.output
    return output


@pytest.fixture(scope="module")
def table(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / REPORT).read_text())
    return found


def test_every_scenario_leaves_results_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [REPORT, *(f"{name}.h5" for name in MODELS)]
    )
    for name in MODELS:
        with Results(folder / f"{name}.h5") as results:
            assert results.complete
            assert results.scenario["study"]["name"].endswith(f"_{name}")


def test_the_findings_of_the_paper(table: dict[str, Any]) -> None:
    net = {name: row["net_revenue_usd"] for name, row in table.items()}
    assert net["traditional"] > 0
    assert net["no_export"] > 0
    assert net["retail_m"] < 0
    assert net["retail_b"] < 0
    assert abs(net["market"]) < 0.3 * min(net["traditional"], net["no_export"])
    paid = {name: row["money"]["load_usd"] for name, row in table.items()}
    assert paid["market"] < min(paid[name] for name in MODELS if name != "market")
    served = {name: row["energy_kwh"]["load"] for name, row in table.items()}
    assert served["market"] < min(served[name] for name in MODELS if name != "market")


def test_the_market_is_settled_by_either_rule(table: dict[str, Any], folder: Path) -> None:
    paper, net = table["market"], table["market_net"]
    assert paper["money"]["flex_usd"] > 0.0
    assert net["money"]["flex_usd"] == 0.0
    assert net["net_revenue_usd"] == pytest.approx(paper["net_revenue_usd"] + paper["money"]["flex_usd"])
    assert net["energy_kwh"] == paper["energy_kwh"]
    stored = json.loads(CliRunner().invoke(settle_command, [str(folder / "market.h5"), "--json"]).output)
    assert stored["curtailment"] == "paper"


def test_resources_are_used_most_when_the_price_is_highest(table: dict[str, Any]) -> None:
    use = table["market"]["use_by_hour_kwh"]
    assert use.index(max(use)) in (table["market"]["dearest_hour"], table["market"]["dearest_hour"] + 1)
    assert not any(table["traditional"]["use_by_hour_kwh"])


def test_energy_is_conserved_in_every_scenario(table: dict[str, Any]) -> None:
    for row in table.values():
        energy = row["energy_kwh"]
        assert energy["wholesale"] + energy["dg"] == pytest.approx(
            energy["load"] + energy["losses"], abs=1e-3
        )


def test_settling_a_tariff_gives_the_same_money(folder: Path, table: dict[str, Any]) -> None:
    for name in ("traditional", "retail_b"):
        result = CliRunner().invoke(settle_command, [str(folder / f"{name}.h5"), "--json"])
        found = json.loads(result.output)
        assert found["scenario"] == name
        assert found["net_revenue_usd"] == pytest.approx(table[name]["net_revenue_usd"])
        assert abs(found["imbalance_usd"]) < 1e-6
    text = CliRunner().invoke(settle_command, [str(folder / "no_export.h5")]).output
    assert "operator keeps" in text


def test_no_export_exports_nothing(folder: Path) -> None:
    with Results(folder / "no_export.h5") as results:
        exported = results.values("feeder/head_power_real").sum(axis=1).min()
    assert exported > 0


def test_a_variant_differs_in_model_name_and_file_alone(short_study: Path, tmp_path: Path) -> None:
    study = load_study(short_study)
    tables = [variant(study, name, tmp_path).scenario.model_dump() for name in MODELS]
    for changed in tables:
        for section, key in (("study", "name"), ("market", "model"), ("results", "file")):
            changed[section].pop(key)
    assert all(changed == tables[0] for changed in tables)


def test_other_rates_change_the_money_in_proportion(folder: Path, table: dict[str, Any]) -> None:
    doubled = read_outcome(folder, "traditional", Rates(retail=2 * Rates().retail))
    assert doubled.money.load_usd == pytest.approx(2 * table["traditional"]["money"]["load_usd"])


def test_a_study_is_found_by_its_folder(short_study: Path) -> None:
    assert find_study(str(short_study)).name == load_study(short_study).name


def test_a_study_that_does_not_exist(tmp_path: Path) -> None:
    result = run("nosuch", "-o", tmp_path)
    assert result.exit_code == 1
    assert "no study 'nosuch'" in result.output


def test_a_study_that_cannot_run_is_refused_before_anything_starts(short_study: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in short_study.iterdir():
        if path.is_file():
            (broken / path.name).write_bytes(path.read_bytes())
    result = run(broken, "-o", tmp_path / "out", "--jobs", 1)
    assert result.exit_code == 1
    assert "data/smd_hourly" in result.output
