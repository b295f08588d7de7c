"""One job: what a worker brings back, and what it says when it cannot."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.study.checked_file import read_toml
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError, ResultsError
from dlmp_cosim.runners.judge.ledger import account_for
from dlmp_cosim.runners.judge.performance import performance
from dlmp_cosim.runners.judge.settle import summary
from dlmp_cosim.runners.sweep.job import Job, Outcome, code_digest, do_job, is_full_disk
from dlmp_cosim.runners.sweep.measures import MEASURES
from dlmp_cosim.runners.sweep.pack import Packer

DAY = Path(__file__).parents[3] / "configs" / "ieee123_day"


def job(intervals: int = 2, **market: object) -> Job:
    table = read_toml(DAY / "scenario.toml")
    table["time"] |= {"intervals": intervals, "period_s": 3600}
    table["market"] |= market
    return Job(
        7, Packer(DAY).pack(table), keep=("results", "market/dlmp_real", "settlement/load_account:sum")
    )


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    done = do_job(job())
    assert not done.error, done.trace
    return done


@pytest.mark.federation
def test_a_job_leaves_what_a_federation_leaves(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path))
    folder = job().pack.unpack(tmp_path / "study")
    from dlmp_cosim.federates.study.study import load_study

    study: Study = load_study(folder)
    run_local(study)
    assert study.results_file.read_bytes() == outcome.files["results"]
    with Results(study.results_file) as run:
        settled = summary(account_for(run))
    assert outcome.row["net_revenue"] == settled["net_revenue_usd"]
    assert outcome.row["losses_energy"] == pytest.approx(settled["energy_kwh"]["losses"])


def test_a_row_has_every_measure_and_money_adds_up(outcome: Outcome) -> None:
    row = outcome.row
    assert list(row) == [column.name for column in MEASURES]
    assert row["verdict"] == "feasible"
    assert row["intervals"] == 2
    paid = row["generation_payment"] + row["flexible_payment"] + row["wholesale_payment"]
    assert row["load_payment"] - paid == pytest.approx(row["net_revenue"])
    assert row["wholesale_energy"] + row["generation_energy"] == pytest.approx(
        row["served_energy"] + row["losses_energy"]
    )


def test_a_row_has_the_metrics_that_the_summary_shows(outcome: Outcome, tmp_path: Path) -> None:
    file = tmp_path / "run.h5"
    file.write_bytes(outcome.files["results"])
    with Results(file) as run:
        found = performance(run)
    assert outcome.row["peak"] == found.peak.power_kw > 0
    assert outcome.row["unbalance_index"] == found.voltage.unbalance > 0
    assert outcome.row["load_factor"] == found.peak.load_factor < 1.0
    assert outcome.row["generation_used"] == found.resources.generation_share
    assert outcome.row["priced_time"] == found.limits.priced
    assert outcome.row["co2"] is None


def test_topics_come_with_units_and_the_number_of_the_run(outcome: Outcome) -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(outcome.files["market/dlmp_real"]))
    assert table.column_names == ["run", "time", "node", "value"]
    assert table.num_rows == 2 * len(set(table["node"].to_pylist()))
    assert table["node"][0].as_py() == "150.1"
    assert set(table["run"].to_pylist()) == {7}
    assert table.schema.field("value").metadata[b"unit"] == b"$/MWh"
    paid = pyarrow.parquet.read_table(io.BytesIO(outcome.files["settlement/load_account:sum"]))
    assert paid.column_names == ["run", "load", "value"]
    assert sum(paid["value"].to_pylist()) == pytest.approx(outcome.row["load_payment"])


def test_the_same_job_gives_the_same_bytes(outcome: Outcome) -> None:
    again = do_job(job())
    assert again.row == outcome.row
    assert again.files == outcome.files


def test_a_run_that_fails_says_why_and_does_not_raise() -> None:
    done = do_job(job(3, model="toy_market:Helpless", on_failure="fail"))
    assert "no numbers today" in done.error
    assert not done.stops
    assert not done.row
    wrong = do_job(replace(job(), federates={"nobody": ""}))
    assert "no federate 'nobody'" in wrong.error


def test_other_code_at_the_worker_stops_everything() -> None:
    assert not do_job(replace(job(), code=code_digest(), keep=())).error
    done = do_job(replace(job(), code="0" * 64))
    assert done.stops
    assert "other code of dlmp-cosim" in done.error


def test_a_full_disk_is_known_whatever_it_is_wrapped_in() -> None:
    wrapped = ResultsError("results.h5: cannot be written")
    wrapped.__context__ = OSError(28, "No space left on device")
    assert is_full_disk(wrapped)
    assert is_full_disk(ResultsError("cannot be written: errno = 28, 'No space left on device'"))
    assert not is_full_disk(InputError("is wrong", where="here"))
