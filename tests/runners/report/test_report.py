"""What a report is made of, and what it says of runs that are cut short or cannot be compared."""

from __future__ import annotations

import base64
import gzip
import json
import re
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
from toys import change_manifest

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import Bus, Element, Network, Source, Terminal
from dlmp_cosim.runners.judge.metrics_shown import metric_figures
from dlmp_cosim.runners.judge.performance import performance
from dlmp_cosim.runners.report.command import report_command
from dlmp_cosim.runners.report.pack import LEVELS, NOTHING, Columns, pack
from dlmp_cosim.runners.report.page import build_page
from dlmp_cosim.runners.report.runs import check_comparable, differences, load_view, load_views, positions

pytestmark = pytest.mark.federation

LIMIT = 1e6
"""Largest page [bytes]."""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(report_command, [str(item) for item in arguments])


def read_back(data: bytes, entry: dict[str, float]) -> np.ndarray:
    """Read columns as the page does."""
    rows, columns, at = int(entry["rows"]), int(entry["columns"]), int(entry["at"])
    low, high = np.frombuffer(data, np.uint8, 2 * rows * columns, at).reshape(2, columns, rows)
    steps = low + 256 * high.astype(np.uint16)
    codes = np.cumsum(np.cumsum(steps, axis=0, dtype=np.uint16), axis=1, dtype=np.uint16)
    values = entry["low"] + codes * entry["step"]
    return np.where(codes == NOTHING, np.nan, values).T


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
        elements=st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)),
    ),
    st.sampled_from([0.0, 0.01, 5.0]),
)
def test_columns_come_back_within_their_resolution(values: np.ndarray, resolution: float) -> None:
    columns = Columns()
    columns.add(np.zeros((3, 2)))
    entry = columns.add(values, resolution)
    found = read_back(columns.bytes(), entry)
    assert (np.isnan(found) == np.isnan(values)).all()
    known = values[np.isfinite(values)]
    if known.size:
        assert np.nanmax(np.abs(found - values)) <= 0.51 * max(
            (known.max() - known.min()) / LEVELS, resolution, 1e-9
        )


def test_the_header_says_what_the_run_is(short_run: Path) -> None:
    view = load_view(short_run)
    data = gzip.decompress(base64.b64decode(pack([view])))
    length = int.from_bytes(data[:4], "little")
    (table,) = json.loads(data[4 : 4 + length])["runs"]
    nodes = [f"{bus['name']}.{phase}" for bus in table["buses"] for phase in bus["phases"]]
    assert nodes == list(view.network.node_ids)
    assert table["times"][0] == "2020-08-25T13:00:00"
    assert table["until"] == "2020-08-25T19:00:00"
    assert abs(table["account"]["imbalance_usd"]) < 1e-6
    with Results(short_run) as results:
        measured = metric_figures(performance(results))
    assert [item["title"] for item in table["metrics"]] == [figure.title for figure in measured]
    assert table["metrics"][0]["value"] == measured[0].value
    price = read_back(data[4 + length :], table["nodal"]["dlmp_real"])
    assert price == pytest.approx(view.nodal["dlmp_real"], abs=0.01)
    voltage = read_back(data[4 + length :], table["nodal"]["voltage"])
    assert voltage == pytest.approx(view.nodal["voltage"], abs=1e-5)
    predicted = voltage + read_back(data[4 + length :], table["nodal"]["prediction_error"])
    assert predicted == pytest.approx(view.nodal["predicted_voltage"], abs=1e-5)
    loading = read_back(data[4 + length :], table["branch"]["loading"])
    assert loading == pytest.approx(view.branch["loading"], abs=1e-3, nan_ok=True)


def test_equal_runs_give_equal_pages(short_run: Path) -> None:
    views = load_views([short_run])
    assert build_page(views) == build_page(views)


def test_the_page_is_small_and_needs_nothing_from_outside(short_run: Path, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "report.html"
    result = run(short_run, "-o", page)
    assert result.exit_code == 0, result.output
    assert page.stat().st_size < LIMIT
    text = page.read_text()
    assert not re.search(r"<[^>]*\s(src|href)\s*=", text.partition("<script>")[0])
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text


KINDS = ("png", "svg", "pdf")
DRAW = """
import sys
from pathlib import Path
from dlmp_cosim.runners.report.pictures import draw_all
from dlmp_cosim.runners.report.runs import load_views

views = load_views([Path(sys.argv[1])])
for kind in sys.argv[3:]:
    draw_all(views, Path(sys.argv[2]), kind)
"""


def test_pictures_are_equal_for_equal_runs_in_any_process(short_run: Path, tmp_path: Path) -> None:
    for kind in KINDS:
        result = run(short_run, "--format", kind, "-o", tmp_path / "a")
        assert result.exit_code == 0, result.output
    command = [sys.executable, "-c", DRAW, str(short_run), str(tmp_path / "b"), *KINDS]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[3])
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / place).iterdir()} for place in ("a", "b")
    )
    names = ("day", "feeder", "prices", "settlement")
    assert set(first) == {f"{name}.{kind}" for name in names for kind in KINDS}
    assert first == second


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
    change_manifest(other, table)
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
