"""Bodies of the ISO New England web services, in every wrapping they come in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import HOUR
from dlmp_cosim.market.isone.downloads import download_hint
from dlmp_cosim.market.isone.places import SYSTEM
from dlmp_cosim.market.isone.table import Origin, Table, decode

STAMPS = ("BeginDate", "interval_begin_date")
_DEPTH = 6


def read_json(data: bytes, origin: Origin) -> Table:
    """Read a web-service body: records with a begin date under any number of names; one or a list.

    Parameters
    ----------
    data : bytes
        The whole body.
    origin : Origin
        Where it is from.

    Raises
    ------
    InputError
        When it is not JSON, holds no records, or its records differ in their fields.
    """
    try:
        body = json.loads(decode(data, origin), parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"not JSON: {error}", where=origin.source, expected="a whole web-service body"
        ) from error
    path, records = _find_records(body, origin)
    rows = [_flat(record, origin, at) for at, record in enumerate(records, 1)]
    columns = tuple(rows[0])
    for at, row in enumerate(rows, 1):
        if set(row) != set(columns):
            odd = ", ".join(sorted(set(row) ^ set(columns)))
            raise InputError(
                f"the fields differ: {odd}",
                where=f"{origin.source} record {at}",
                expected="equal fields in all records",
            )
    kind = path.lower().replace("_", "")
    return Table(
        origin.source,
        f"web-service JSON: {path or 'records'}",
        columns,
        [[row[name] for name in columns] for row in rows],
        range(1, len(rows) + 1),
        hints=_hints(kind),
        source_hints=origin.hints,
        step_s=300 if "fivemin" in kind else HOUR if "hourly" in kind else 0,
        place=SYSTEM.id if "systemload" in kind and "Location Id" not in columns else "",
        seen=len(rows),
    )


def _hints(kind: str) -> str:
    return "fivemin" if "fiveminlmp" in kind else ""


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _find_records(body: object, origin: Origin) -> tuple[str, list[Mapping[str, Any]]]:
    """Unwrap single-entry objects down to the records; return the innermost name and the records."""
    name = ""
    for _ in range(_DEPTH):
        if isinstance(body, dict) and not any(stamp in body for stamp in STAMPS) and len(body) == 1:
            name, body = next(iter(body.items()))
    records = body if isinstance(body, list) else [body]
    found: list[Mapping[str, Any]] = [
        record for record in records if isinstance(record, dict) and any(s in record for s in STAMPS)
    ]
    if not found or len(found) != len(records):
        raise InputError(
            f"{len(records) - len(found)} of {len(records)} entries are not records with a begin date",
            where=f"{origin.source} {name}".rstrip(),
            expected=f"records with {' or '.join(STAMPS)}; or {download_hint(origin.name)}",
        )
    return name, found


def _flat(record: Mapping[str, Any], origin: Origin, at: int) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in _fields(record):
        if isinstance(value, (dict, list, bool)):
            raise InputError(
                f"{name} holds {type(value).__name__}",
                where=f"{origin.source} record {at}",
                expected="a number or text",
            )
        cells[name] = "" if value is None else str(value)
    return cells


def _fields(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name == "Location" and isinstance(value, dict):
            yield "Location Id", value.get("@LocId")
            yield "Location Name", value.get("$")
        elif name == "Load":
            yield "Total Load", value
        elif name not in ("SystemLoadBtmPv", "NativeLoadBtmPv"):
            yield name, value
