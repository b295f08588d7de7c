"""Open a file, tell its format from its content, and hand its rows on as tables."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, TypeGuard, cast

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.downloads import download_hint
from dlmp_cosim.market.isone.envelope import read_envelope
from dlmp_cosim.market.isone.flat_files import read_delimited, read_eei
from dlmp_cosim.market.isone.json_bodies import read_json
from dlmp_cosim.market.isone.places import Place
from dlmp_cosim.market.isone.series import Quantity
from dlmp_cosim.market.isone.table import Origin, Table
from dlmp_cosim.market.isone.workbook import read_workbook

if TYPE_CHECKING:
    # Files need no pandas, and every federate that reads them would wait for it.
    import pandas as pd

Source: TypeAlias = "str | Path | pd.DataFrame"

_HEAD = 4096
_ENVELOPE = re.compile(rb'"?[CHDT]"?,')
_EEI = re.compile(rb"\d{8}[12] {4}")


def read_tables(
    source: Source, *, place: Place | None = None, quantity: Quantity | None = None
) -> list[Table]:
    """Return the tables of a file or DataFrame; a workbook has one per sheet.

    Parameters
    ----------
    source : path or pandas.DataFrame
        What to read.
    place : Place, optional
        Location to keep where the format allows to leave the others out while reading.
    quantity : {"lmp", "load"}, optional
        What a nameless second column holds, and what an empty answer was meant to hold.

    Raises
    ------
    InputError
        When the source cannot be opened, is empty, is a web page, or is none of the formats.
    """
    if not isinstance(source, (str, Path)):
        return [_frame_table(source, quantity)]
    path = Path(source)
    origin = Origin(str(source), path.name, path.parent.name)
    with _open(path) as file:
        return list(_tables(file, origin, place, quantity))


def is_frame(source: object) -> TypeGuard[pd.DataFrame]:
    """Tell a DataFrame; whoever made one has imported pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame)


def _tables(
    file: BinaryIO, origin: Origin, place: Place | None, quantity: Quantity | None
) -> Iterator[Table]:
    head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    _reject_answers(head, origin, quantity)
    if head.startswith(b"PK\x03\x04"):
        yield from read_workbook(file, origin, place)
    elif head[:1] in (b"{", b"["):
        yield read_json(file.read(), origin)
    elif _ENVELOPE.match(head):
        yield read_envelope(file, origin, place)
    elif _EEI.match(head):
        yield read_eei(file.read(), origin)
    else:
        yield read_delimited(file.read(), origin, quantity)


def _reject_answers(head: bytes, origin: Origin, quantity: Quantity | None) -> None:
    lower = head[:400].lower()
    if not head.strip():
        problem = "the file is empty"
    elif b"no data exists for this period" in lower:
        problem = "ISO New England answered 'No data exists for this period.'"
    elif lower.startswith(b"<"):
        problem = "the file is a web page or XML, not a data file"
    elif b"\x00" in head and not head.startswith(b"PK"):
        problem = "the file is not text"
    else:
        return
    raise InputError(problem, where=origin.source, expected=download_hint(origin.name, quantity))


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {reason}", where=str(path), expected="a readable file") from error


def _frame_table(frame: pd.DataFrame, quantity: Quantity | None) -> Table:
    """Write a DataFrame as csv text and read that: one path for both."""
    import pandas as pd

    named = frame.index.name is not None or isinstance(frame.index, pd.DatetimeIndex)
    index_label = frame.index.name or "Interval Start"
    text = io.StringIO()
    frame.to_csv(text, index=named, index_label=str(index_label) if named else None)
    if frame.empty:
        raise InputError("the DataFrame is empty", where="DataFrame", expected=download_hint("", quantity))
    return read_delimited(text.getvalue().encode(), Origin("DataFrame", "", ""), quantity)


def as_sources(sources: Source | Iterable[Source]) -> tuple[Source, ...]:
    """Return one source or many as a tuple.

    Raises
    ------
    InputError
        When there is none, or one is neither a path nor a DataFrame.
    """
    single = _is_source(sources) or not hasattr(sources, "__iter__")
    many = (cast("Source", sources),) if single else tuple(cast("Iterable[Source]", sources))
    if not many:
        raise InputError("no file given", where="files", expected="one file or more")
    for source in many:
        if not _is_source(source):
            raise InputError(f"{source!r} is no file", where="files", expected="a path or a DataFrame")
    return many


def _is_source(source: object) -> bool:
    return isinstance(source, (str, Path)) or is_frame(source)
