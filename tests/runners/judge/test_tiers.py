"""The ledger of several feeders and their substation, on runs that fit on paper."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.market.money.payment_schemes import MODELS
from dlmp_cosim.runners.judge import ancillary as ancillary_module
from dlmp_cosim.runners.judge import tiers as module
from dlmp_cosim.runners.judge.ledger import SUBSTATION_PART
from dlmp_cosim.runners.judge.tiers import read_tiers, tell_tiers
from tests.runners.judge.meeting import record, substation, told_by
from tests.runners.judge.paper import paper_run

ADDER = {"substation/adder": [0.0, 4.0], SUBSTATION_PART: [[0.0] * 6, [4.0] * 6]}
PRICED = {"market/dlmp_real": [[30.0] * 3 + [36.0] * 3, [54.0] * 3 + [64.0] * 3]}
DRAWN, LMP = [21.0, 27.0], [30.0, 50.0]
RULES = {"reserve": {"requirement_kw": 5.0, "minutes": 30.0}}
SOLD = {
    "reserve/requirement": [5.0, 5.0],
    "reserve/procured": [5.0, 4.0],
    "reserve/price": [2.0, 8.0],
    "substation/deviation": [0.0, 0.0],
}


def above(**more: Any) -> Any:
    """The substation of two feeders alike: half an hour without an adder, half an hour with one."""
    heads = {f"{name}/head_power_real": DRAWN for name in ("north", "south")}
    expected = {f"{name}/predicted_head_power_real": DRAWN for name in ("north", "south")}
    lmp = {f"{name}/lmp": LMP for name in ("north", "south")}
    values = {"substation/adder": [0.0, 4.0], "substation/head_power_real": [42.0, 54.0], **heads, **expected}
    run = substation(values | lmp | more.pop("values", {}), more.pop("records", [record()] * 2), **more)
    run.intervals, run.expected, run.period_h = 2, 2, 0.5
    return run


def below(**more: Any) -> Any:
    return paper_run(ADDER | PRICED, **more)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Results of the feeders by file name, which a test may change."""
    found = {"north.h5": below(), "south.h5": below()}
    told_by(monkeypatch, found, module, ancillary_module)
    return found


BOUGHT = 0.5 * (21 * 30 + 27 * 54) / 1e3
WHOLESALE = 2 * 0.5 * (21 * 30 + 27 * 50) / 1e3


@pytest.mark.usefixtures("files")
def test_feeders_pay_the_lmp_and_the_adder_and_the_substation_the_lmp() -> None:
    tiers = read_tiers(above())
    assert [account.bought for account in tiers.feeders.values()] == pytest.approx([BOUGHT, BOUGHT])
    assert tiers.wholesale == pytest.approx(WHOLESALE)
    assert tiers.substation == pytest.approx(2 * 0.5 * 27 * 4 / 1e3)
    assert tiers.imbalance_usd == pytest.approx(0.0, abs=1e-12)


@pytest.mark.usefixtures("files")
def test_every_participant_has_a_sum() -> None:
    north = read_tiers(above()).feeders["north"]
    spared = 0.5 * (6 * 64 + 2.4 * 2) / 1e3
    assert north.customers == pytest.approx({"x": spared - 0.5 * (30 * 36 + 24 * 64 + (12 + 9.6) * 2) / 1e3})
    assert north.resources == pytest.approx({"g": 0.18, "shed": 0.0})
    assert north.machines == 0.0
    assert north.balance == pytest.approx(0.0, abs=1e-12)


@pytest.mark.usefixtures("files")
def test_the_rule_of_curtailment_reaches_every_feeder() -> None:
    paper, net = read_tiers(above()), read_tiers(above(), "net")
    for name in ("north", "south"):
        more = paper.feeders[name].customers["x"] - net.feeders[name].customers["x"]
        assert more == pytest.approx(0.5 * (6 * 64 + 2.4 * 2) / 1e3)
    assert net.imbalance_usd == pytest.approx(0.0, abs=1e-12)


@pytest.mark.usefixtures("files")
def test_power_that_the_substation_alone_metered_is_out_of_balance() -> None:
    more = {"north/head_power_real": [31.0, 27.0]}
    assert read_tiers(above(values=more)).imbalance_usd == pytest.approx(0.5 * 10 * 30 / 1e3)


