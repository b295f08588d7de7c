from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner
from toys import ROLES, ROOT, make_runner, make_study

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.cli import COMMANDS, main
from dlmp_cosim.runners.conform.schema import FOLDER, schema_texts
from dlmp_cosim.runners.judge.summary import summarise
from dlmp_cosim.runners.run.progress import progress_line


def test_help_lists_every_command_and_teaches() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    assert all(name in shown.output for name in COMMANDS)
    assert "dlmp run my_study" in shown.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert "Usage:" in shown.output


def test_help_imports_no_command() -> None:
    steps = ("c.main(['--help'], standalone_mode=False)", "print(list(sys.modules))")
    code = "\n".join(("import sys, dlmp_cosim.runners.cli as c", *steps))
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for heavy in ("numpy", "pandas", "helics", "h5py", "rich.progress"):
        assert f"'{heavy}'" not in shown.stdout


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(main, ["rnu"]).exit_code == 2


def test_a_study_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for command in ("check", "run"):
        shown = CliRunner().invoke(main, [command, "iee123_day"])
        assert shown.exit_code == 2
        assert "did you mean 'ieee123_day'?" in shown.output


def test_run_refuses_a_wrong_study_before_it_starts_anything(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "study"))
    (tmp_path / "study" / "assets.json").unlink()
    (tmp_path / "study" / "market.json").write_text("{}")
    shown = CliRunner().invoke(main, ["run", str(runner)])
    assert shown.exit_code == 2
    assert "nothing was started" in shown.output
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def toy_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = load_study(make_study(tmp_path_factory.mktemp("toy") / "study", intervals=4))
    run_direct(study, ROLES)
    return study.results_file


def test_summary_adds_up(toy_results: Path) -> None:
    with Results(toy_results) as results:
        found = summarise(results)
    assert (found.intervals, found.settled, found.rounds_max) == (4, 4, 2.0)
    assert found.lmp_mean == found.dlmp_mean == pytest.approx(21.5)
    assert found.wholesale_kwh + found.generation_kwh == pytest.approx(found.served_kwh + found.losses_kwh)
    assert found.voltage_low_node.startswith("b.")


def test_summary_names_the_limits_that_set_prices(toy_results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "limits.h5"
    copy.write_bytes(toy_results.read_bytes())
    with h5py.File(copy, "r+") as file:
        texts = file["market/clearing"][:].astype("S4096")
        # Rows of a finished run are no wider than its texts.
        del file["market/clearing"]
        file["market/clearing"] = texts
        for k in range(3):
            record = json.loads(texts[k])
            record["limits"] = [
                {"kind": "rating", "where": "line.ab:1.1", "exceeded": False},
                {"kind": "rating", "where": "line.ab:2.1", "exceeded": False},
                *([{"kind": "voltage_high", "where": "b.2", "exceeded": False}] if k else []),
            ]
            file["market/clearing"][k] = json.dumps(record)
    with Results(copy) as results:
        assert summarise(results).binding == {"rating of line.ab": 3, "upper voltage at b": 2}
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["summary", str(copy)]).output
    assert "rating of line.ab in 3; upper voltage at b in 2 intervals" in shown
    assert "limits that set prices" in CliRunner().invoke(main, ["summary", str(toy_results)]).output


def test_summary_is_for_people_and_for_programs(toy_results: Path) -> None:
    shown = CliRunner().invoke(main, ["summary", str(toy_results)])
    assert shown.exit_code == 0
    assert "4 of 4" in shown.output
    table = CliRunner().invoke(main, ["summary", str(toy_results), "--json"])
    assert '"lmp_mean": 21.5' in table.output


def test_summary_of_a_run_that_stopped_says_so(toy_results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "short.h5"
    copy.write_bytes(toy_results.read_bytes())
    with h5py.File(copy, "r+") as file:
        file["intervals_finished"][()] = 2
    shown = CliRunner().invoke(main, ["summary", str(copy)])
    assert shown.exit_code == 1
    assert "2 of 4" in shown.output
    with h5py.File(copy, "r+") as file:
        file["intervals_finished"][()] = 0
    assert "no interval finished" in CliRunner().invoke(main, ["summary", str(copy)]).output


def test_summary_of_no_results_is_one_line(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["summary", str(tmp_path / "none.h5")])
    assert shown.exit_code == 1
    assert "there is no such file" in shown.output
    (tmp_path / "none.h5").write_text("no HDF5")
    shown = CliRunner().invoke(main, ["summary", str(tmp_path / "none.h5")])
    assert shown.exit_code == 1
    assert "cannot be read as a results file" in shown.output


def test_published_schemas_are_up_to_date() -> None:
    for name, text in schema_texts().items():
        assert (ROOT / FOLDER / name).read_text() == text, "run `dlmp schema`"


def test_schemas_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["schema", "--folder", str(tmp_path / "schema")])
    assert shown.exit_code == 0
    assert len(list((tmp_path / "schema").iterdir())) == len(schema_texts())


def test_a_progress_line_says_time_prices_rounds_and_voltage() -> None:
    figures = {"time": "T", "lmp": 20.0, "dlmp_mean": 21.0, "rounds": 2.0}
    line = progress_line({**figures, "voltage_min": 0.97, "voltage_min_node": "b.1"})
    assert re.search(r"LMP 20.00, d-LMP 21.00 \$/MWh, 2 rounds, lowest voltage 0.9700 pu at b.1", line)
