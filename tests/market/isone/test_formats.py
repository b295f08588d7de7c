"""Every layout, authentic and hand-made, gives the series its case expects; detection ignores names."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone import Series, read_series, survey
from dlmp_cosim.market.isone.clock import eastern_text
from dlmp_cosim.market.isone.envelope import read_envelope
from dlmp_cosim.market.isone.table import Origin

ROOT = Path(__file__).parents[2] / "cases" / "isone"
DAY_FILES = Path(__file__).parents[3] / "configs" / "ieee123_day" / "data"
SMD = DAY_FILES / "smd_hourly_NEMA_20200824-20200826.csv"
CASES = json.loads((ROOT / "cases.json").read_text())


def facts(series: Series) -> dict[str, Any]:
    return {
        "count": len(series),
        "gaps": len(series.gaps),
        "parts": bool(series.parts),
        "warnings": len(series.warnings),
        "derived": list(series.derived),
        "first": eastern_text(int(series.start[0])),
        "max_at": eastern_text(int(series.start[series.values.argmax()])),
        **{name: float(getattr(series.values, name)()) for name in ("mean", "min", "max", "sum")},
        **{
            name: getattr(series, name)
            for name in (
                "missing",
                "step_s",
                "market",
                "location",
                "location_id",
                "unit",
                "duplicates",
                "superseded",
            )
        },
    }


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    expected = dict(case["expected"])
    series = read_series([ROOT / name for name in case["files"]], **case["arguments"])
    tolerance = expected.pop("tolerance", 0.001)
    values = expected.pop("values", None)
    found = facts(series)
    if values is not None:
        np.testing.assert_allclose(series.values, values, atol=1e-9)
    for name, value in expected.items():
        assert found[name] == (
            pytest.approx(value, abs=tolerance) if isinstance(value, float | int) else value
        ), name


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_series_are_well_formed(case: dict[str, Any]) -> None:
    series = read_series([ROOT / name for name in case["files"]], **case["arguments"])
    assert (np.diff(series.start) > 0).all()
    assert (series.start % series.step_s == 0).all()
    assert np.isfinite(series.values).all()
    assert str(series.times.tz) == "America/New_York"
    assert sum(have for _, have, _ in series.days) == len(series)
    assert sum(full - have for _, have, full in series.days) == series.missing or "day" in case["arguments"]
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 1.0


@pytest.mark.parametrize(
    "name", ["WW_DALMP_ISO_20260317.csv", "lmp_rt_final_20241103.csv", "rt_fiveminsysload_20260720.csv"]
)
def test_detection_is_by_content(tmp_path: Path, name: str) -> None:
    copy = tmp_path / "renamed.bin"
    shutil.copy(ROOT / "hand_made" / name, copy)
    for one, other in zip(survey(copy).series, survey(ROOT / "hand_made" / name).series, strict=True):
        assert facts(one) == facts(other)


def test_zonal_tables_have_288_rows_for_each_of_8_zones() -> None:
    folder = ROOT / "authentic" / "load_5min_2025_webservices"
    files = sorted(folder.glob("zonal_load_*.csv"))
    zones = [read_series(files, quantity="load", location=4001 + at, day="2025-08-25") for at in range(8)]
    assert sum(len(zone) for zone in zones) == 2304
    whole = [read_series(files, quantity="load", location=4001 + at) for at in range(8)]
    assert sum(zone.duplicates for zone in whole) == 2 * 384


def test_price_is_the_sum_of_its_parts_on_the_embedded_day() -> None:
    for market in ("real_time", "day_ahead"):
        series = read_series(SMD, location="NEMA", market=market)
        assert np.abs(series.values - sum(series.parts)).max() <= 0.015 + 1e-9
        assert series.warnings == ()


@pytest.mark.parametrize(
    ("name", "rows", "stated"),
    [
        ("hbdayaheadenergyoffer_20250625_excerpt_quoted.csv", 24, 8784),
        ("hbrealtimeenergyoffer_20250625_excerpt_excel_resaved.csv", 24, 10392),
    ],
)
def test_authentic_envelopes_and_their_trailers(name: str, rows: int, stated: int) -> None:
    path = ROOT / "authentic" / "formats" / name
    with path.open("rb") as file:
        table = read_envelope(file, Origin(name, name, ""))
    assert table.seen == len(table.rows) == rows
    assert table.columns[0] == "Day"
    assert len(table.columns) == 36
    assert table.warnings == (f"the trailer says {stated} lines but the file has {rows}",)
    with pytest.raises(InputError, match="no column holds a price or a demand"):
        read_series(path)


def test_the_rebuilt_report_of_authentic_load_reads_the_same(tmp_path: Path) -> None:
    folder = ROOT / "authentic" / "load_5min_2025_webservices"
    direct = read_series(sorted(folder.glob("system_load_*.csv")), quantity="load", day="2025-08-25")
    rows = [
        f'"D","{time:%m/%d/%Y %H:%M:%S}",{value},{value},0'
        for time, value in zip(direct.times, direct.values, strict=True)
    ]
    lines = [
        '"C","Real-Time Five-Minute System Load"',
        '"H","Date/Time","Total Load","Native Load","Asset Related Load"',
    ]
    path = tmp_path / "load.csv"
    path.write_text("\n".join([*lines, '"H","Date/Time","MW","MW","MW"', *rows, f'"T","{len(rows)} lines"']))
    report = read_series(path, quantity="load")
    np.testing.assert_array_equal(report.start, direct.start)
    np.testing.assert_array_equal(report.values, direct.values)


def workbook(path: Path, years: str = "2020") -> Path:
    """Write hand-made sheets from the embedded rows: NEMA as it is, the hub 1 $/MWh dearer."""
    rows = [line.split(",") for line in SMD.read_text().splitlines()]
    book = openpyxl.Workbook()
    notes = book.active
    assert notes is not None
    notes.title = "Notes"
    notes.append(["Hourly data"])
    for name, shift in (("ISO NE CA", 1.0), ("NEMA", 0.0)):
        sheet = book.create_sheet(name)
        sheet.append([*rows[0], *(["System_Load"] if shift else [])])
        for row in rows[1:]:
            cells: list[object] = [pd.Timestamp(row[0].replace("2020", years)).to_pydatetime(), int(row[1])]
            numbers = [float(cell) for cell in row[2:]]
            numbers[6] += shift
            numbers[7] += shift
            sheet.append([*cells, *numbers, *([numbers[1] * 5] if shift else [])])
    book.save(path)
    return path


def test_workbook_has_zones_hub_and_system(tmp_path: Path) -> None:
    path = workbook(tmp_path / "2020_smd_hourly.xlsx")
    zone = read_series(path, location="NEMA", market="real_time", day="2020-08-25")
    csv = read_series(SMD, location="NEMA", market="real_time", day="2020-08-25")
    np.testing.assert_allclose(zone.values, csv.values, rtol=1e-15)
    assert zone.derived == ()
    hub = read_series(path, location="HUB", market="real_time", day="2020-08-25")
    assert hub.location_id == "4000"
    assert hub.values.mean() == pytest.approx(28.441, abs=0.001)
    load = read_series(path, quantity="load", location="system", market="system")
    assert (load.location, len(load)) == ("NEPOOL AREA", 72)
    assert {note.source.rsplit("[")[-1] for note in survey(path).files} == {"ISO NE CA]", "NEMA]"}


def test_damaged_workbooks_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "smd.xlsx")
    data = path.read_bytes()
    for cut in (10, 300, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:cut])
        with pytest.raises(InputError, match="damaged workbook"):
            read_series(path, location="NEMA")
    book = openpyxl.Workbook()
    book.save(path)
    with pytest.raises(InputError, match="no hourly sheet"):
        read_series(path)


def test_every_byte_of_a_workbook_may_be_damaged(tmp_path: Path) -> None:
    path = workbook(tmp_path / "smd.xlsx")
    data = path.read_bytes()
    whole = read_series(path, location="NEMA", market="real_time")
    rng = np.random.default_rng(0)
    refused = 0
    for at in rng.integers(0, len(data), 60):
        path.write_bytes(data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :])
        try:
            series = read_series(path, location="NEMA", market="real_time")
        except InputError:
            refused += 1
        else:
            np.testing.assert_array_equal(series.values, whole.values)
    assert refused > 40


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "smd.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r'pip install "dlmp-cosim\[excel\]"'):
        read_series(path, location="NEMA")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(), "the DataFrame is empty"),
        (pd.DataFrame({"a": [1]}), "no column holds a price or a demand"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["LMP", "LMP"]), "no column holds the time"),
        (pd.DataFrame({"time": ["x\ny"], "price": [1]}), "is not a valid time"),
    ],
)
def test_unusable_dataframes(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_series(frame)


def test_dataframe_with_missing_values() -> None:
    times = pd.date_range("2020-01-01", periods=3, freq="5min", tz="America/New_York")
    series = read_series(pd.DataFrame({"Interval Start": times, "LMP": [1.0, None, 3.0]}))
    assert (len(series), series.warnings) == (2, ("1 rows without LMP left out",))
    assert series.gaps[0] == (int(series.start[0]) + 300, int(series.start[1]))


def test_dataframe_and_its_csv_are_the_same(tmp_path: Path) -> None:
    frame = pd.read_csv(
        ROOT / "hand_made" / "gridstatus_lmp.csv", parse_dates=["Time", "Interval Start", "Interval End"]
    )
    from_frame = read_series(frame, location="HUB")
    frame.to_csv(tmp_path / "table.csv", index=False)
    from_csv = read_series(tmp_path / "table.csv", location="HUB")
    np.testing.assert_array_equal(from_frame.start, from_csv.start)
    np.testing.assert_array_equal(from_frame.values, from_csv.values)
    assert from_frame.sources == ("DataFrame",)


def test_dataframe_with_a_time_index() -> None:
    index = pd.date_range("2020-11-01", periods=25, freq="h", tz="America/New_York")
    series = read_series(pd.DataFrame({"LMP": np.arange(25.0)}, index=index))
    assert (len(series), series.missing, series.step_s) == (25, 0, 3600)


@pytest.mark.parametrize("location", ["4008", 4008, ".Z.NEMASSBOST", "nemassbost", "NEMA", " nema "])
def test_locations_by_number_name_and_short_name(location: str | int) -> None:
    series = read_series(ROOT / "hand_made" / "WW_DALMP_ISO_20260317.csv", location=location)
    assert (series.location, series.location_id) == (".Z.NEMASSBOST", "4008")


def test_node_name_is_found_in_a_file_of_numbers_through_another_file(tmp_path: Path) -> None:
    hand = ROOT / "hand_made"
    five = tmp_path / "lmp_5min_20260317_00-04.csv"
    text = (hand / "5min-rt-final" / "lmp_5min_20240310_00-04.csv").read_text()
    five.write_text(
        text.replace(",4000,", ",321,").replace("03/10/2024", "03/17/2026").replace('"03:', '"02:')
    )
    series = read_series(
        [hand / "WW_DALMP_ISO_20260317.csv", five], location="UN.FRNKLNSQ13.810CC", market="real_time"
    )
    assert (series.location_id, len(series), series.step_s) == ("321", 36, 300)


def test_survey_names_files_series_and_what_it_leaves_out() -> None:
    found = survey([SMD, DAY_FILES / "2020_eei_loads_excerpt_20200823-20200829.txt"])
    assert [note.layout for note in found.files] == ["SMD hourly sheet", "EEI fixed width"]
    assert [note.rows for note in found.files] == [72, 168]
    assert [(one.quantity, one.market) for one in found.series] == [
        ("lmp", "day_ahead"),
        ("lmp", "real_time"),
        ("load", "day_ahead"),
        ("load", "real_time"),
        ("load", "system"),
    ]
    nodes = ROOT / "hand_made" / "WW_DALMP_ISO_20260317.csv"
    one = survey(nodes, location="NEMA")
    assert (len(one.series), one.hidden) == (1, 2)
    with pytest.raises(InputError, match="no rows of location"):
        survey(nodes, location="MAINE")
