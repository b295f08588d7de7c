"""What a message asks a user to download in place of a file that cannot be used."""

from __future__ import annotations

import pytest

from dlmp_cosim.market.isone.downloads import download_hint

REPORTS = "https://www.iso-ne.com/static-transform/csv/histRpts"
LOAD = "https://www.iso-ne.com/transform/csv/fiveminutesystemload"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (
            "lmp_5min_20240310_00-04.csv",
            f"{REPORTS}/5min-rt-final/lmp_5min_20240310_00-04.csv and its five siblings",
        ),
        ("WW_DALMP_ISO_20260317.csv", f"{REPORTS}/da-lmp/WW_DALMP_ISO_20260317.csv"),
        ("my day_ahead 19991231.csv", f"{REPORTS}/da-lmp/WW_DALMP_ISO_19991231.csv"),
        ("lmp_rt_prelim_20241103.csv", f"{REPORTS}/rt-lmp/lmp_rt_prelim_20241103.csv"),
        ("LMP_RT_final_20241103.csv", f"{REPORTS}/rt-lmp/lmp_rt_final_20241103.csv"),
        ("rt_hourlysysload_20260720.csv", f"{LOAD}?start=20260720&end=20260720"),
        ("2020_smd_hourly.xlsx", "2020_smd_hourly.xlsx (change the year)"),
        ("lmp.csv", f"{REPORTS}/rt-lmp/lmp_rt_final_YYYYMMDD.csv"),
    ],
)
def test_the_report_and_the_day_are_those_of_the_name(name: str, address: str) -> None:
    hint = download_hint(name)
    assert hint.startswith("a data file, downloaded in a browser from https://www.iso-ne.com/")
    assert hint.endswith(address)


@pytest.mark.parametrize(
    ("quantity", "address"),
    [
        (None, f"{REPORTS}/rt-lmp/lmp_rt_final_20200825.csv"),
        ("lmp", f"{REPORTS}/rt-lmp/lmp_rt_final_20200825.csv"),
        ("load", f"{LOAD}?start=20200825&end=20200825"),
    ],
)
def test_a_name_that_does_not_tell_is_told_by_what_is_asked(quantity: str | None, address: str) -> None:
    assert download_hint("x_20200825.csv", quantity).endswith(address)


def test_what_a_name_says_counts_more_than_what_is_asked() -> None:
    assert "lmp_rt_final" in download_hint("lmp.csv", "load")


@pytest.mark.parametrize("name", ["a_12345678.csv", "a_2020.csv", "a_18991231.csv"])
def test_digits_that_are_no_day_are_not_taken_for_one(name: str) -> None:
    assert "YYYYMMDD" in download_hint(name)
