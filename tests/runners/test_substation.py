"""Feeders at a substation as processes: the same as in one, and what becomes of the others when one stops."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from toys import PYTHONPATH, ROOT, environment, make_substation

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_together
from dlmp_cosim.federates.runtime.heartbeat import read_sign
from dlmp_cosim.federates.runtime.ports import reserve_block
from dlmp_cosim.federates.study.substation import load_substation
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.report.runs import load_view
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import load_runner

FEDERATES = ("wholesale", "feeder", "assets", "market", "recorder")


def make_runner(study: Path, *feeders: str) -> Path:
    """Write a runner file: a process for each feeder, and one for the substation."""
    names = [f"{feeder}.{name}" for feeder in feeders for name in FEDERATES]
    waits = f"--federates {','.join([*names, 'substation'])} --stall 20 --start 60"
    lines = {
        "broker": f"python -u -m dlmp_cosim.runners.broker {study} {waits}",
        **{name: f"python -u -m dlmp_cosim.federates.host {study} --feeder {name}" for name in feeders},
        "substation": f"python -u -m dlmp_cosim.federates.substation {study}",
    }
    common = {"directory": str(ROOT), "host": "localhost", "env": {"PYTHONPATH": PYTHONPATH}}
    path = study.parent / "toys.json"
    rows = [{"name": name, "exec": line, **common} for name, line in lines.items()]
    path.write_text(json.dumps({"name": "toys", "federates": rows}, indent=1))
    return path


def helics_run(runner: Path) -> subprocess.CompletedProcess[str]:
    """Start a runner file on ports of its own."""
    port, guard = reserve_block()
    with guard:
        variables = environment(HELICS_BROKER_PORT=str(port))
        words = ["helics", "run", f"--path={runner}"]
        return subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


RESERVE = """
import_max_kw = 20
[ancillary]
[ancillary.reserve]
requirement_kw = 30
minutes = 1
[[disruption]]
feeder = "one"
resource = "dg"
begin_minutes = 1
minutes = 1
"""


OPEN = """
[[disruption]]
feeder = "one"
begin_minutes = 1
minutes = 2
"""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (OPEN.replace('"one"', '"oen"'), "there is no feeder 'oen', did you mean 'one'"),
        (OPEN.replace("begin", 'head = true\nresource = "dg"\nbegin'), "'dg' and head are both given"),
        (OPEN + OPEN.replace("= 1", "= 2"), "the head of 'one' is out twice from 2 min on"),
    ],
)
def test_a_head_that_cannot_open_so_is_found_before_anything_starts(
    tmp_path: Path, settings: str, says: str
) -> None:
    study = make_substation(tmp_path / "all", "one", "two", settings=settings, model="nodal")
    shown = CliRunner().invoke(main, ["check", str(make_runner(study, "one", "two"))])
    assert shown.exit_code == 2
    assert says in " ".join(shown.output.split())


def test_a_table_of_a_product_that_is_not_there_is_found_before_anything_starts(tmp_path: Path) -> None:
    settings = RESERVE.replace("= 30", '= "needed.csv"')
    study = make_substation(tmp_path / "all", "one", "two", settings=settings, model="nodal")
    (error,) = check_study(load_runner(make_runner(study, "one", "two"))).errors
    assert re.search(r"ancillary\.reserve\.requirement_kw: .*needed\.csv cannot be read", str(error))


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize("settings", ["import_max_kw = 20", RESERVE], ids=["limit", "reserve"])
def test_processes_leave_what_one_process_leaves(tmp_path: Path, settings: str) -> None:
    study = make_substation(tmp_path / "all", "one", "two", settings=settings, model="nodal", intervals=3)
    for name in ("one", "two"):
        table = study / name / "assets.csv"
        first, *rows = table.read_text().splitlines()
        table.write_text("\n".join([f"{first},reserve", *(f"{row},2" for row in rows)]) + "\n")
    run_together(load_substation(study))
    folder = load_substation(study).results_file.parent
    before = {name: (folder / name).read_bytes() for name in ("results.h5", "one.h5", "two.h5")}
    done = helics_run(make_runner(study, "one", "two"))
    assert done.returncode == 0, done.stdout
    assert {name: (folder / name).read_bytes() for name in before} == before
    with Results(folder / "results.h5") as results:
        assert results.values("substation/adder").any()
        if settings == RESERVE:
            assert (results.values("reserve/procured") > 29.0).all()
            assert results.values("reserve/called").any()


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize("on_stop", ["end", "go_on"])
def test_a_feeder_that_stops_is_named(tmp_path: Path, on_stop: str) -> None:
    study = make_substation(tmp_path / "all", "one", "two", on_stop=on_stop, model="nodal", intervals=3)
    scenario = study / "two" / "scenario.toml"
    text = scenario.read_text().replace('model = "nodal"', 'model = "toy_market:Stubborn"')
    scenario.write_text(text.replace('on_failure = "hold_last"', 'on_failure = "fail"'))
    done = helics_run(make_runner(study, "one", "two"))
    log = (study.parent / "broker.log").read_text()
    folder = load_substation(study).results_file.parent
    assert (done.returncode == 0) == (on_stop == "go_on"), log
    if on_stop == "end":
        assert "two.market failed" in log
        return
    assert "two has stopped, the others go on: two.market: " in log
    with Results(folder / "results.h5") as results, Results(folder / "one.h5") as other:
        assert results.complete
        assert other.complete
        records = results.records("substation/record")
    assert "two stopped in interval" in records[-1]["stopped"][0]
    assert set(records[-1]["feeders"]) == {"one"}


def run_here(tmp_path: Path, **study: object) -> Path:
    folder = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3, **study)  # type: ignore[arg-type]
    loaded = load_substation(folder)
    run_together(loaded)
    return loaded.results_file


def test_the_verdict_speaks_of_every_feeder_and_of_what_they_share(tmp_path: Path) -> None:
    results = run_here(tmp_path, settings="import_max_kw = 300")
    shown = CliRunner().invoke(main, ["verdict", str(results), "--json"])
    table = json.loads(shown.output)
    assert shown.exit_code == 0, shown.output
    assert table["status"] == "feasible"
    assert table["with_adder"] == 3
    assert [item["name"] for item in table["feeders"]] == ["one", "two"]
    (results.parent / "two.h5").unlink()
    shown = CliRunner().invoke(main, ["verdict", str(results)])
    assert shown.exit_code == 1
    assert "verdict: unknown" in shown.output


def test_what_is_beyond_a_limit_is_violated(tmp_path: Path) -> None:
    results = run_here(tmp_path, settings="import_max_kw = 0\npenalty = 1\ntolerance_kw = 1")
    shown = CliRunner().invoke(main, ["verdict", str(results)])
    assert shown.exit_code == 2
    assert "worst: import in interval" in shown.output


def test_the_ledger_of_all_closes(tmp_path: Path) -> None:
    results = run_here(tmp_path, settings="import_max_kw = 300")
    shown = CliRunner().invoke(main, ["settle", str(results), "--json"])
    table = json.loads(shown.output)
    assert abs(table["imbalance_usd"]) <= 1e-6
    kept = sum(item["bought_usd"] for item in table["feeders"].values()) - table["wholesale_usd"]
    assert kept == pytest.approx(table["substation_usd"], abs=1e-6)
    assert "substation keeps" in CliRunner().invoke(main, ["settle", str(results)]).output
    with Results(results.parent / "one.h5") as run:
        assert np.array_equal(run.values("substation/adder") > 0.0, [True] * 3)


def test_the_report_of_a_feeder_shows_what_the_substation_adds(tmp_path: Path) -> None:
    results = run_here(tmp_path, settings="import_max_kw = 300")
    view = load_view(results.parent / "one.h5")
    with Results(results) as run:
        assert view.nodal["substation"][:, 0] == pytest.approx(run.values("substation/adder"), abs=1e-6)
    assert view.nodal["substation"].min() > 0.0
    parts = sum(view.nodal[name] for name in ("loss", "voltage_part", "congestion", "substation"))
    rest = view.nodal["dlmp_real"] - parts
    assert rest == pytest.approx(np.tile(view.series["lmp"][:, None], rest.shape[1]), abs=1e-6)


def test_check_looks_at_every_feeder(tmp_path: Path) -> None:
    study = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3)
    runner = make_runner(study, "one", "two")
    shown = CliRunner().invoke(main, ["check", str(runner)])
    assert shown.exit_code == 0, shown.output
    assert "sound. 11 federates" in shown.output
    (study / "two" / "assets.csv").write_text("resource,kind\nx,y\n")
    shown = CliRunner().invoke(main, ["check", str(runner)])
    assert shown.exit_code == 2
    assert "two: assets.csv" in shown.output


def test_check_refuses_agents_on_the_wire(tmp_path: Path) -> None:
    """File and key: exchanges with a substation come between the slots in which agents listen."""
    study = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3)
    scenario = study / "two" / "scenario.toml"
    scenario.write_text(scenario.read_text() + "[agents]\nwire = true\nfederates = 1\n")
    shown = CliRunner().invoke(main, ["check", str(make_runner(study, "one", "two"))])
    assert shown.exit_code == 2
    said = " ".join(shown.output.split())
    assert "scenario.toml agents.wire: feeder 'two' meets others" in said
    assert "agents.wire = false" in said
    assert said.count("agents.wire:") == 1


def test_a_command_for_one_feeder_names_those_that_there_are(tmp_path: Path) -> None:
    study = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3)
    shown = CliRunner().invoke(main, ["verify", str(make_runner(study, "one", "two"))])
    assert shown.exit_code != 0
    assert "several feeders" in shown.output


def test_the_day_is_shown_drawn_and_held_to_one_program(tmp_path: Path) -> None:
    results = run_here(tmp_path, settings="import_max_kw = 300")
    figure = tmp_path / "day.png"
    words = ["substation", str(results), "--figure", str(figure), "--verify", "1", "--json"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    table = json.loads(shown.output)
    assert [(row["limit"], row["intervals"]) for row in table["spells"]] == [("import", 3)]
    assert len(table["gaps"]) == 3
    assert all(abs(item["adder"] - item["central"]) <= 0.1 for item in table["gaps"])
    assert all(abs(item["cost"]) <= 1e-4 and item["kw"] <= 0.5 for item in table["gaps"])
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "one program of all feeders, 3 intervals" in CliRunner().invoke(main, words[:-1]).output.replace(
        "\n", " "
    )


def test_a_wrong_adder_is_found_out(tmp_path: Path) -> None:
    results = run_here(tmp_path, settings="import_max_kw = 300")
    with h5py.File(results, "r+") as file:
        file["substation/adder"][:] = file["substation/adder"][:] + 0.5
    shown = CliRunner().invoke(main, ["substation", str(results), "--verify", "1"])
    assert shown.exit_code == 2, shown.output


def test_without_a_limit_in_the_way_there_is_nothing_to_show(tmp_path: Path) -> None:
    results = run_here(tmp_path, settings="import_max_kw = 9000")
    shown = CliRunner().invoke(main, ["substation", str(results), "--verify", "1"])
    assert shown.exit_code == 0
    assert "no shared limit had a price" in shown.output
    other = CliRunner().invoke(main, ["substation", str(results.parent / "one.h5")])
    assert other.exit_code == 1
    assert "holds the results of one feeder" in other.output


@pytest.mark.parametrize("command", ["table", "report", "tariffs"])
def test_what_is_for_one_feeder_names_the_files_that_there_are(tmp_path: Path, command: str) -> None:
    results = run_here(tmp_path)
    more = {"table": ["-o", str(tmp_path / "t.csv")], "report": ["-o", str(tmp_path / "r.html")]}
    shown = CliRunner().invoke(main, [command, str(results), *more.get(command, [])])
    assert shown.exit_code == 1
    assert "one of its feeders, which lie beside it: one.h5, two.h5" in shown.output.replace("\n", " ")


def test_check_names_a_feeder_that_nobody_starts(tmp_path: Path) -> None:
    study = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3)
    shown = CliRunner().invoke(main, ["check", str(make_runner(study, "one"))])
    assert shown.exit_code == 2
    assert "'two.market' is not started" in shown.output


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_a_feeder_that_is_killed_is_named_and_all_end(tmp_path: Path) -> None:
    """Whatever the scenario says: HELICS would wait for it for ever."""
    study = make_substation(tmp_path / "all", "one", "two", on_stop="go_on", model="nodal", intervals=400)
    runner, folder = make_runner(study, "one", "two"), load_substation(study).run_folder
    port, guard = reserve_block()
    with guard:
        variables = environment(HELICS_BROKER_PORT=str(port))
        words = ["helics", "run", f"--path={runner}"]
        with subprocess.Popen(words, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL) as running:
            sign = None
            while sign is None or sign.beat.time < 60.0:
                assert running.poll() is None, (study.parent / "broker.log").read_text()
                time.sleep(0.05)
                sign = read_sign(folder, "two.market")
            os.kill(sign.beat.pid, signal.SIGKILL)
            assert running.wait(60) != 0
    log = (study.parent / "broker.log").read_text()
    assert re.search(r"two\.\w+ is gone: its process \(\d+\) ended without a word", log)
    with Results(load_substation(study).results_file) as results:
        assert 0 < results.intervals < results.expected


def test_check_doubts_two_prices_at_one_substation(tmp_path: Path) -> None:
    study = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3)
    scenario = study / "two" / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("[market]", "scale_to_mean = 50\n[market]", 1))
    shown = CliRunner().invoke(main, ["check", str(make_runner(study, "one", "two"))])
    assert shown.exit_code == 0, shown.output
    assert "two: its LMP differs from that of one by up to 29.67 $/MWh" in shown.output


def test_check_reads_the_files_that_a_feeder_has(tmp_path: Path) -> None:
    study = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3)
    file = study / "two" / "feeder.json"
    file.write_text(file.read_text().replace('"feeder/load_real"', '"feeder/load_rael"'))
    shown = CliRunner().invoke(main, ["check", str(make_runner(study, "one", "two"))])
    assert shown.exit_code == 2
    assert "two: " in shown.output
    assert "did you mean 'feeder/load_real'" in shown.output


OWNER = """
[[owner]]
name = "battery"
[[owner.resource]]
name = "battery_b"
kind = "storage"
bus = "b"
phases = "abc"
kw_max = 60
kva_max = 70
[owner.settings]
energy_kwh = 100
reserve_kwh = 10
start_kwh = 50
charge_efficiency = 0.95
discharge_efficiency = 0.95
wear = 1.0
"""


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_an_owner_of_a_feeder_joins_in_its_process(tmp_path: Path) -> None:
    study = make_substation(tmp_path / "all", "one", "two", model="nodal", intervals=3)
    for file in (study / "two").glob("*.json"):
        file.unlink()
    shutil.copy(ROOT / "configs" / "ieee123_battery" / "battery.json", study / "two")
    scenario = study / "two" / "scenario.toml"
    scenario.write_text(scenario.read_text() + OWNER)
    runner = make_runner(study, "one", "two")
    more = runner.read_text().replace("two.recorder,", "two.recorder,two.battery,")
    hosted = "--feeder two battery=dlmp_cosim.federates.battery:Battery"
    runner.write_text(more.replace("--feeder two", hosted))
    checked = CliRunner().invoke(main, ["check", str(runner)])
    assert checked.exit_code == 0, checked.output
    done = helics_run(runner)
    assert done.returncode == 0, (study.parent / "two.log").read_text()
    with Results(load_substation(study).results_file.parent / "two.h5") as run:
        assert "battery_b" in run.network.resource_ids
        assert np.isfinite(run.values("battery/energy")).all()
