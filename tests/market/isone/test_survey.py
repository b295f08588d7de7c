"""What files are and what is in them: notes, series, and how many locations are not shown."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.survey import SHOWN, FileNote, survey
from tests.market.isone.test_envelope import HEADER, TITLE, TYPES
from tests.market.isone.test_reader import report, two_places
from tests.market.isone.test_sources import PLAIN, written


def test_a_file_is_noted_with_rows_places_and_warnings(tmp_path: Path) -> None:
    path = two_places(tmp_path)
    path.write_text(path.read_text().replace("4 lines", "5 lines"))
    found = survey(path)
    layout = "ISO Express report: Day Ahead Hourly LMP"
    warning = "the trailer says 5 lines but the file has 4"
    assert found.files == (FileNote(str(path), layout, 4, 2, (warning,)),)
    assert [(one.location_id, one.market) for one in found.series] == [
        ("321", "day_ahead"),
        ("4008", "day_ahead"),
    ]
    assert found.hidden == 0


def test_a_report_without_rows_is_noted_and_no_error(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join([TITLE, HEADER, TYPES, '"T","0 lines"']))
    found = survey(path)
    assert (found.series, found.hidden, found.files[0].rows) == ((), 0, 0)
    assert found.files[0].warnings == ("the report has no data rows",)


def places(folder: Path, numbers: range) -> Path:
    return report(folder, *((hour, str(k), "", 1.0) for k in numbers for hour in ("01", "02")))


@pytest.mark.parametrize(
    ("numbers", "shown", "hidden"),
    [
        pytest.param(range(300, 300 + SHOWN), SHOWN, 0, id="few are all shown"),
        pytest.param(range(300, 301 + SHOWN), 1, SHOWN, id="of many the first"),
        pytest.param(range(3999, 4020), 9, 12, id="or hub and zones"),
    ],
)
def test_of_many_places_some_are_shown(tmp_path: Path, numbers: range, shown: int, hidden: int) -> None:
    found = survey(places(tmp_path, numbers))
    assert (len(found.series), found.hidden, found.files[0].locations) == (shown, hidden, len(numbers))


def test_one_place_can_be_asked_for(tmp_path: Path) -> None:
    found = survey(two_places(tmp_path), location="NEMA")
    assert [one.location_id for one in found.series] == ["4008"]
    assert found.hidden == 1
    assert survey(two_places(tmp_path), location="un.node 1").series[0].location_id == "321"


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no rows of location 'NEMAS'; expected one of .*'NEMA'\?"):
        survey(two_places(tmp_path), location="NEMAS")


def test_files_that_say_no_place_may_be_of_any(tmp_path: Path) -> None:
    (series,) = survey(written(tmp_path, PLAIN), location=4008).series
    assert series.location == ".Z.NEMASSBOST"
    (bare,) = survey(written(tmp_path, PLAIN)).series
    assert (bare.location, bare.location_id) == ("", "")


def test_a_day_can_be_asked_for(tmp_path: Path) -> None:
    assert len(survey(written(tmp_path, PLAIN), day=date(2025, 3, 1)).series[0]) == 2
    with pytest.raises(InputError, match="no rows on 2025-03-02; expected a day within 2025-03-01"):
        survey(written(tmp_path, PLAIN), day=date(2025, 3, 2))


def test_every_quantity_and_market_has_a_series_and_real_time_is_one(tmp_path: Path) -> None:
    early = report(
        tmp_path, ("01", "4008", "", 1.0), ("02", "4008", "", 2.0), title="Preliminary Real-Time LMP"
    )
    final = report(tmp_path, ("01", "4008", "", 1.0), ("02", "4008", "", 9.0), title="Final Real-Time LMP")
    ahead = report(tmp_path, ("01", "4008", "", 5.0), ("02", "4008", "", 6.0))
    load = written(tmp_path, PLAIN.replace("Price", "Load"), "load.csv")
    found = survey([early, final, ahead, load])
    assert [(one.quantity, one.market, one.superseded) for one in found.series] == [
        ("lmp", "real_time_final", 2),
        ("lmp", "day_ahead", 0),
        ("load", "unstated", 0),
    ]
    assert [note.rows for note in found.files] == [2, 2, 2, 2]
