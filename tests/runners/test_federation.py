"""The real federation: an hour of five-minute intervals between processes, and the same in one process."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from toys import environment

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.runtime.ports import reserve_block
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError
from tests.conftest import starting_by
from tests.runners.conftest import make_study

ROOT = Path(__file__).parents[2]
HOUR = {"start": '"2020-08-25T15:30:00"', "intervals": "12"}
"""The hour in which the LMP rises from 35 to 95 $/MWh."""


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of all runs; where their results go, the environment says."""
    return make_study(tmp_path_factory.mktemp("hour") / "study", **HOUR)


@pytest.fixture(scope="module")
def between_processes(tmp_path_factory: pytest.TempPathFactory, hour: Path, quick_python: Path) -> Path:
    """Results of `helics run` on the study's own runner file, over zmq."""
    folder = tmp_path_factory.mktemp("zmq")
    content = json.loads((ROOT / "runners" / "ieee123_day.json").read_text())
    for member in content["federates"]:
        member["directory"] = str(ROOT)
        member["exec"] = member["exec"].replace("configs/ieee123_day", str(hour))
    runner = folder / "runner.json"
    runner.write_text(json.dumps(content))
    port, lock = reserve_block()
    with lock, starting_by(quick_python):
        variables = environment(HELICS_BROKER_PORT=str(port), DLMP_RESULTS_DIR=str(folder))
        words = ["helics", "run", f"--path={runner}"]
        done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "results.h5"


def in_one_process(hour: Path, folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLMP_RESULTS_DIR", str(folder))
        study = load_study(hour)
        run_local(study)
        return study.results_file


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory, hour: Path) -> Path:
    return in_one_process(hour, tmp_path_factory.mktemp("inproc"))


def differing(one: Path, other: Path) -> list[str]:
    """Names of the datasets that differ in any bit, with those that only one file has."""
    first, second = rows(one), rows(other)
    names = first.keys() ^ second.keys()
    return sorted(names | {key for key in first.keys() & second.keys() if first[key] != second[key]})


def rows(path: Path) -> dict[str, bytes]:
    """Every dataset with a row per interval, as it stands in the file."""
    with Results(path) as run:
        keys, count = run.keys, run.intervals
    with h5py.File(path) as file:
        return {key: file[key][:count].tobytes() for key in keys}


@pytest.mark.federation
def test_processes_and_threads_give_the_same_results(between_processes: Path, in_process: Path) -> None:
    assert differing(between_processes, in_process) == []
    assert between_processes.read_bytes() == in_process.read_bytes()


@pytest.mark.federation
def test_the_same_inputs_give_the_same_results(in_process: Path, hour: Path, tmp_path: Path) -> None:
    assert differing(in_process, in_one_process(hour, tmp_path)) == []


@pytest.mark.federation
def test_every_interval_settles_and_nothing_breaks(between_processes: Path) -> None:
    with Results(between_processes) as run:
        assert run.intervals == run.expected == 12
        assert run.values("audit/settled").all()
        assert run.values("audit/rounds").max() <= 4
        assert np.abs(run.values("audit/trial_voltage_error")).max() <= 1e-4
        assert np.abs(run.values("audit/trial_head_error")).max() <= 0.1
        assert np.abs(run.values("audit/balance_error")).max() <= 1e-6
        assert run.values("audit/violations_unpriced").sum() == 0


@pytest.mark.federation
def test_the_dearest_hour_is_where_it_should_be(between_processes: Path) -> None:
    with Results(between_processes) as run:
        lmp = run.values("wholesale/lmp")
        generators = [k for k, name in enumerate(run.ids("market/dispatch_real")) if name.startswith("dg_")]
        output = run.values("market/dispatch_real")[:, generators].sum(axis=1)
    assert lmp.tolist() == [34.61] * 6 + [94.99] * 6
    assert output[6:].min() > 1.2 * output[:6].max()


@pytest.mark.federation
def test_results_open_with_names_units_and_times(between_processes: Path) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(between_processes, group="feeder", engine="h5netcdf") as feeder:
        voltage = feeder["voltage_magnitude"]
        assert voltage.attrs["units"] == "pu"
        assert voltage.shape == (12, 274)
    with h5py.File(between_processes) as file:
        assert file["time"].attrs["units"] == b"seconds since 1970-01-01 00:00:00"
        assert np.diff(file["time"][:]).tolist() == [300] * 11
        manifest = json.loads(file["manifest"].asstr()[()])
    assert manifest["scenario"]["time"]["intervals"] == 12
    assert set(manifest) >= {"scenario", "versions"}


def test_a_federate_that_cannot_be_made_ends_the_run_before_it_starts(tmp_path: Path) -> None:
    study = load_study(make_study(tmp_path / "study", case='"ieee124"'))
    with pytest.raises(InputError, match="ieee123"):
        run_local(study)
