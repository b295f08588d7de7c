"""The commands that say what a file is and download a day."""

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dlmp_cosim.runners.prices.isone import isone_command, isone_fetch_command

DATA = Path(__file__).parents[3] / "configs" / "ieee123_day" / "data"
HAND = Path(__file__).parents[2] / "cases" / "isone" / "hand_made"
SMD = DATA / "smd_hourly_NEMA_20200824-20200826.csv"
PNG = b"\x89PNG\r\n\x1a\n"


def run(command: click.Command, *arguments: object, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "250"}).invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_the_embedded_day_is_described() -> None:
    text = run(
        isone_command, SMD, DATA / "2020_eei_loads_excerpt_20200823-20200829.txt", "--day", "2020-08-25"
    )
    for expected in (
        "SMD hourly sheet",
        "EEI fixed width",
        "27.44",
        "94.99",
        "21,784.00",
        "60 min",
        "complete",
    ):
        assert expected in text
    assert "2020-08-25 00:00-04:00" in text


def test_notes_gaps_and_counts_are_listed() -> None:
    folders = ("5min-rt-final", "5min-rt-prelim")
    text = run(isone_command, *(HAND / folder / "lmp_5min_20241103_00-04.csv" for folder in folders))
    assert (
        "gap in lmp .H.INTERNAL_HUB real_time_final: 2024-11-03 04:00-05:00 to 2024-11-04 00:00-05:00" in text
    )
    assert "derived: both passes of 01:00-02:00 on 2024-11-03 told apart by the order of rows" in text
    assert "240 missing in 1 gaps" in text
    assert "30 preliminary replaced" in text


def test_locations_that_are_not_shown_are_counted(tmp_path: Path) -> None:
    text = run(isone_command, HAND / "WW_DALMP_ISO_20260317.csv", "--location", "NEMA")
    assert "2 more locations; name one with --location" in text
    damaged = tmp_path / "damaged.csv"
    damaged.write_text((HAND / "WW_DALMP_ISO_20260317.csv").read_text().replace("72 lines", "70 lines"))
    assert "warning: the trailer says 70 lines but the file has 72" in run(isone_command, damaged)


def test_pictures(tmp_path: Path) -> None:
    copy = tmp_path / SMD.name
    copy.write_bytes(SMD.read_bytes())
    run(isone_command, copy, "--plot")
    picture = copy.with_suffix(".png")
    assert picture.read_bytes()[:8] == PNG
    other = tmp_path / "other.png"
    run(isone_command, copy, "--output", other)
    assert other.read_bytes() == picture.read_bytes()
    assert "cannot be written" in run(isone_command, copy, "--output", tmp_path / "no" / "p.png", code=1)


def test_plot_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert 'pip install "dlmp-cosim[report]"' in run(isone_command, SMD, "--plot", code=1)


def test_errors_are_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "lmp_5min_20200825_00-04.csv"
    empty.write_text("No data exists for this period.")
    text = run(isone_command, empty, code=1)
    assert text.startswith("Error: ")
    assert "5min-rt-final/lmp_5min_20200825_00-04.csv" in text
    assert "no rows of location" in run(
        isone_command, HAND / "WW_DALMP_ISO_20260317.csv", "--location", "MAINE", code=1
    )


def test_fetch_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gridstatus", None)
    text = run(isone_fetch_command, "2020-08-25", "--location", "NEMA", "--folder", tmp_path, code=1)
    assert 'pip install "dlmp-cosim[fetch]"' in text


def test_fetch_writes_and_describes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(day: object, folder: Path, *, location: str, products: tuple[str, ...]) -> tuple[Path, ...]:
        assert (str(day), location, products) == ("2020-08-25", "NEMA", ("load",))
        file = folder / "load.csv"
        file.write_bytes((HAND / "gridstatus_load.csv").read_bytes())
        return (file,)

    monkeypatch.setattr("dlmp_cosim.runners.prices.isone.fetch_day", fake)
    arguments = ("2020-08-25", "--location", "NEMA", "--product", "load", "--folder", tmp_path)
    text = run(isone_fetch_command, *arguments)
    assert "gridstatus table" in text
    assert "written: " in text
