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

from federates.results.run import Results
from runners.judge.ledger import missing_part
from runners.judge.settle import settle_command

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


def cut_short(path: Path, intervals: int) -> None:
    """Leave a file as a run does that is killed after some intervals."""
    with h5py.File(path, "r+") as file:
        file["intervals_finished"][()] = intervals
        file.attrs.modify("complete", 0)
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
        assert group["load_real"].attrs["units"] == "$"
        assert group["load_real"].dims[0][0].name == "/time"
        assert group["wholesale"][:].sum() == pytest.approx(table["wholesale_usd"])
        stored = group["load_real"][:].sum() + group["load_reactive"][:].sum()
    assert stored == pytest.approx(table["load_usd"])


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
