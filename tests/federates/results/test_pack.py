"""Packing: the same values in less room, with units, axes and long texts, and nothing lost on the way."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from written import NETWORK, create, row

from dlmp_cosim.federates.results.layout import LONG_MARK, LONG_TEXTS, TEXT_BYTES
from dlmp_cosim.federates.results.pack import long_place, pack, rewritten
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import ResultsError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{LONG_MARK}{LONG_TEXTS}[0:9]", (0, 9)),
        (f"{LONG_MARK}{LONG_TEXTS}[12:40000]", (12, 40_000)),
        (f"{LONG_TEXTS}[0:9]", None),
        (f"{LONG_MARK}{LONG_TEXTS}[0:9] ", None),
        (f" {LONG_MARK}{LONG_TEXTS}[0:9]", None),
        (f"{LONG_MARK}{LONG_TEXTS}[-1:9]", None),
        (f"{LONG_MARK}{LONG_TEXTS}[:9]", None),
        ("", None),
        ('{"interval":0}', None),
    ],
)
def test_a_row_that_points_elsewhere_is_known_by_its_form(text: str, place: tuple[int, int] | None) -> None:
    assert long_place(text.encode()) == place


LONG = '{"why":"' + "é" * TEXT_BYTES + '"}'


@pytest.fixture
def open_run(tmp_path: Path) -> Path:
    """Three of five intervals, the second with a text that is too long for its row; not packed."""
    path = tmp_path / "run.h5"
    writer = create(path)
    for k in range(3):
        writer.append(row(k) | ({"market/clearing": LONG} if k == 1 else {}))
    writer.close()
    return path


def values(path: Path) -> dict[str, list[object]]:
    """All that a reader sees."""
    with Results(path) as run:
        found: dict[str, list[object]] = {
            key: run.values(key).tolist() for key in run.keys if "clearing" not in key
        }
        return found | {"market/clearing": list(run.texts("market/clearing"))}


def test_a_reader_sees_the_same(open_run: Path) -> None:
    before = values(open_run)
    pack(open_run)
    assert values(open_run) == before
    assert before["market/clearing"][1] == LONG


def test_it_takes_less_room(open_run: Path) -> None:
    before = open_run.stat().st_size
    pack(open_run)
    assert 20 * open_run.stat().st_size < before


def test_packing_again_changes_no_byte(open_run: Path) -> None:
    pack(open_run)
    before = open_run.read_bytes()
    pack(open_run)
    assert open_run.read_bytes() == before


def test_rows_of_texts_are_as_wide_as_the_longest(open_run: Path) -> None:
    texts = values(open_run)["market/clearing"]
    pack(open_run)
    with h5py.File(open_run) as file:
        # The second is too long for any row, and lies elsewhere.
        place = f"{LONG_MARK}{LONG_TEXTS}[0:{len(LONG.encode())}]"
        rows = [place, *(str(text) for text in (texts[0], texts[2]))]
        assert file["market/clearing"].dtype.itemsize == max(len(row.encode()) for row in rows)
        assert [row.decode() for row in file["market/clearing"][3:]] == ["", ""]


def test_units_meanings_and_axes_come_along(open_run: Path) -> None:
    pack(open_run)
    with h5py.File(open_run) as file:
        data = file["feeder/voltage_magnitude"]
        assert (data.attrs["units"], data.attrs["long_name"]) == (b"pu", b"voltage")
        assert [data.dims[k][0] for k in (0, 1)] == [file["time"], file["node"]]
        assert file["ids/node"] == file["node"]
        assert [name.decode() for name in file["node"][()]] == list(NETWORK.node_ids)
        assert file.attrs["title"] == b"dlmp-cosim run"
        assert file["time"].attrs["period_s"] == 60


def test_intervals_that_did_not_finish_stay_empty(open_run: Path) -> None:
    pack(open_run)
    with h5py.File(open_run) as file:
        assert np.isnan(file["wholesale/lmp"][3:]).all()
        assert file["wholesale/lmp"].shape == (5,)
        assert file["intervals_finished"][()] == 3


def test_long_texts_keep_no_more_room_than_they_use(open_run: Path) -> None:
    pack(open_run)
    with h5py.File(open_run) as file:
        assert file[LONG_TEXTS].shape == (len(LONG.encode()),)


def test_without_long_texts_there_is_no_room_for_any(tmp_path: Path) -> None:
    writer = create(tmp_path / "run.h5", intervals=1)
    writer.append(row(0))
    writer.close()
    with h5py.File(tmp_path / "run.h5") as file:
        assert LONG_TEXTS not in file


def test_a_group_is_written_anew_and_the_rest_stays(open_run: Path) -> None:
    before = values(open_run)
    for number in (1.0, 2.0):
        with rewritten(open_run, without="extra") as file:
            assert "extra" not in file
            file.create_dataset("extra/x", data=[number] * 5)
    assert values(open_run) == before | {"extra/x": [2.0] * 3}


def test_who_fails_while_adding_leaves_the_file_as_it_was(open_run: Path) -> None:
    before = open_run.read_bytes()
    with pytest.raises(ResultsError), rewritten(open_run, without="extra") as file:
        file["extra/x"] = object()
    assert open_run.read_bytes() == before
    assert [path.name for path in open_run.parent.iterdir()] == ["run.h5"]


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all"])
def test_what_is_no_results_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=str(path)):
        pack(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
