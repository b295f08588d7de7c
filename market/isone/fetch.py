"""Download days through gridstatus, an optional package, into files that the reader takes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.market.isone.clock import YEARS
from dlmp_cosim.market.isone.downloads import download_hint
from dlmp_cosim.market.isone.places import Place, find_place

if TYPE_CHECKING:
    import pandas as pd

PRODUCTS = {
    "real_time_5_min": "get_lmp_real_time_5_min",
    "real_time_hourly": "get_lmp_real_time_hourly",
    "day_ahead_hourly": "get_lmp_day_ahead_hourly",
    "load": "get_load",
}
"""What can be fetched, and the method of gridstatus that does it."""

_FAILURES: tuple[type[Exception], ...] = (OSError, ValueError, LookupError, RuntimeError, TypeError)


class Download(Protocol):
    """A method of ``gridstatus.ISONE`` that returns one day as a table."""

    def __call__(self, date: str) -> pd.DataFrame:
        """Return the rows of an Eastern day, ``YYYY-MM-DD``."""


def fetch_day(
    day: date, folder: Path, *, location: str, products: Sequence[str] = ("real_time_5_min", "load")
) -> tuple[Path, ...]:
    """Download one day and write one csv file per product, prices of one location only.

    gridstatus reads preliminary five-minute prices, and reports native load (without storage charging).

    Parameters
    ----------
    day : datetime.date
        Eastern day.
    folder : pathlib.Path
        Where to write; made when it does not exist.
    location : str
        Number, name or short name of the location whose prices are kept.
    products : sequence of str
        Of ``real_time_5_min``, ``real_time_hourly``, ``day_ahead_hourly``, ``load``.

    Returns
    -------
    tuple of pathlib.Path
        The files written, in the order of `products`.

    Raises
    ------
    InputError
        When the `fetch` extra is not installed, the download fails or the location is not in it.
    """
    if day.year not in YEARS:
        raise InputError(f"no data for the year {day.year}", where="day", expected="a year from 1990 on")
    for product in products:
        if product not in PRODUCTS:
            raise unknown_name("product", product, PRODUCTS, where="products")
    place = find_place(location, "lmp")
    client, failures = _client()
    return tuple(_fetch(client, failures, product, day, place, folder) for product in products)


def _client() -> tuple[object, tuple[type[Exception], ...]]:
    """Return gridstatus' reader of ISO New England and what it may raise."""
    try:
        module, base = (importlib.import_module(name) for name in ("gridstatus", "gridstatus.base"))
    except ImportError as error:
        raise InputError(
            "downloading needs the package gridstatus",
            where="fetch",
            expected='pip install "dlmp-cosim[fetch]", or a file downloaded by hand',
        ) from error
    return module.ISONE(), (*_FAILURES, base.NoDataFoundException)


def _fetch(
    client: object,
    failures: tuple[type[Exception], ...],
    product: str,
    day: date,
    place: Place,
    folder: Path,
) -> Path:
    quantity = "load" if product == "load" else "lmp"
    name = f"{quantity}_{product}_{day:%Y%m%d}.csv" if quantity == "lmp" else f"load_native_{day:%Y%m%d}.csv"
    download = cast(Download, getattr(client, PRODUCTS[product]))
    try:
        table = download(date=day.isoformat())
    except failures as error:
        raise InputError(
            f"gridstatus could not download {product} of {day}: {str(error) or type(error).__name__}",
            where="fetch",
            expected=download_hint(name, quantity),
        ) from error
    if quantity == "lmp":
        table = _at_place(table, place)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    table.to_csv(path, index=False, lineterminator="\n")
    return path


def _at_place(table: pd.DataFrame, place: Place) -> pd.DataFrame:
    if "Location" not in table:
        columns = ", ".join(str(name) for name in table.columns)
        raise InputError(
            f"no column 'Location' in {columns}", where="gridstatus", expected="a table of prices"
        )
    names = table["Location"].astype(str)
    kept = table[[find_place(name, "lmp").key == place.key for name in names]]
    if kept.empty:
        raise unknown_name("location", place.label, sorted(set(names)), where="gridstatus")
    return kept