def test_a_feeder_with_other_intervals_is_named(files: dict[str, Any]) -> None:
    files["south.h5"].intervals = 1
    with pytest.raises(ResultsError) as failure:
        read_tiers(above())
    assert str(failure.value) == (
        "run/south.h5: has 1 intervals, and the substation 2; one ledger needs the same"
    )


def test_a_feeder_at_a_tariff_is_named(files: dict[str, Any]) -> None:
    files["north.h5"] = below(scenario={"market": {"model": MODELS["retail_b"]}})
    with pytest.raises(ResultsError) as failure:
        read_tiers(above())
    assert (
        str(failure.value) == "run/north.h5: is settled at a tariff; one ledger of all feeders needs d-LMPs"
    )


def test_a_feeder_without_results_is_named(files: dict[str, Any]) -> None:
    del files["south.h5"]
    with pytest.raises(ResultsError, match=r"^run/south.h5: there is no such file$"):
        read_tiers(above())


def sold() -> Any:
    """North's generator sells 5 kW of reserve, then 4."""
    awards = [{"north": {"g": {"reserve": kw}}} for kw in (5.0, 4.0)]
    records = [record(ancillary={"awards": row}) for row in awards]
    return above(values=SOLD, records=records, ancillary=RULES)


@pytest.mark.usefixtures("files")
def test_capacity_is_paid_by_those_who_draw() -> None:
    ledger = read_tiers(sold()).ancillary
    assert ledger is not None
    paid = 0.5 * (5 * 2 + 4 * 8) / 1e3
    assert ledger.paid == pytest.approx(paid)
    assert ledger.charged == pytest.approx({"north": paid / 2, "south": paid / 2})
    assert read_tiers(sold()).imbalance_usd == pytest.approx(0.0, abs=1e-12)


@pytest.mark.usefixtures("files")
def test_json_tells_the_sums_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    tell_tiers(sold(), as_json=True, rule=None)
    table = json.loads(capsys.readouterr().out)
    north = table["feeders"]["north"]
    assert list(north) == ["customers_usd", "resources_usd", "machines_usd", "operator_usd", "bought_usd"]
    assert north["bought_usd"] == pytest.approx(BOUGHT)
    assert table["wholesale_usd"] == pytest.approx(WHOLESALE)
    (seller,) = table["ancillary"]["sellers"]
    assert (seller["feeder"], seller["resource"], seller["held_kwh"]) == ("north", "g", 4.5)


@pytest.mark.usefixtures("files")
def test_without_a_market_of_capacity_json_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    tell_tiers(above(), as_json=True, rule=None)
    assert "ancillary" not in json.loads(capsys.readouterr().out)


def rows(text: str) -> dict[str, list[str]]:
    """Cells of every line by the first of them."""
    return {line.split("\t")[0]: line.split("\t")[1:] for line in text.splitlines()}


@pytest.mark.usefixtures("files")
def test_tables_name_who_pays_whom(capsys: pytest.CaptureFixture[str]) -> None:
    tell_tiers(sold(), as_json=False, rule=None)
    table = rows(capsys.readouterr().out)
    assert table["feeders pay the substation"] == [f"{2 * BOUGHT:,.2f}"]
    assert table["substation pays the wholesale market"] == [f"{WHOLESALE:,.2f}"]
    assert table["north.g"] == ["reserve", "0.00", "0.02", "0.00"]
    assert table["resource"] == ["product", "MW h held", "for capacity $", "for called energy $"]
    assert any(line.startswith("ledger out of balance by") for line in table)


def test_an_amount_of_nothing_has_no_sign(files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """A feeder that gives back a trace is paid a trace of a cent, and not -0.00."""
    still = {"feeder/head_power_real": [[-1e-4] * 3] * 2, "market/dlmp_real": np.full((2, 6), -1e-6)}
    files["north.h5"] = files["south.h5"] = paper_run(still)
    tell_tiers(above(values={"north/head_power_real": [-1e-4] * 2}), as_json=False, rule=None)
    assert "-0.00" not in capsys.readouterr().out
