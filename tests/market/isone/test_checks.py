"""What the reader refuses, and what it records instead of hiding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone import read_series, survey

HAND = Path(__file__).parents[2] / "cases" / "isone" / "hand_made"
DAY_AHEAD = (HAND / "WW_DALMP_ISO_20260317.csv").read_text()
FIVE = (HAND / "5min-rt-final" / "lmp_5min_20240310_00-04.csv").read_text()
LOAD = (HAND / "rt_fiveminsysload_20260720.csv").read_text()

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(text: str | bytes, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return put


@pytest.mark.parametrize(
    ("content", "name", "url"),
    [
        (b"", "lmp_5min_20200825_00-04.csv", "histRpts/5min-rt-final/lmp_5min_20200825_00-04.csv"),
        (b" \r\n\n", "smd.csv", "2020_smd_hourly.xlsx"),
        (
            b"No data exists for this period.",
            "lmp_rt_prelim_20200825.csv",
            "rt-lmp/lmp_rt_prelim_20200825.csv",
        ),
        (b"No data exists for this period.", "x.csv", "rt-lmp/lmp_rt_final_YYYYMMDD.csv"),
        (b"<!DOCTYPE html><html>403</html>", "WW_DALMP_ISO_20260317.csv", "da-lmp/WW_DALMP_ISO_20260317.csv"),
        (b"\xef\xbb\xbf<HTML>", "load_20200825.csv", "fiveminutesystemload?start=20200825&end=20200825"),
        (b'{"HourlyLmps":{"HourlyLmp":[]}}', "hourlylmp.json", "https://www.iso-ne.com/"),
        (b'{"HourlySystemLoads":""}', "load.json", "https://www.iso-ne.com/"),
    ],
)
def test_empty_answers_name_what_to_download(write: Write, content: bytes, name: str, url: str) -> None:
    path = write(content, name)
    with pytest.raises(InputError) as error:
        read_series(path)
    assert url in str(error.value)
    assert str(path) in str(error.value)


def test_empty_answers_for_demand_name_the_load_file(write: Write) -> None:
    with pytest.raises(InputError, match="fiveminutesystemload"):
        read_series(write(b"", "x.csv"), quantity="load")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"D","03/17/2026","05","4008"', '"D","03/17/2026","4008"', "the row has 8 cells; expected 9"),
        ('"03/17/2026","05","4008"', '"03/47/2026","05","4008"', "'03/47/2026' is not a valid date"),
        ('"03/17/2026","05","4008"', '"03/17/2026","25","4008"', "'25' is not a valid hour ending"),
        ('"03/17/2026","05","4008"', '"03/17/2026","02X","4008"', "'02X' is not a valid hour ending"),
        ('"03/17/2026","05","4008"', '"03/17/2026","06","4008"', "for the same interval 2026-03-17 05:00"),
        (
            '"05","4008",".Z.NEMASSBOST"',
            '"05","4006",".Z.NEMASSBOST"',
            "location '4006' is not '.Z.NEMASSBOST'",
        ),
        ('"05","4008",".Z.NEMASSBOST"', '"05","4O08",".Z.NEMASSBOST"', "location '4O08' is not"),
        ('LOAD ZONE",12.31', 'LOAD ZONE",12,31', "the row has 10 cells"),
        ('LOAD ZONE",12.31', 'LOAD ZONE",12_31', "'12_31' is not a number"),
        ('LOAD ZONE",12.31', 'LOAD ZONE",1e999', "the number is too large"),
        ('LOAD ZONE",12.31', 'LOAD ZONE","inf"', "'inf' is not a number"),
        ('"T","72 lines"', '"T","72 lines"\n"D",1', "data after the trailer"),
        ('"T","72 lines"', '"T","72 lines"\n"C","Day-Ahead"', "unexpected line beginning 'C'"),
        ('"T","72 lines"', "X", "unexpected line beginning 'X'"),
        ('"H","Date"', '"D","Date"', "data before the header"),
        ('"D","03/17/2026","01","4000"', '"D,"03/17/2026","01","4000"', "unexpected line|damaged line"),
        ("Locational Marginal Price", "Locational", "no column holds a price"),
        ('"H","Date","Hour', '"H","Dote","Hour', "hours without a date"),
    ],
)
def test_damage_in_a_report_is_an_error(write: Write, old: str, new: str, message: str) -> None:
    assert old in DAY_AHEAD
    with pytest.raises(InputError, match=message):
        survey(write(DAY_AHEAD.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ('"72 lines"', '"71 lines"', "the trailer says 71 lines but the file has 72"),
        ('"72 lines"', '"7? lines"', "damaged trailer '7? lines' after 72 rows"),
        ('\n"T","72 lines"', "", "no trailer line after 72 rows; the file may be cut"),
        ('"Report for: 03/17/2026 - 03/17/2026"', '"Report for: 03/18/2026 - 03/18/2026"', "different days"),
        ('LOAD ZONE",12.31', 'LOAD ZONE",12.34', "1 prices differ from the sum of their parts"),
        ('LOAD ZONE",12.31', 'LOAD ZONE",', "1 rows without Locational Marginal Price left out"),
    ],
)
def test_damage_that_leaves_the_rest_usable_is_recorded(
    write: Write, old: str, new: str, warning: str
) -> None:
    assert old in DAY_AHEAD
    path = write(DAY_AHEAD.replace(old, new, 1))
    for series in (read_series(path, location="NEMA"), survey(path).files[0]):
        assert any(warning in text for text in series.warnings), series.warnings


def test_the_sum_of_the_parts_may_differ_by_two_cents(write: Write) -> None:
    for price, count in (("12.33", 0), ("12.29", 0), ("12.34", 1), ("12.28", 1)):
        path = write(DAY_AHEAD.replace('LOAD ZONE",12.31', f'LOAD ZONE",{price}', 1))
        assert len(read_series(path, location="NEMA").warnings) == count


def test_columns_that_do_not_add_up_are_refused(write: Write) -> None:
    swapped = DAY_AHEAD.replace("Marginal Loss Component", "Energy?").replace(
        "Energy Component", "Loss Component"
    )
    swapped = swapped.replace("Energy?", "Energy Component").replace("Congestion Component", "Locational")
    swapped = swapped.replace("Locational Marginal Price", "Congestion Component").replace(
        '"Locational"', '"LMP"'
    )
    with pytest.raises(InputError, match="prices differ from the sum of their parts"):
        read_series(write(swapped), location="NEMA")


def test_total_load_that_is_not_its_parts_is_recorded(write: Write) -> None:
    text = LOAD.replace('"07/20/2026 10:00:00",10001.1', '"07/20/2026 10:00:00",10301.1', 1)
    assert text != LOAD
    assert any(
        "1 total loads differ" in warning for warning in read_series(write(text), quantity="load").warnings
    )


def test_exact_duplicates_are_dropped_and_counted(write: Write) -> None:
    lines = DAY_AHEAD.splitlines()
    row = next(line for line in lines if '"4008"' in line)
    text = "\n".join([*lines[:-1], row, row, '"T","74 lines"'])
    series = read_series(write(text), location="NEMA")
    assert (len(series), series.duplicates, series.warnings) == (24, 2, ())


def test_the_same_file_twice_is_only_duplicates(write: Write) -> None:
    path = write(DAY_AHEAD)
    assert read_series([path, path], location="NEMA").duplicates == 24


def test_conflicts_between_files_name_both(write: Write) -> None:
    one = write(DAY_AHEAD, "one.csv")
    other = write(DAY_AHEAD.replace('LOAD ZONE",12.31', 'LOAD ZONE",12.32', 1), "other.csv")
    with pytest.raises(
        InputError, match=r"12\.31 and 12\.32 for the same interval 2026-03-17 00:00"
    ) as error:
        read_series([one, other], location="NEMA")
    assert "one.csv" in str(error.value)
    assert "other.csv" in str(error.value)


def test_gaps_are_listed(write: Write) -> None:
    lines = DAY_AHEAD.splitlines()
    kept = [line for line in lines if not any(f'"{hour}","4008"' in line for hour in ("05", "06", "24"))]
    series = read_series(write("\n".join(kept).replace("72 lines", "69 lines")), location="NEMA")
    assert [(end - begin) // 3600 for begin, end in series.gaps] == [2, 1]
    assert (len(series), series.missing, series.days) == (21, 3, (("2026-03-17", 21, 24),))


def test_negative_and_very_high_prices_are_kept_and_counted(write: Write) -> None:
    lines = [
        "time,price",
        *(f"2020-08-25 {at:02d}:00,{price}" for at, price in enumerate((-150.5, 20, 1000, 2454.6))),
    ]
    series = read_series(write("\n".join([*lines, ""])))
    np.testing.assert_array_equal(series.values, [-150.5, 20, 1000, 2454.6])
    assert (series.negative, series.high) == (1, 1)


def test_five_minute_rows_take_their_day_from_comments_or_name(write: Write) -> None:
    bare = "\n".join(
        line for line in FIVE.splitlines() if "Report for" not in line and "Filename" not in line
    )
    named = read_series(write(bare, "lmp_5min_20240310_00-04.csv"), location="HUB")
    stated = read_series(write(FIVE, "anything.csv"), location="HUB")
    np.testing.assert_array_equal(named.start, stated.start)
    with pytest.raises(InputError, match="a clock time but no date"):
        read_series(write(bare, "anything.csv"), location="HUB")
    with pytest.raises(InputError, match="2024-03-10 has no hour from 02:00 to 03:00"):
        read_series(write(FIVE.replace('"03:05:00"', '"02:05:00"')), location="HUB")


def test_five_minute_stamps_off_the_grid_are_refused(write: Write) -> None:
    with pytest.raises(InputError, match="off the grid of 5 min"):
        read_series(write(FIVE.replace('"03:05:00"', '"03:07:00"')), location="HUB")


def test_rolling_feed_with_whole_stamps(write: Write) -> None:
    lines = FIVE.replace('"0', '"03/10/2024 0').splitlines()
    feed = "\n".join(line for line in lines if "Report for" not in line and "Filename" not in line)
    series = read_series(write(feed, "current.csv"), location="HUB")
    assert len(series) == 36
    assert series.market == "real_time"


def test_rows_outside_the_day_of_the_report_are_recorded(write: Write) -> None:
    text = LOAD.replace("Real-Time Five-Minute System Load", "Real-Time Five-Minute System Load 20260721")
    assert any(
        "288 rows lie outside 2026-07-21" in w for w in read_series(write(text), quantity="load").warnings
    )


def test_an_hour_once_in_autumn_is_recorded(write: Write) -> None:
    rows = [f"2024-11-03 {at:02d}:00,{at}" for at in range(24)]
    series = read_series(write("\n".join(["time,price", *rows, ""])))
    assert series.warnings == ("01:00-02:00 occurs once on 2024-11-03; taken as daylight time",)
    assert (len(series), series.missing) == (24, 1)


def test_autumn_rows_without_order_are_refused(write: Write) -> None:
    rows = [f"2024-11-03 01:{minute:02d},1" for minute in (0, 20, 10, 30, 0)]
    with pytest.raises(InputError, match="cannot be told apart"):
        read_series(write("\n".join(["time,price", *rows, ""])))


def test_unknown_names_get_the_nearest(write: Write) -> None:
    path = write(DAY_AHEAD)
    with pytest.raises(InputError, match="did you mean 'NEMASSBOST'"):
        read_series(path, location="NEMASBOST")
    with pytest.raises(InputError, match="did you mean 'day_ahead'"):
        read_series(path, location="NEMA", market="day_ahed")
    with pytest.raises(InputError, match="3 locations in the files; expected location: one of 321 UN"):
        read_series(path)
    with pytest.raises(InputError, match=r"no load in the files \(they hold lmp\)"):
        read_series(path, quantity="load")
    with pytest.raises(InputError, match="unknown quantity 'price'"):
        read_series(path, quantity="price")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no rows on 2026-03-18; expected a day within 2026-03-17 00:00"):
        read_series(path, location="NEMA", day="2026-03-18")
    with pytest.raises(InputError, match="'tomorrow' is not a date"):
        read_series(path, location="NEMA", day="tomorrow")


def test_what_is_not_a_file(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path, Path("nul\0.csv")):
        with pytest.raises(InputError, match="cannot be read"):
            read_series(path)
    with pytest.raises(InputError, match="no file given"):
        read_series([])


def test_steps_do_not_mix(write: Write) -> None:
    five = write("\n".join(f"2020-08-25 00:{minute:02d},1" for minute in range(0, 60, 5)) + "\n", "five.csv")
    hourly = write("\n".join(f"2020-08-25 {hour:02d}:00,1" for hour in range(24)) + "\n", "hourly.csv")
    with pytest.raises(InputError, match="different steps: 5 min and 60 min"):
        read_series([five, hourly])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,price\n", "the table has no rows"),
        ("time,price\n2020-08-25 00:00,1\n", "cannot be told from one time"),
        ("time,price\n2020-08-25 00:00,1\n2020-08-25 00:07,1\n", "intervals of 420 s"),
        ("time,price\n2020-08-25 00:00,1\n2020-08-25 00:05,1,2\n", "the row has 3 cells; expected 2"),
        ('time,price\n2020-08-25 00:00,"1\n', "not a csv file"),
        ("time,price\n25.08.2020 00:00,1\n25.08.2020 00:05,1\n", "'25.08.2020 00:00' is not a valid time"),
        ("when,who,price\n1,2,3\n", "no column holds the time"),
        ("BeginDate,Type,Mw\n07/20/2026 00:30,guess,1\n07/20/2026 00:35,actual,1\n", "'guess'"),
        (
            "Interval Start,Interval End,LMP\n2020-08-25,2020-08-25 00:05,1\n2020-08-25 00:05,2020-08-25,1\n",
            "contradicts the interval start",
        ),
        (
            "ts_utc,ts_local,mw\n2025-08-25 00:00+00:00,2025-08-24 20:05-04:00,1\n",
            "contradicts the interval start",
        ),
        ('{"a":', "not JSON"),
        ('{"FiveMinLmp":[{"BeginDate":"2016-11-01T14:10:00.000-04:00","LmpTotal":NaN}]}', "not JSON"),
        ('{"FiveMinLmp":[{"BeginDate":"2016-11-01T14:10:00.000-04:00","LmpTotal":true}]}', "holds bool"),
        ('{"FiveMinLmp":[{"BeginDate":"2016-11-01T14:10:00.000-04:00","LmpTotal":1},7]}', "not records"),
        ('[{"BeginDate":"2016-11-01","LmpTotal":1},{"BeginDate":"2016-11-01"}]', "fields differ: LmpTotal"),
        ("[" * 100000, "not JSON"),
        ("082520201           1473813943", "damaged line"),
        ("132520201           " + "14738" * 12, "is not a valid date"),
        ("\x00\x01\x02", "not text"),
    ],
)
def test_unusable_tables(write: Write, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        survey(write(text))


def test_a_cut_table_is_marked(write: Write) -> None:
    text = (HAND / "two_columns.csv").read_text()
    assert read_series(write(text)).warnings == ()
    assert read_series(write(text[:-3])).warnings == ("the last line has no line end; is it whole?",)


def test_eei_days_need_both_lines(write: Write) -> None:
    text = "082520201           " + "14738" * 12 + "\n"
    series = read_series(write(text), quantity="load")
    assert series.warnings == ("2020-08-25 has only one of its two lines",)
    assert series.missing == 12


def test_eei_daylight_saving_days(write: Write) -> None:
    loads = "10000" * 12
    spring = f"030820201           {'10000' * 2}    0{'10000' * 9}\n030820202           {loads}\n"
    series = read_series(write(spring), quantity="load")
    assert (len(series), series.missing) == (23, 0)
    assert series.warnings == ("hour ending 3 of 2020-03-08 does not exist; the row was left out",)
    autumn = f"110120201           {loads}\n110120202           {loads}\n"
    series = read_series(write(autumn), quantity="load")
    assert (len(series), series.missing) == (25, 0)
    assert series.derived == ("hour ending 2 of 2020-11-01 stands for both passes of 01:00-02:00",)


def test_gridstatus_short_and_market_columns(write: Write) -> None:
    text = (HAND / "gridstatus_lmp.csv").read_text()
    path = write(text.replace("REAL_TIME_5_MIN", "DAY_AHEAD_HOURLY"))
    assert read_series(path, location="HUB").market == "day_ahead"
    with pytest.raises(InputError, match="unknown market 'real_time'"):
        read_series(path, location="HUB", market="real_time")


def test_semicolons_and_byte_order_mark(write: Write) -> None:
    text = (HAND / "two_columns.csv").read_text().replace(",", ";")
    assert read_series(write(b"\xef\xbb\xbf" + text.encode())).values.mean() == 31.75
    assert read_series(write(b"\xef\xbb\xbf" + DAY_AHEAD.encode()), location="NEMA").missing == 0


def test_files_without_the_location_are_named(write: Write) -> None:
    other = write(
        FIVE.replace(",4008,", ",4007,").replace('"72 lines"', '"70 lines"'), "lmp_5min_20240310_04-08.csv"
    )
    series = read_series([write(FIVE, "lmp_5min_20240310_00-04.csv"), other], location="NEMA")
    assert [text.split(": ", 1)[1] for text in series.warnings] == [
        "the trailer says 70 lines but the file has 72",
        "no rows of the location",
    ]
