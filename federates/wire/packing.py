"""Tasks and reports as bytes: a short JSON text that says what there is, then the numbers as they are.

Only the classes listed here are ever made of what arrives, so that a message cannot run anything.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.agents.neighbours import Halo, Ties
from dlmp_cosim.market.agents.parts import Part
from dlmp_cosim.market.interior_point.fronts import Fronts
from dlmp_cosim.market.interior_point.parts import Crossing, SweepPart
from dlmp_cosim.market.meeting.agent import Report
from dlmp_cosim.market.meeting.tasks import Answer, SweepTask, TalkTask
from dlmp_cosim.market.pac.iterations import RestartRule
from dlmp_cosim.market.pac.negotiate import Start
from dlmp_cosim.market.pac.parts import TalkPart
from dlmp_cosim.market.pac.step_sizes import Gains
from dlmp_cosim.market.problem.atoms import AtomicProblem

CLASSES: dict[str, type[Any]] = {
    item.__name__: item
    for item in (
        Answer, AtomicProblem, Crossing, Fronts, Gains, Halo, Part, Report, RestartRule, Start, SweepPart,
        SweepTask, TalkPart, TalkTask, Ties,
    )
}  # fmt: skip
"""What may be packed, by name."""
DTYPES = ("float64", "int64", "int32", "bool")
LENGTH = 8
"""Bytes that say how long the text is."""


def pack(item: Any) -> bytes:
    """Write an object of `CLASSES` as bytes."""
    arrays: list[bytes] = []
    text = json.dumps(_told(item, arrays), separators=(",", ":")).encode()
    return b"".join([len(text).to_bytes(LENGTH, "little"), text, *arrays])


def unpack(raw: bytes) -> Any:
    """Read what `pack` wrote.

    Raises
    ------
    FederationError
        When the bytes are nothing of the kind.
    """
    try:
        end = LENGTH + int.from_bytes(raw[:LENGTH], "little")
        return _made(json.loads(raw[LENGTH:end]), raw, [end])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, OverflowError) as error:
        raise FederationError(f"a message between market and agents cannot be read: {error}") from None


def _told(item: Any, arrays: list[bytes]) -> Any:
    if isinstance(item, np.ndarray):
        arrays.append(np.ascontiguousarray(item).tobytes())
        return {"array": [str(item.dtype), list(item.shape)]}
    if isinstance(item, sp.csr_matrix | sp.csc_matrix):
        parts = [item.data, item.indices, item.indptr]
        return {item.format: [_told(part, arrays) for part in parts], "shape": list(item.shape)}
    if isinstance(item, tuple) and not hasattr(item, "_fields"):
        return {"tuple": [_told(part, arrays) for part in item]}
    if isinstance(item, float) and not math.isfinite(item):
        return {"number": repr(item)}
    if item is None or isinstance(item, bool | int | float | str):
        return item
    name = type(item).__name__
    if CLASSES.get(name) is not type(item):
        raise FederationError(f"{name} is not sent between market and agents")
    names = [field.name for field in fields(item)] if is_dataclass(item) else item._fields
    return {"class": name, "fields": {key: _told(getattr(item, key), arrays) for key in names}}


def _made(told: Any, raw: bytes, at: list[int]) -> Any:
    if not isinstance(told, dict):
        return told
    if "array" in told:
        return _array(told["array"], raw, at)
    if "tuple" in told:
        return tuple(_made(part, raw, at) for part in told["tuple"])
    if "number" in told:
        return float(told["number"])
    if "class" in told:
        if not isinstance(told["fields"], dict):
            raise TypeError(f"fields of {told['class']} are no table")
        made = {key: _made(part, raw, at) for key, part in told["fields"].items()}
        return CLASSES[told["class"]](**made)
    kind = "csr" if "csr" in told else "csc"
    matrix = sp.csr_matrix if kind == "csr" else sp.csc_matrix
    parts = tuple(_made(part, raw, at) for part in told[kind])
    return matrix(parts, shape=tuple(told["shape"]))


def _array(told: list[Any], raw: bytes, at: list[int]) -> Any:
    name, shape = told
    if name not in DTYPES:
        raise ValueError(f"numbers of type {name!r}")
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise ValueError(f"numbers of shape {shape}")
    count = math.prod(shape)
    values = np.frombuffer(raw, np.dtype(name), count, at[0])
    at[0] += values.nbytes
    return values.reshape(shape).copy()
