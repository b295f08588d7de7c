"""What a report is made of, and what it says of runs that are cut short or cannot be compared."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from feeders.errors import ResultsError
from feeders.network import Bus, Element, Network, Source, Terminal
from runners.report.command import report_command
from runners.report.pack import LEVELS, NOTHING, Columns, pack
from runners.report.page import build_page
from runners.report.runs import check_comparable, differences, load_view, load_views, positions

pytestmark = pytest.mark.federation

LIMIT = 5e6
"""Largest page [bytes]."""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(report_command, [str(item) for item in arguments])


def read_back(data: bytes, entry: dict[str, float]) -> np.ndarray:
    """Read columns as the page does."""
    rows, columns, at = int(entry["rows"]), int(entry["columns"]), int(entry["at"])
    steps = np.frombuffer(data, "<u2", rows * columns, at).reshape(columns, rows)
    codes = np.cumsum(steps, axis=1, dtype=np.uint16)
    values = entry["low"] + codes * entry["step"]
    return np.where(codes == NOTHING, np.nan, values).T


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
        elements=st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)),
    )
)
def test_columns_come_back_within_their_resolution(values: np.ndarray) -> None:
    columns = Columns()
    columns.add(np.zeros((3, 2)))
    entry = columns.add(values)
    found = read_back(columns.bytes(), entry)
    assert (np.isnan(found) == np.isnan(values)).all()
    known = values[np.isfinite(values)]
    if known.size:
        assert np.nanmax(np.abs(found - values)) <= 0.51 * max((known.max() - known.min()) / LEVELS, 1e-9)


def test_the_header_says_what_the_run_is(short_run: Path) -> None:
    view = load_view(short_run)
    data = gzip.decompress(base64.b64decode(pack([view])))
    length = int.from_bytes(data[:4], "little")
    (table,) = json.loads(data[4 : 4 + length])["runs"]
    assert table["nodes"] == list(view.network.node_ids)
    assert table["times"][0] == "2020-08-25T13:00:00"
    assert table["until"] == "2020-08-25T19:00:00"
    assert abs(table["account"]["imbalance_usd"]) < 1e-6
    price = read_back(data[4 + length :], table["nodal"]["dlmp_real"])
    assert price == pytest.approx(view.nodal["dlmp_real"], abs=0.01)
    voltage = read_back(data[4 + length :], table["nodal"]["voltage"])
    assert voltage == pytest.approx(view.nodal["voltage"], abs=1e-5)


def test_equal_runs_give_equal_pages(short_run: Path) -> None:
    views = load_views([short_run])
    assert build_page(views) == build_page(views)


def test_the_page_is_small_and_needs_nothing_from_outside(short_run: Path, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "report.html"
    result = run(short_run, "-o", page)
    assert result.exit_code == 0, result.output
    assert page.stat().st_size < LIMIT
    text = page.read_text()
    assert "<script src" not in text
    assert "<link" not in text
    assert "http://" not in text
    assert "https://" not in text


def pictures(run_file: Path, folder: Path, kind: str) -> dict[str, bytes]:
    """Draw in a process of its own, as a user does."""
    command = [
        sys.executable,
        "-m",
        "runners.cli",
        "report",
        str(run_file),
        "--format",
        kind,
        "-o",
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[3])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_pictures_are_equal_for_equal_runs(short_run: Path, tmp_path: Path, kind: str) -> None:
    first = pictures(short_run, tmp_path / "a", kind)
    assert set(first) == {f"{name}.{kind}" for name in ("day", "feeder", "prices", "settlement")}
    assert first == pictures(short_run, tmp_path / "b", kind)


def test_several_runs_are_compared(short_run: Path, copied_run: Path, tmp_path: Path) -> None:
    result = run(short_run, copied_run, "--format", "png", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "scenarios.png").stat().st_size > 1000
    labels = [view.label for view in load_views([short_run, copied_run])]
    assert labels == ["ieee123_day (short)", "ieee123_day (run)"]


def test_a_run_cut_short_shows_what_is_there_and_says_what_is_missing(
    copied_run: Path, tmp_path: Path
) -> None:
    with h5py.File(copied_run, "r+") as file:
        file["intervals_finished"][()] = 2
        file.attrs.modify("complete", 0)
        file["market/dlmp_real"][2:] = np.nan
    result = run(copied_run, "-o", tmp_path / "x.html")
    assert result.exit_code == 0, result.output
    assert "2 of 6 intervals, missing from 2020-08-25 15:00 on" in result.output
    view = load_view(copied_run)
    assert view.verdict["intervals"] == 2
    assert view.verdict["status"] != "feasible"
    assert len(view.times) == 2


def test_a_run_without_an_interval_is_refused(copied_run: Path) -> None:
    with h5py.File(copied_run, "r+") as file:
        file["intervals_finished"][()] = 0
    result = run(copied_run)
    assert result.exit_code == 1
    assert "no interval of 6 finished" in result.output


def changed(path: Path, name: str, table: dict[str, dict[str, object]]) -> Path:
    """Copy a run whose manifest says something else."""
    other = path.with_name(name)
    shutil.copy(path, other)
    with h5py.File(other, "r+") as file:
        manifest = json.loads(str(file.attrs["manifest"]))
        for section, values in table.items():
            manifest["scenario"][section].update(values)
        file.attrs["manifest"] = json.dumps(manifest)
    return other


def test_settings_in_which_runs_differ_are_listed(copied_run: Path) -> None:
    other = changed(copied_run, "other.h5", {"market": {"loss_weight": 2.0}, "study": {"name": "weighted"}})
    views = load_views([copied_run, other])
    assert differences(views) == [("market.loss_weight", ["0.0", "2.0"])]
    assert [view.label for view in views] == ["ieee123_day", "weighted"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("time", "they start at different times, 2020-08-25 13:00 and 2020-08-25 14:00"),
        ("period", "their intervals last 3600 s and 300 s"),
        ("feeder", "they are different feeders, ieee123 with 278 nodes and small with 11 nodes"),
    ],
)
def test_runs_that_cannot_be_compared_say_why(copied_run: Path, kind: str, reason: str) -> None:
    one = load_view(copied_run)
    other = {
        "time": replace(one, times=tuple(time.replace(hour=time.hour + 1) for time in one.times)),
        "period": replace(one, hours=1 / 12),
        "feeder": replace(one, network=eleven_nodes()),
    }[kind]
    expected = reason.replace("278", str(len(one.network.node_ids)))
    with pytest.raises(ResultsError, match="cannot be compared") as caught:
        check_comparable(one, other)
    assert expected in str(caught.value)
    assert str(copied_run) in str(caught.value)


def test_the_command_refuses_runs_of_different_times(copied_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "later.h5"
    shutil.copy(copied_run, other)
    with h5py.File(other, "r+") as file:
        file["time"][...] = file["time"][:] + 3600
    result = run(copied_run, other)
    assert result.exit_code == 1
    assert f"{copied_run} and {other} cannot be compared: they start at different times" in result.output


def eleven_nodes() -> Network:
    return bare([("a", None), ("b", None), ("c", None), ("d", None)], [(0, 1), (1, 2), (1, 3)], last=2)


def bare(places: list[tuple[str, float | None]], lines: list[tuple[int, int]], last: int = 3) -> Network:
    """A network of buses and lines alone; the last bus may have fewer phases."""
    phases = [(1, 2, 3)] * (len(places) - 1) + [(1, 2, 3)[:last]]
    buses = tuple(Bus(name, p, 2.4, x, x) for (name, x), p in zip(places, phases, strict=True))
    matrix = ((0.1, -0.1), (-0.1, 0.1))
    branches = tuple(
        Element(
            f"line.{a}-{b}",
            "line",
            (Terminal(places[a][0], (1,)), Terminal(places[b][0], (1,))),
            matrix,
            matrix,
            (100.0, 100.0),
        )
        for a, b in lines
    )
    source = Source("vsource.source", Terminal(places[0][0], (1,)), (2400.0,), (0.0,), ((1.0,),), ((-1.0,),))
    return Network("small", buses, branches, (source,), ())


def test_buses_without_coordinates_sit_at_their_parents() -> None:
    network = bare([("a", 1.0), ("b", None), ("c", 3.0)], [(0, 1), (1, 2)])
    assert positions(network) == [(1.0, 1.0), (1.0, 1.0), (3.0, 3.0)]


def test_a_feeder_without_coordinates_is_drawn_as_a_tree() -> None:
    found = positions(eleven_nodes())
    assert [x for x, _ in found] == [0.0, 1.0, 2.0, 2.0]
    assert len(set(found)) == 4
    assert found[1][1] == pytest.approx((found[2][1] + found[3][1]) / 2)


def test_a_page_that_cannot_be_written_is_an_error(short_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(short_run, "-o", tmp_path / "file" / "report.html")
    assert result.exit_code == 1
    assert "expected a writable path" in result.output
    result = run(short_run, "--format", "png", "-o", tmp_path / "file")
    assert result.exit_code == 1
    assert "expected a writable folder" in result.output
