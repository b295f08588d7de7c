"""Who is named of those that come to a broker while members join."""

from __future__ import annotations

from typing import Any

import pytest
from helics.capi import ffi

from dlmp_cosim.federates.runtime import door
from dlmp_cosim.federates.runtime.door import Door


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(door.h, "helicsBrokerSetLoggingCallback", lambda *_: None)
    return Door(None, ["feeder", "market"])


def hear(listening: Door, *lines: str) -> None:
    """Say lines as HELICS 3.6.1 does."""
    for line in lines:
        text: Any = ffi.new("char[]", line.encode())
        listening._callback(24, text, text, ffi.NULL)


COME_IN = (
    "|| priority_cmd:reg_broker:feeder_12_0123abcd from -2010000000",
    "registering broker feeder_12_0123abcd(1879048192) on route 1",
    "|| priority_cmd:reg_fed:feeder from 1879048192",
    "registering federate feeder(131072) on route 1",
)


def test_members_are_no_strangers(listening: Door) -> None:
    hear(listening, *COME_IN)
    assert listening.stranger(broken=True) is None


def test_one_who_joins_unexpected_is_named_at_once(listening: Door) -> None:
    hear(listening, *COME_IN, "registering federate spy on the wall(131073) on route 2")
    found = listening.stranger(broken=False)
    assert found is not None
    assert found.name == "spy on the wall"
    assert "the members of this run are feeder, market" in found.message


def test_one_who_was_refused_is_named_when_the_federation_broke(listening: Door) -> None:
    hear(listening, *COME_IN, "|| priority_cmd:reg_broker:spy_core_qn7uTm from -2010000000")
    assert listening.stranger(broken=False) is None, "it may still be let in"
    found = listening.stranger(broken=True)
    assert found is not None
    assert found.name == "spy"
    assert "core spy_core_qn7uTm" in found.message


def test_a_member_that_was_refused_tells_its_own_fault(listening: Door) -> None:
    hear(listening, "|| priority_cmd:reg_broker:market_77_0123abcd from -2010000000")
    assert listening.stranger(broken=True) is None
