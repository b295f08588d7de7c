"""Tasks and reports survive the wire to the last bit, and nothing else gets through."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.wire.packing import pack, unpack
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.parts import cut_sweeps, sweep_areas, sweep_parts
from dlmp_cosim.market.meeting.agent import Report
from dlmp_cosim.market.meeting.tasks import Answer, SweepTask, TalkTask
from dlmp_cosim.market.pac.iterations import RestartRule
from dlmp_cosim.market.pac.negotiate import Start
from dlmp_cosim.market.pac.parts import talk_parts
from dlmp_cosim.market.pac.step_sizes import local_gains
from tests.market.interior_point.chains import chain, network

PROBLEM = network(chain(7), per_bus=2)


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, whatever it is made of."""
    if isinstance(one, np.ndarray):
        return bool(
            one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        )
    if isinstance(one, sp.csr_matrix | sp.csc_matrix):
        parts = ((one.data, other.data), (one.indices, other.indices), (one.indptr, other.indptr))
        return one.format == other.format and all(np.array_equal(*pair) for pair in parts)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return bool(one == other or (one != one and other != other))


def sweep_task() -> SweepTask:
    plan = make_plan(PROBLEM)
    part = sweep_parts(PROBLEM, cut_sweeps(PROBLEM, plan, sweep_areas(plan, 3)))[1]
    return SweepTask(part, np.arange(4.0), True, 3, 1e-5, 100)


def talk_task() -> TalkTask:
    start = Start(np.zeros(len(PROBLEM.linear)), np.zeros(len(PROBLEM.row_lower)))
    parts, _ = talk_parts(PROBLEM, local_gains(PROBLEM), start, np.array([0, 0, 0, 1, 1, 2, 2]))
    return TalkTask(parts[1], 1e-5, 100, 10, RestartRule())


@pytest.mark.parametrize(
    "item",
    [
        sweep_task(),
        talk_task(),
        Report(3, 7, "accuses", 2, "sent nan"),
        Report(
            0, 1, "agreed", answer=Answer(np.array([1.0, np.inf]), np.zeros(0), np.zeros(2), (1.0, np.inf))
        ),
    ],
    ids=["sweep", "talk", "accusation", "answer"],
)
def test_what_is_packed_comes_out_the_same(item: Any) -> None:
    found = unpack(pack(item))
    assert type(found) is type(item)
    assert same(item, found)


def test_only_what_is_listed_is_sent() -> None:
    with pytest.raises(FederationError, match="set is not sent"):
        pack({1, 2})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"rubbish",
        (2).to_bytes(8, "little") + b"{]",
        (41).to_bytes(8, "little") + b'{"class":"subprocess.Popen","fields":{}} ',
        (30).to_bytes(8, "little") + b'{"array":["object",[1]],"a":0}',
        pack(Report(0, 1, "waits"))[:-3],
        pack(np.zeros(9))[:-1],
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(FederationError, match="cannot be read"):
        unpack(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["array", "tuple", "number", "class", "fields", "csr", "csc", "shape", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(json_values, st.binary(max_size=40))
def test_any_message_is_read_or_refused(told: Any, numbers: bytes) -> None:
    text = json.dumps(told).encode()
    with suppress(FederationError):
        unpack(len(text).to_bytes(8, "little") + text + numbers)


@pytest.mark.parametrize(
    "told",
    [
        '{"class":"Ties","fields":[1]}',
        '{"class":"Ties","fields":{"upp":1}}',
        '{"class":"AtomicProblem","fields":{}}',
        '{"class":["Ties"],"fields":{}}',
        '{"array":["float64",[-3]]}',
        '{"array":["float64",["a"]]}',
        '{"array":["float64",[1e300]]}',
        '{"array":5}',
        '{"csr":[1,2,3],"shape":[1,1]}',
        '{"csr":[],"shape":[-1,1]}',
        '{"shape":[1,1]}',
        '{"number":"many"}',
        '{"number":[1]}',
        "[" * 100_000,
    ],
)
def test_texts_that_describe_nothing_are_refused(told: str) -> None:
    with pytest.raises(FederationError) as caught:
        unpack(len(told).to_bytes(8, "little") + told.encode())
    assert str(caught.value).startswith("a message between market and agents cannot be read: ")
