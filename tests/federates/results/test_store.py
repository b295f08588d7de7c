from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray
from toys import PYTHONPATH, ROOT, environment
from written import CLOCK, NETWORK, TOPICS, create, row

from dlmp_cosim.federates.results.layout import LONG_MARK, TEXT_BYTES
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.results.store import create_results, manifest_text
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.equipment import Resource, wye
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.readers.network_json import network_to_json


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
        assert (file["intervals_finished"][()], file.attrs["intervals_expected"]) == (2, 5)


def test_a_file_that_this_process_has_open_is_read_too(tmp_path: Path) -> None:
    create(tmp_path / "results.h5").close()
    with h5py.File(tmp_path / "results.h5"), Results(tmp_path / "results.h5") as results:
        assert results.expected == 5


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


def test_a_file_of_an_older_version_is_said_to_be_one(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["manifest"] = "{}"
    with pytest.raises(ResultsError, match="written by an older version"):
        Results(tmp_path / "old.h5")


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
        assert "UTC" in voltage.time.attrs["long_name"]
        assert json.loads(tree["market/clearing"].values[0])["interval"] == 0
        assert tree["network"].values[()] == network_to_json(NETWORK)


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.h5", "two.h5"):
        writer = create(tmp_path / name)
        writer.append(row(0))
        writer.close()
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


@pytest.mark.parametrize("intervals", [6, 288, 3000])
def test_the_file_does_not_grow_while_it_is_written(tmp_path: Path, intervals: int) -> None:
    path = tmp_path / "results.h5"
    writer = create(path, intervals)
    size = path.stat().st_size
    assert path.stat().st_blocks * 512 < size / 2, "room for texts takes no space on disk"
    for k in range(min(intervals, 300) - 1):
        writer.append(row(k))
        assert path.stat().st_size == size
    writer.close()
    assert path.stat().st_size == size


def test_a_finished_run_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    writer = create(path, 288)
    for k in range(288):
        writer.append(row(k))
    written = path.stat().st_blocks * 512
    writer.close()
    assert path.stat().st_size < written / 10
    with h5py.File(path) as file:
        assert file["feeder/voltage_magnitude"].compression == "gzip"
        assert "long_texts" not in file
    with Results(path) as results:
        assert results.values("wholesale/lmp").tolist() == [20.0 + k for k in range(288)]
        assert results.records("market/clearing")[287]["why"] == "é" * 287


@pytest.mark.parametrize("intervals", [3, 5])
def test_a_text_that_is_too_long_for_a_row_is_kept_elsewhere(tmp_path: Path, intervals: int) -> None:
    path = tmp_path / "results.h5"
    texts = ["x" * (TEXT_BYTES + 1), "é" * TEXT_BYTES, f"{LONG_MARK}long_texts[0:9]"]
    writer = create(path, intervals)
    for k, text in enumerate(texts):
        writer.append(row(k) | {"market/clearing": text})
    writer.close()
    with Results(path) as results:
        assert results.complete == (intervals == 3)
        assert list(results.texts("market/clearing")) == texts
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert tree["market/clearing"].values[0] == f"{LONG_MARK}long_texts[0:{TEXT_BYTES + 1}]"


def test_a_run_whose_long_texts_find_no_room_says_so_and_keeps_the_rest(tmp_path: Path) -> None:
    writer = create(tmp_path / "results.h5")
    writer.append(row(0))
    with pytest.raises(ResultsError, match=r"market/clearing has 16777217 bytes; texts of more than 32768"):
        writer.append(row(1) | {"market/clearing": "x" * (2**24 + 1)})
    writer.close()
    with Results(tmp_path / "results.h5") as results:
        assert results.texts("market/clearing") == (str(row(0)["market/clearing"]),)


def test_a_large_circuit_has_room_for_the_offers_of_all_its_resources(tmp_path: Path) -> None:
    many = tuple(Resource(f"sun_{k}", "generator", "b", wye((1, 2, 3)), 1.0, 1.0) for k in range(8_000))
    network, clock = replace(NETWORK, resources=many), replace(CLOCK, intervals=20)
    path, offers = tmp_path / "results.h5", "x" * (190 * len(many))
    writer = create_results(
        path, network, clock, TOPICS, constant={"network": network_to_json(network)}, manifest="{}"
    )
    for k in range(clock.intervals):
        writer.append(row(k) | {"market/clearing": offers})
    writer.close()
    with Results(path) as results:
        assert results.complete
        assert results.texts("market/clearing")[-1] == offers


def test_a_value_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    writer = create(tmp_path / "results.h5")
    with pytest.raises(ResultsError, match="feeder/voltage_magnitude has 5 values; expected 6"):
        writer.append(row(0) | {"feeder/voltage_magnitude": np.zeros(5)})


def test_a_file_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    writer = create(path)
    for k in range(2):
        writer.append(row(k))
        with Results(path) as results:
            assert results.records("market/clearing")[k]["interval"] == k
            assert results.intervals == k + 1


@pytest.mark.parametrize("kills", [pytest.param(12), pytest.param(5000, marks=pytest.mark.slow)])
@pytest.mark.timeout(7200)
def test_a_writer_killed_at_any_moment_loses_no_finished_interval(tmp_path: Path, kills: int) -> None:
    command = [sys.executable, str(ROOT / "tests/toys/kills.py"), str(kills), "1", str(tmp_path)]
    shown = subprocess.run(command, env=environment(PYTHONPATH=PYTHONPATH), capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    ends = json.loads(shown.stdout)
    assert sum(ends.values()) == kills
    assert set(ends) <= {"no file yet", "begun", "cut short", "complete"}, ends
    assert ends["cut short"] > 0


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
