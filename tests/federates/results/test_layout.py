"""What a results file holds before its first interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dlmp_cosim.federates.contract.topics import Topic
from dlmp_cosim.federates.results import layout
from dlmp_cosim.federates.results.layout import (
    EXPECTED,
    FINISHED,
    ID_KINDS,
    LONG_AXIS,
    LONG_TEXTS,
    TEXT_BYTES,
    TIME_UNIT,
    create_structure,
    create_text,
    describe,
)
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.feeders.network import Network
from tests.handmade import chain, generator, load

NETWORK = chain("a", "b", loads=[load("x", "b"), load("ü☃", "b")], resources=[generator("g", "b")])
TOPICS = (
    Topic("wholesale/lmp", "double", "$/MWh", "", "price"),
    Topic("feeder/load_real", "vector", "kW", "load", "served"),
    Topic("market/clearing", "string", "", "", "record"),
)


def made(folder: Path, intervals: int = 3, network: Network = NETWORK) -> Path:
    path = folder / "x.h5"
    with h5py.File(path, "w") as file:
        clock = Clock(1_000, 300, intervals)
        create_structure(file, network, clock, TOPICS, {"network": "{}", "source": "é"})
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with h5py.File(made(tmp_path_factory.mktemp("layout"))) as found:
        yield found


def test_nothing_has_finished(file: Any) -> None:
    assert (file[FINISHED][()], file.attrs[EXPECTED]) == (0, 3)


def test_times_are_seconds_of_utc(file: Any) -> None:
    assert file["time"][()].tolist() == [1_000, 1_300, 1_600]
    assert file["time"].attrs["units"] == TIME_UNIT.encode()
    assert file["time"].attrs["period_s"] == 300


@pytest.mark.parametrize("kind", ID_KINDS)
def test_every_kind_of_id_is_an_axis_under_two_names(file: Any, kind: str) -> None:
    names = [name.decode() for name in file[kind][()]]
    assert names == list(Topic("", "vector", "", kind, "").id_list(NETWORK))  # type: ignore[arg-type]
    assert file[f"ids/{kind}"] == file[kind]
    assert file[kind].is_scale


def test_numbers_that_are_not_written_are_none_and_texts_empty(file: Any) -> None:
    assert np.isnan(file["wholesale/lmp"][()]).all()
    assert file["feeder/load_real"].shape == (3, 2)
    assert file["market/clearing"][()].tolist() == [b"", b"", b""]
    assert file["market/clearing"].dtype.itemsize == TEXT_BYTES


def test_a_topic_has_its_unit_its_meaning_and_its_axes(file: Any) -> None:
    data = file["feeder/load_real"]
    assert (data.attrs["units"], data.attrs["long_name"]) == (b"kW", b"served")
    assert [data.dims[k][0] for k in (0, 1)] == [file["time"], file["load"]]
    assert file["market/clearing"].attrs["units"] == b"1", "of what has none"


def test_texts_of_the_whole_run_are_there(file: Any) -> None:
    assert file["source"].asstr()[()] == "é"


@pytest.mark.parametrize(
    ("intervals", "resources", "length"),
    [(1, 1, 2**24), (100, 1, 100 * 2**18), (100, 512, 100 * 2**19), (10**6, 1, 2**32)],
)
def test_room_for_long_texts_grows_within_bounds(intervals: int, resources: int, length: int) -> None:
    """Asked of the numbers alone: a file would take the room."""

    class File(dict[str, Any]):
        def create_dataset(self, name: str, shape: tuple[int], **_: Any) -> Any:
            asked.append((name, shape))
            raise StopIteration

    asked: list[Any] = []
    with pytest.raises(StopIteration):
        layout._create_long_texts(File(), intervals, resources)
    assert asked == [(LONG_TEXTS, (length,))]


def test_long_texts_have_an_axis_of_their_length(file: Any) -> None:
    assert file[LONG_AXIS].shape == file[LONG_TEXTS].shape
    assert file[LONG_TEXTS].dims[0][0] == file[LONG_AXIS]


def test_equal_runs_have_equal_files(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files.append(made(tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_a_feeder_without_loads_and_resources_has_empty_axes(tmp_path: Path) -> None:
    with h5py.File(made(tmp_path, network=chain("a"))) as file:
        assert file["resource"].shape == file["load"].shape == (0,)
        assert file["feeder/load_real"].shape == (3, 0)


@pytest.mark.parametrize("text", ["", "plain", "ü☃" * 9])
def test_any_text_comes_back(tmp_path: Path, text: str) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        create_text(file, "a/b", text)
        describe(file, note=text)
        assert file["a/b"].asstr()[()] == text
        assert file.attrs["note"] == text.encode()
