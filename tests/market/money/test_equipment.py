"""The operator's own equipment: what it would earn is what the operator keeps, element by element."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.market.money.equipment import Equipment
from dlmp_cosim.market.money.settlement import Settlement
from dlmp_cosim.runners.judge.ledger import account_for, read_equipment

HOURS = 2 * 600 / 3600
VILLAGE = Path(__file__).parents[3] / "configs" / "substation_day"


def run(folder: Path, reactive_price: float) -> tuple[Settlement, Equipment, float]:
    """Two intervals of the IEEE 13-node feeder; its ledger, its equipment, and reactive power at the head."""
    shutil.copytree(VILLAGE, folder / "all")
    scenario = folder / "all" / "village" / "scenario.toml"
    text = scenario.read_text().replace("intervals = 144", "intervals = 2").replace("T00:00", "T16:00")
    text = text.replace("[market]", f"reactive_price = {reactive_price}\n[market]", 1)
    text = text.replace("results/substation_day_village", str(folder))
    scenario.write_text(text)
    study = load_study(scenario.parent)
    run_direct(study)
    with Results(study.results_file) as results:
        settlement = account_for(results).settlement
        assert settlement is not None
        kvar = float(results.values("feeder/head_power_reactive").sum(axis=1).mean())
        return settlement, read_equipment(results), kvar


@pytest.fixture(scope="module", params=[0.0, 8.0], ids=["free", "priced"])
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settlement, Equipment, float]:
    return run(tmp_path_factory.mktemp("village"), request.param)


def test_all_equipment_together_earns_what_the_operator_keeps(
    found: tuple[Settlement, Equipment, float],
) -> None:
    settlement, equipment, _ = found
    kept = float(settlement.net_revenue.sum() + settlement.parts.curtailment.sum())
    assert equipment.usd == pytest.approx(kept, abs=1e-6)
    assert abs(settlement.imbalance_usd) <= 1e-6
    assert equipment.usd == pytest.approx(sum(equipment.by_group.values()) + equipment.head_usd)


def test_capacitors_and_regulators_have_names(found: tuple[Settlement, Equipment, float]) -> None:
    _, equipment, _ = found
    names = {item.name for item in equipment.elements if item.group == "capacitor"}
    assert names == {"capacitor.675", "capacitor.611"}
    assert {item.name for item in equipment.elements if item.group == "regulator"} == {
        f"transformer.reg_{phase}" for phase in "abc"
    }


def test_a_capacitor_gives_its_rating_at_its_voltage(found: tuple[Settlement, Equipment, float]) -> None:
    _, equipment, _ = found
    given = {item.name: item for item in equipment.elements}
    hours = HOURS
    assert given["capacitor.675"].kvarh == pytest.approx(600 * hours, rel=0.1)
    assert given["capacitor.611"].kvarh == pytest.approx(100 * hours, rel=0.1)
    assert abs(given["capacitor.675"].real_usd) <= 1e-6


def test_a_price_of_reactive_power_is_paid_and_answered(tmp_path: Path) -> None:
    free, _, drawn = run(tmp_path / "free", 0.0)
    priced, equipment, less = run(tmp_path / "priced", 8.0)
    assert less < drawn - 50.0
    bought = float(priced.wholesale_usd.sum()) - float((priced.head_kwh * lmp_of(priced)).sum()) / 1e3
    assert bought == pytest.approx(8.0 * less * (HOURS) / 1e3, rel=1e-9)
    assert {item.name: item.usd for item in equipment.elements}["capacitor.675"] > 0.0
    assert free.head_kwh.sum() == pytest.approx(priced.head_kwh.sum(), rel=0.05)


def lmp_of(settlement: Settlement) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """LMP of every interval, from the cost of losses."""
    return settlement.parts.loss_cost / settlement.losses_kwh * 1e3
