"""`dlmp settle` on a real run: it balances, it is stored, and a broken file says what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from toys import change_manifest

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.runners.judge.ledger import missing_part
from dlmp_cosim.runners.judge.settle import settle_command
from dlmp_cosim.runners.judge.summary import summary_command
from dlmp_cosim.runners.plain_table import money

pytestmark = pytest.mark.federation


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        settle_command, [str(argument) for argument in arguments]
    )
    assert result.exit_code == code, result.output
    return result.output


def settled(path: Path, *options: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(run(path, "--json", *options))
    return table


def run_text(path: Path, *options: str) -> str:
    """What is printed for people, on one line."""
    return " ".join(run(path, *options).split())


def cut_short(path: Path, intervals: int) -> None:
    """Leave a file as a run does that is killed after some intervals."""
    with h5py.File(path, "r+") as file:
        file["intervals_finished"][()] = intervals
        for key in ("market/dlmp_real", "feeder/load_real", "wholesale/lmp"):
            file[key][intervals:] = np.nan


def test_the_ledger_of_a_run_balances(copied_run: Path) -> None:
    table = settled(copied_run)
    assert abs(table["imbalance_usd"]) < 1e-6
    paid = table["dg_usd"] + table["flex_usd"] + table["wholesale_usd"] + table["net_revenue_usd"]
    assert table["load_usd"] == pytest.approx(paid)
    assert sum(table["net_revenue_parts_usd"].values()) == pytest.approx(table["net_revenue_usd"], abs=1e-6)
    assert table["complete"] is True
    assert table["missing"] == ""


def test_energy_is_conserved(copied_run: Path) -> None:
    energy = settled(copied_run)["energy_kwh"]
    assert energy["wholesale"] + energy["dg"] == pytest.approx(energy["load"] + energy["losses"], abs=1e-4)
    assert energy["flex"] > 0


def test_the_settlement_is_stored_with_units_and_axes(copied_run: Path) -> None:
    table = settled(copied_run)
    with h5py.File(copied_run) as file:
        group = file["settlement"]
        assert group["load_real"].shape == (6, len(file["node"]))
        assert group["generation_account"].shape == (6, len(file["resource"]))
        assert group["load_real"].attrs["units"] == b"$"
        assert group["load_real"].dims[0][0].name == "/time"
        assert group["wholesale"][:].sum() == pytest.approx(table["wholesale_usd"])
        stored = group["load_real"][:].sum() + group["load_reactive"][:].sum()
    assert stored == pytest.approx(table["load_usd"])


def test_every_resource_has_a_line_that_adds_up(copied_run: Path) -> None:
    table = settled(copied_run)
    rows = {row["resource"]: row for row in table["resources"]}
    assert sum(row["earned_usd"] for row in rows.values()) == pytest.approx(
        table["dg_usd"] + table["flex_usd"]
    )
    with Results(copied_run) as run:
        assert tuple(rows) == run.network.resource_ids
        offers = json.loads(run.texts("assets/offer")[0])["offers"]
        kw = run.values("market/dispatch_real")[:, run.network.resource_ids.index("dg_13")]
    own = next(row for row in offers if row["resource"] == "dg_13")
    cost = (own["cost_linear"] + own.get("cost_quadratic", 0.0) * kw / 2) * kw / 1e3
    assert rows["dg_13"]["cost_usd"] == pytest.approx(cost.sum())
    assert kw.sum() > 0.0
    assert rows["dg_13"]["profit_usd"] == pytest.approx(rows["dg_13"]["earned_usd"] - cost.sum())
    assert {row["stored_kwh"] for row in rows.values()} == {None}, "this study has no storage"
    assert "dg_13" in run_text(copied_run)


def test_curtailment_is_paid_by_the_rule_that_is_chosen(copied_run: Path) -> None:
    paper, net = settled(copied_run), settled(copied_run, "--curtailment", "net")
    assert (paper["curtailment"], net["curtailment"]) == ("paper", "net")
    assert paper["flex_usd"] > 0.0
    assert net["flex_usd"] == 0.0
    assert net["net_revenue_usd"] == pytest.approx(paper["net_revenue_usd"] + paper["flex_usd"])
    assert abs(net["imbalance_usd"]) < 1e-6
    assert "by not buying alone (curtailment = net)" in run_text(copied_run, "--curtailment", "net")
    change_manifest(copied_run, {"settlement": {"curtailment": "net"}})
    assert settled(copied_run)["flex_usd"] == 0.0, "as the scenario says"


def test_penalty_prices_are_said_with_what_is_left_without_them(copied_run: Path) -> None:
    whole = settled(copied_run)
    assert whole["penalties"]["intervals"] == 0
    assert whole["penalties"]["load_usd_without"] == pytest.approx(whole["load_usd"])
    assert "contains penalty prices" not in run_text(copied_run)
    with h5py.File(copied_run, "r+") as file:
        record = json.loads(file["market/clearing"].asstr()[2])
        record["limits"] = [{"kind": "rating", "where": "a", "exceeded": True}]
        file["market/clearing"][2] = json.dumps(record)
        file["market/dlmp_real"][2] *= 100.0
    table = settled(copied_run)
    assert table["penalties"]["intervals"] == 1
    assert table["penalties"]["load_usd_without"] < whole["load_usd"] < table["load_usd"] / 5
    shown = run_text(copied_run)
    assert "contains penalty prices: a limit could not be held in 1 of 6 intervals" in shown
    assert f"without them loads pay {table['penalties']['load_usd_without']:,.2f} $" in shown
    summary = CliRunner(env={"COLUMNS": "200"}).invoke(summary_command, [str(copied_run)]).output
    assert "it contains penalty prices" in summary
    assert "in 1 intervals; without them" in summary


def test_an_offer_on_record_that_is_nonsense_costs_no_more_than_its_line(copied_run: Path) -> None:
    with h5py.File(copied_run, "r+") as file:
        file["assets/offer"][1] = "nonsense"
        file["assets/offer"][2] = '{"interval":2,"offers":[7,{"resource":"dg_13","cost_linear":"dear"}]}'
    rows = {row["resource"]: row for row in settled(copied_run)["resources"]}
    assert rows["dg_13"]["cost_usd"] is None
    assert rows["dg_13"]["earned_usd"] > 0.0


def test_what_is_not_settled_is_said(copied_run: Path) -> None:
    text = run_text(copied_run)
    assert "equipment of the operator is paid nothing" in text
    assert all(f"capacitor.c{bus}" in text for bus in ("83", "88a", "90b", "92c"))


def test_settling_twice_gives_the_same(copied_run: Path) -> None:
    assert settled(copied_run) == settled(copied_run)


def test_nothing_is_stored_when_asked_not_to(copied_run: Path) -> None:
    before = copied_run.read_bytes()
    settled(copied_run, "--no-store")
    assert copied_run.read_bytes() == before


def test_the_table_names_every_side(copied_run: Path) -> None:
    text = run(copied_run)
    for expected in (
        "loads pay",
        "generators are paid",
        "operator keeps",
        "line ratings",
        "out of balance by",
    ):
        assert expected in text


def test_a_run_cut_short_settles_what_is_there(copied_run: Path) -> None:
    whole = settled(copied_run)
    cut_short(copied_run, 4)
    table = settled(copied_run)
    assert (table["intervals"], table["complete"]) == (4, False)
    assert table["missing"] == "the run stopped: 4 of 6 intervals, missing from 2020-08-25 17:00 on"
    assert table["wholesale_usd"] < whole["wholesale_usd"]
    assert abs(table["imbalance_usd"]) < 1e-6
    assert "missing from 2020-08-25 17:00 on" in run(copied_run)


def test_a_run_without_an_interval_has_nothing_to_settle(copied_run: Path) -> None:
    cut_short(copied_run, 0)
    assert "no interval of 6 finished: nothing to settle" in run(copied_run, code=1)
    with Results(copied_run) as results:
        assert missing_part(results) == "the run stopped: 0 of 6 intervals, missing from its start on"


def test_a_missing_quantity_is_named_with_its_file(copied_run: Path) -> None:
    with h5py.File(copied_run, "r+") as file:
        del file["market/dlmp_reactive"]
    assert f"{copied_run}: holds no 'market/dlmp_reactive'; did you mean 'market/dlmp_real" in run(
        copied_run, code=1
    )


@pytest.mark.parametrize("content", [b"", b"not a results file"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.h5"
    file.write_bytes(content)
    assert f"{file}: cannot be read as a results file" in run(file, code=1)


def test_a_file_that_a_run_is_writing_is_left_alone(copied_run: Path) -> None:
    hold = "import sys, h5py; f = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(copied_run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        text = run(copied_run, code=1)
        writer.communicate(b"", timeout=30)
    assert str(copied_run) in text
    assert "lock" in text


def test_amounts_are_to_the_cent_and_nothing_has_no_sign() -> None:
    assert [money(value) for value in (-0.004, 0.0, -1234.567, 0.005001)] == [
        "0.00",
        "0.00",
        "-1,234.57",
        "0.01",
    ]
