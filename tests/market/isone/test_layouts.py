"""A file in a layout that nobody taught the reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone import read_series
from dlmp_cosim.market.isone.layouts import LAYOUTS, nearest_layout, unknown_layout


def test_a_layout_that_is_unknown_is_said_with_those_that_are_known(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("Market export of the day\nall times are local\nhour;price;area\n1;20.5;NEMA\n")
    with pytest.raises(InputError) as refused:
        read_series(file)
    text = str(refused.value)
    assert text.startswith(
        f"{file}:1: the layout is unknown: no column holds a price or a demand; it begins "
    )
    assert "'Market export of the day'" in text
    assert all(name in text for name in LAYOUTS)
    assert "cells" not in text


def test_the_nearest_layout_is_named(tmp_path: Path) -> None:
    file = tmp_path / "smd.csv"
    file.write_text("Datum,Hr_End,DALMP,DA_EC,DA_CC,DA_MLC\n2020-08-25,01,20\n")
    with pytest.raises(InputError, match="did you mean 'SMD hourly sheet'"):
        read_series(file)


def test_a_known_layout_with_a_damaged_row_is_none_of_these() -> None:
    assert unknown_layout(["Time", "Price"], "x:1") is None
    assert unknown_layout(["Date", "Hr_End", "RT_LMP"], "x:1") is None


def test_nothing_is_near_to_nothing_like_it() -> None:
    assert nearest_layout(["Preis", "Ort"]) == ""


def test_a_long_heading_is_cut() -> None:
    error = unknown_layout(["x" * 500], "x:1")
    assert error is not None
    assert len(error.what) < 200
