from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray
from toys import PYTHONPATH, environment, toy_network

from federates.contract.topics import Topic
from federates.results.run import Results
from federates.results.store import ResultsWriter, create_results, manifest_text
from federates.runtime.clock import Clock
from federates.runtime.link import Value
from federates.study.study import Study
from feeders.errors import ResultsError
from feeders.readers.network_json import network_to_json

NETWORK = toy_network()
CLOCK = Clock(start_utc=1_598_328_000, period_s=60, intervals=5)
TOPICS = (
    Topic("wholesale/lmp", "double", "$/MWh", "", "price"),
    Topic("feeder/voltage_magnitude", "vector", "pu", "node", "voltage"),
    Topic("feeder/regulator_tap", "vector", "", "tap", "taps"),
    Topic("market/clearing", "string", "", "", "record"),
)


def row(k: int) -> dict[str, Value]:
    return {
        "wholesale/lmp": 20.0 + k,
        "feeder/voltage_magnitude": np.full(6, 1.0 + k / 100),
        "feeder/regulator_tap": np.zeros(0),
        "market/clearing": json.dumps({"interval": k, "why": "é" * k}),
    }


def create(path: Path, intervals: int = 5) -> ResultsWriter:
    clock = Clock(CLOCK.start_utc, CLOCK.period_s, intervals)
    constant = {"network": network_to_json(NETWORK)}
    return create_results(path, NETWORK, clock, TOPICS, constant=constant, manifest='{"scenario": {}}')


def test_what_is_written_is_read(tmp_path: Path) -> None:
    writer = create(tmp_path / "deep" / "results.h5")
    for k in range(5):
        writer.append(row(k))
    writer.close()
    with Results(tmp_path / "deep" / "results.h5") as results:
        assert (results.intervals, results.expected, results.complete) == (5, 5, True)
        assert results.values("wholesale/lmp").tolist() == [20.0, 21.0, 22.0, 23.0, 24.0]
        assert results.values("feeder/voltage_magnitude")[3].tolist() == [1.03] * 6
        assert results.values("feeder/regulator_tap").shape == (5, 0)
        assert results.ids("feeder/voltage_magnitude") == NETWORK.node_ids
        assert results.records("market/clearing")[2] == {"interval": 2, "why": "éé"}
        assert results.network == NETWORK
        assert results.time.tolist() == [CLOCK.utc(k) for k in range(5)]
        assert results.period_h == pytest.approx(1 / 60)
        assert set(results.keys) == {topic.key for topic in TOPICS}


def test_an_unfinished_run_shows_what_finished(tmp_path: Path) -> None:
    writer = create(tmp_path / "results.h5")
    writer.append(row(0))
    writer.append(row(1))
    writer.close()
    with Results(tmp_path / "results.h5") as results:
        assert (results.intervals, results.complete) == (2, False)
        assert results.values("wholesale/lmp").tolist() == [20.0, 21.0]
        assert len(results.texts("market/clearing")) == len(results.time) == 2
    with h5py.File(tmp_path / "results.h5") as file:
        assert np.isnan(file["wholesale/lmp"][2:]).all()
        assert file.attrs["complete"] == 0


def test_a_misspelt_topic_names_the_nearest(tmp_path: Path) -> None:
    create(tmp_path / "results.h5").close()
    with (
        Results(tmp_path / "results.h5") as results,
        pytest.raises(ResultsError, match="did you mean 'wholesale/lmp'"),
    ):
        results.values("wholesale/lpm")


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all"])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.h5"
    file.write_bytes(content)
    with pytest.raises(ResultsError, match="cannot be read as a results file"):
        Results(file)


def test_hdf5_of_somebody_else_is_refused(tmp_path: Path) -> None:
    h5py.File(tmp_path / "other.h5", "w").close()
    with pytest.raises(ResultsError, match="not the results of a run"):
        Results(tmp_path / "other.h5")


def test_xarray_opens_groups_with_labelled_axes(tmp_path: Path) -> None:
    writer = create(tmp_path / "results.h5")
    writer.append(row(0))
    writer.close()
    with xarray.open_datatree(tmp_path / "results.h5", engine="h5netcdf") as tree:
        voltage = tree["feeder/voltage_magnitude"]
        assert voltage.dims == ("time", "node")
        assert voltage.attrs["units"] == "pu"
        assert voltage.sel(node="b.2").values[0] == 1.0
        assert str(voltage.time.values[0]).startswith("2020-08-25T04:00")


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.h5", "two.h5"):
        writer = create(tmp_path / name)
        writer.append(row(0))
        writer.close()
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    code = f"import h5py, time; f = h5py.File({str(path)!r}, 'w'); print('open', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(ResultsError, match="another run is writing"):
            create(path)
        other.kill()
    create(path).close()
    assert [item.name for item in tmp_path.iterdir()] == ["results.h5"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "results.h5").mkdir()
    with pytest.raises(ResultsError, match="cannot be written"):
        create(tmp_path / "results.h5")


@pytest.mark.parametrize("intervals", [6, 288, 3000])
def test_the_end_of_the_file_does_not_move_while_texts_are_added(tmp_path: Path, intervals: int) -> None:
    path = tmp_path / "results.h5"
    writer = create(path, intervals)
    reserved = path.stat().st_size
    assert reserved > intervals * 65_536
    assert path.stat().st_blocks * 512 < reserved / 2, "the reserve takes no space on disk"
    for k in range(min(intervals, 300) - 1):
        writer.append(row(k))
        assert path.stat().st_size == reserved
    writer.close()


def test_a_finished_run_gives_its_reserve_back(tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    writer = create(path, 288)
    for k in range(288):
        writer.append(row(k))
    writer.close()
    assert path.stat().st_size < 2**20


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_store import create, row
writer = create(Path({path!r}), 100_000)
print("ready", flush=True)
for k in range(100_000):
    writer.append(row(k))
"""


@pytest.mark.parametrize("delay_s", [0.1, 0.17, 0.25, 0.39])
def test_a_killed_run_keeps_every_finished_interval(tmp_path: Path, delay_s: float) -> None:
    path = tmp_path / "results.h5"
    code = WRITER.format(tests=str(Path(__file__).parent), path=str(path))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(PYTHONPATH=PYTHONPATH)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay_s)
        os.kill(process.pid, signal.SIGKILL)
    with Results(path) as results:
        n = results.intervals
        assert n > 10
        assert results.values("wholesale/lmp").tolist() == [20.0 + k for k in range(n)]
        assert [record["interval"] for record in results.records("market/clearing")] == list(range(n))
        assert results.values("feeder/voltage_magnitude")[n - 1].tolist() == [1.0 + (n - 1) / 100] * 6


def test_the_manifest_says_what_went_in(toy_study: Study) -> None:
    text = manifest_text(toy_study, "{}")
    table: dict[str, Any] = json.loads(text)
    assert table["scenario"]["study"]["name"] == "toy"
    assert {"scenario.toml", "feeder.json", "assets.csv", "toy.dss"} <= set(table["inputs"])
    assert all(len(value) == 64 for value in table["inputs"].values())
    assert table["versions"]["helics"].startswith("3.6")
    assert manifest_text(toy_study, "{}") == text
    (toy_study.folder / "assets.csv").write_text("changed")
    assert manifest_text(toy_study, "{}") != text
