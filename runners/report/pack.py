"""A report's numbers as one compressed text, small enough for a page: a JSON header and binary columns."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from feeders.network import FloatArray
from market.money.payment_schemes import TITLES
from runners.judge.settle import summary
from runners.report.runs import RunView, differences, positions

NOTHING = 65535
"""Code of a missing number."""
LEVELS = NOTHING - 1
CLOCK = "%Y-%m-%dT%H:%M:%S"


class Columns:
    """Collects arrays as 16-bit codes between each one's smallest and largest value, as steps along time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, values: FloatArray) -> dict[str, Any]:
        """Add an array of one or two axes; returns what is needed to read it back."""
        table = values.reshape(len(values), -1)
        finite = np.isfinite(table)
        low = float(table[finite].min()) if finite.any() else 0.0
        high = float(table[finite].max()) if finite.any() else 0.0
        step = (high - low) / LEVELS or 1.0
        codes = np.where(finite, np.rint((np.where(finite, table, low) - low) / step), NOTHING)
        steps = np.diff(codes.astype(np.uint16), axis=0, prepend=np.uint16(0))
        data = steps.T.astype("<u2").tobytes()
        entry = {
            "at": self._size,
            "rows": table.shape[0],
            "columns": table.shape[1],
            "low": low,
            "step": step,
        }
        self._parts.append(data)
        self._size += len(data)
        return entry

    def bytes(self) -> bytes:
        """All arrays, one after the other."""
        return b"".join(self._parts)


def pack(views: Sequence[RunView]) -> str:
    """Write everything that a page shows, as base64 of gzip: header length, JSON header, columns."""
    columns = Columns()
    header = {
        "runs": [_run(view, columns) for view in views],
        "differences": differences(views),
    }
    text = json.dumps(_finite(header), separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 4) % 4)
    data = len(text).to_bytes(4, "little") + text + columns.bytes()
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _run(view: RunView, columns: Columns) -> dict[str, Any]:
    market = view.scenario["market"]
    return {
        "label": view.label,
        "file": view.path.name,
        "title": TITLES[view.account.scenario],
        "missing": view.missing,
        "limits": [market["voltage_min_pu"], market["voltage_max_pu"]],
        "method": f"{market['model']}, {market['method']}",
        "hours": view.hours,
        "until": (view.times[-1] + timedelta(hours=view.hours)).strftime(CLOCK),
        "times": [time.strftime(CLOCK) for time in view.times],
        **_feeder(view),
        "verdict": dict(view.verdict),
        "broken": [dict(row, worst=None) for row in view.broken[:20]],
        "account": summary(view.account),
        "series": {name: columns.add(values) for name, values in view.series.items()},
        "nodal": {name: columns.add(values) for name, values in view.nodal.items()},
        "dispatch": columns.add(view.dispatch),
        "served": columns.add(view.served),
    }


def _feeder(view: RunView) -> dict[str, Any]:
    """Describe buses, branches, loads and resources as the page draws them."""
    network = view.network
    index = network.bus_index
    return {
        "feeder": network.name,
        "nodes": network.node_ids,
        "buses": [
            {"name": bus.name, "phases": bus.phases, "x": x, "y": y}
            for bus, (x, y) in zip(network.buses, positions(network), strict=True)
        ],
        "branches": [[index[end.bus] for end in b.terminals[:2]] for b in network.branches],
        "loads": [
            {"name": item.name, "bus": index[item.bus], "phases": item.phases} for item in network.loads
        ],
        "resources": [
            {"name": item.name, "bus": index[item.bus], "kind": item.kind, "kw_max": item.kw_max}
            for item in network.resources
        ],
    }


def _finite(value: Any) -> Any:
    """Replace numbers that JSON cannot write by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
