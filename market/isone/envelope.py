"""ISO Express report files: lines of comments (C), headers (H), data (D) and one trailer (T)."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import HOUR, parse_date
from dlmp_cosim.market.isone.columns import find_roles
from dlmp_cosim.market.isone.places import SYSTEM, Place
from dlmp_cosim.market.isone.table import Origin, Table, decode

_DATA = (b'"D",', b"D,")
_REPORT_DAYS = re.compile(r"report for:\s*([\d/]+)(?:\s*-\s*([\d/]+))?", re.IGNORECASE | re.ASCII)
_TRAILER = re.compile(r"(\d+) lines?", re.ASCII)
_DATE_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d{2})(\d{2})(\d{2})(?!\d)", re.ASCII)


@dataclass
class _Report:
    """What has been read so far."""

    origin: Origin
    comments: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    seen: int = 0
    trailer: str | None = None
    warnings: list[str] = field(default_factory=list)

    def fail(self, what: str, line: int, expected: str) -> InputError:
        return InputError(what, where=f"{self.origin.source}:{line}", expected=expected)


def read_envelope(lines: Iterable[bytes], origin: Origin, place: Place | None = None) -> Table:
    """Read a report line by line, keeping the rows of one `place` when it is given.

    Rows that are left out still count for the trailer and must have all their cells. A spreadsheet may have
    saved the file again: quotes gone, lines padded with commas.

    Parameters
    ----------
    lines : iterable of bytes
        Lines of the report.
    origin : Origin
        Where they are from.
    place : Place, optional
        Location whose rows are kept; all rows by default.

    Raises
    ------
    InputError
        When a line is damaged or the parts are out of order.
    """
    report = _Report(origin)
    cells = 0
    wanted: Callable[[bytes], bool] | None = None
    for number, line in enumerate(lines, 1):
        if line.startswith(_DATA):
            report.seen += 1
            if not cells:
                cells, wanted = _begin_data(report, number, place)
            if wanted is not None and not wanted(line) and line.count(b",") == cells:
                continue
            _add_row(report, line, number)
        elif line.removeprefix(codecs.BOM_UTF8).strip():
            _add_other(report, line, number)
    return _table(report)


def _begin_data(
    report: _Report, number: int, place: Place | None
) -> tuple[int, Callable[[bytes], bool] | None]:
    """Return the number of commas of a whole row and a quick test for rows that may be of `place`."""
    if not report.header:
        raise report.fail("data before the header", number, "two H lines before the first D line")
    roles = find_roles(report.header)
    if place is None or (roles.id is None and roles.name is None):
        return len(report.header), None
    texts = (place.id,) if place.id and roles.id is not None else (place.id, place.name, *place.aliases)
    needles = [text.encode() for text in texts if text]
    if len(needles) == 1:
        return len(report.header), _contains(needles[0])
    pattern = re.compile(b"|".join(re.escape(needle) for needle in needles))
    return len(report.header), lambda line: pattern.search(line) is not None


def _contains(needle: bytes) -> Callable[[bytes], bool]:
    return lambda line: needle in line


def _cells(report: _Report, line: bytes, number: int) -> list[str]:
    text = decode(line, report.origin) if number == 1 else _plain_text(report, line, number)
    try:
        row = next(csv.reader([text.rstrip("\r\n")], strict=True), [])
    except csv.Error as error:
        raise report.fail(f"damaged line: {error}", number, "quoted or plain cells and commas") from error
    return [cell.strip() for cell in row]


def _plain_text(report: _Report, line: bytes, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise report.fail("not text", number, "UTF-8 text") from error


def _add_row(report: _Report, line: bytes, number: int) -> None:
    if report.trailer is not None:
        raise report.fail("data after the trailer", number, "one report in a file")
    row = _cells(report, line, number)[1:]
    width = len(report.header)
    if len(row) < width or any(row[width:]):
        raise report.fail(f"the row has {len(row)} cells", number, f"{width}, as the header")
    report.rows.append(row[:width])
    report.lines.append(number)


def _add_other(report: _Report, line: bytes, number: int) -> None:
    kind, *cells = _cells(report, line, number)
    text = ",".join(cells).rstrip(",").strip()
    if kind == "C" and not report.seen and report.trailer is None:
        report.comments.append(text)
    elif kind == "H" and not report.seen and not report.types:
        _add_header(report, cells)
    elif kind == "T" and report.trailer is None:
        report.trailer = text
    else:
        raise report.fail(
            f"unexpected line beginning {kind[:20]!r}", number, "lines C, then two H, then D, then one T"
        )


def _add_header(report: _Report, cells: list[str]) -> None:
    while cells and not cells[-1]:
        cells.pop()
    if report.header:
        report.types = cells or ["?"]
    else:
        report.header = cells


def _table(report: _Report) -> Table:
    origin = report.origin
    title = report.comments[0] if report.comments else ""
    hints = " ".join(text for text in report.comments if not text.lower().startswith("report "))
    _check_trailer(report)
    day = _report_day(report)
    if not report.header:
        raise report.fail("no header", 1, "H lines with the column names")
    if not report.seen:
        report.warnings.append("the report has no data rows")
    lower = title.lower()
    return Table(
        origin.source,
        f"ISO Express report: {title}" if title else "ISO Express report",
        tuple(report.header),
        report.rows,
        report.lines,
        hints=hints.lower(),
        source_hints=origin.hints,
        step_s=300 if "five-minute" in lower else HOUR if "hourly" in lower else 0,
        day=day,
        place=SYSTEM.id if "system load" in lower else "",
        warnings=tuple(report.warnings),
        seen=report.seen,
    )


def _check_trailer(report: _Report) -> None:
    if report.trailer is None:
        report.warnings.append(f"no trailer line after {report.seen} rows; the file may be cut")
        return
    match = _TRAILER.fullmatch(report.trailer.lower())
    if not match:
        report.warnings.append(f"damaged trailer {report.trailer[:40]!r} after {report.seen} rows")
    elif int(match[1]) != report.seen:
        report.warnings.append(f"the trailer says {match[1]} lines but the file has {report.seen}")


def _report_day(report: _Report) -> date | None:
    """Return the one day of the report, from its comments, else from its name; None for a range of days."""
    named: dict[date, None] = {}
    for text in (*report.comments, report.origin.name):
        days = dict.fromkeys(_days_in_name(text))
        if len(days) > 1:
            return None
        named |= days
    stated = dict.fromkeys(_days_in_comments(report.comments))
    if len(stated) > 1:
        return None
    found = list(stated | named)
    if len(found) > 1:
        shown = ", ".join(str(day) for day in found)
        report.warnings.append(f"comments and file name state different days: {shown}")
    return found[0] if found else None


def _days_in_comments(comments: Iterable[str]) -> Iterator[date]:
    for text in comments:
        match = _REPORT_DAYS.search(text)
        days = [parse_date(part) for part in match.groups() if part] if match else []
        yield from (day for day in days if day is not None)


def _days_in_name(text: str) -> Iterator[date]:
    if "/" in text or "generated" in text.lower():
        return
    for year, month, day in _DATE_IN_NAME.findall(text):
        parsed = parse_date(f"{year}-{month}-{day}")
        if parsed is not None:
            yield parsed
