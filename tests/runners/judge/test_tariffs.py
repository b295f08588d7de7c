"""`dlmp tariffs` on a real run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from toys import change_manifest

from dlmp_cosim.market.money.tariffs import TITLES
from dlmp_cosim.runners.judge.tariffs import tariffs_command

pytestmark = pytest.mark.federation


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(tariffs_command, [str(item) for item in arguments])


def test_every_tariff_collects_the_same(short_run: Path) -> None:
    table = json.loads(run(short_run, "--json").output)
    assert list(table["tariffs"]) == list(TITLES)
    for row in table["tariffs"].values():
        assert row["total_usd"] == pytest.approx(sum(table["dlmp_usd"]))
        assert len(row["bills_usd"]) == len(table["customers"]) == len(table["kwh"])
        assert 0.0 <= row["customers_bear"] <= 1.0 + 1e-9
    assert table["missing"] == ""


def test_options_change_the_rates(short_run: Path) -> None:
    usual = json.loads(run(short_run, "--json").output)["tariffs"]
    other = json.loads(run(short_run, "--json", "--peak", 16, 17, "--block", 1.0).output)["tariffs"]
    assert max(other["time_of_use"]["rate_usd_per_mwh"]) > max(usual["time_of_use"]["rate_usd_per_mwh"])
    assert other["block_and_index"]["customers_bear"] < usual["block_and_index"]["customers_bear"]


def test_a_peak_may_go_on_past_midnight(short_run: Path) -> None:
    """The run is of the hours 13 to 18."""
    plain, past = (
        json.loads(run(short_run, "--json", "--peak", first, 17).output)["tariffs"]["time_of_use"]
        for first in (13, 20)
    )
    assert past == plain
    assert len(set(plain["rate_usd_per_mwh"])) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--peak", 5, 5], "the peak ends at 5 h, where it begins"),
        (["--block", "nan"], "is not a finite number"),
    ],
)
def test_rates_that_cannot_be_are_refused(short_run: Path, words: list[object], says: str) -> None:
    result = run(short_run, *words)
    assert result.exit_code == 2
    assert says in result.output


def test_the_table_names_customers(short_run: Path) -> None:
    text = run(short_run).output
    for expected in (*TITLES.values(), "gains most", "100 %", "share of a doubled dearest hour"):
        assert expected in text.replace("\n", " ")


def test_a_tariff_run_has_no_dlmps(short_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "tariff.h5"
    shutil.copy(short_run, other)
    change_manifest(other, {"market": {"model": "dlmp_cosim.market.baselines.none:NetBilling"}})
    result = run(other)
    assert result.exit_code == 1
    assert "is a run under a tariff" in result.output
