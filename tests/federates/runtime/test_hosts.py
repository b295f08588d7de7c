"""Options of a federation on several hosts; alone, nothing changes."""

from __future__ import annotations

import pytest

from dlmp_cosim.federates.runtime.hosts import (
    ADDRESS_VARIABLE,
    BROKER_VARIABLE,
    STALL_S,
    STALL_VARIABLE,
    far_broker,
    joining,
    listening,
    stall_limit,
)
from dlmp_cosim.feeders.errors import InputError


def test_alone_there_are_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ADDRESS_VARIABLE, BROKER_VARIABLE, STALL_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    assert (listening(), joining(), far_broker(), stall_limit()) == ("", "", "", STALL_S)


@pytest.mark.parametrize(("own", "far"), [("10.0.0.1", ""), ("10.0.0.11", "tcp://10.0.0.1")])
def test_a_host_listens_at_its_address_and_knows_whether_the_broker_is_far(
    monkeypatch: pytest.MonkeyPatch, own: str, far: str
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, own)
    monkeypatch.setenv(BROKER_VARIABLE, "tcp://10.0.0.1")
    assert listening() == f"--local_interface=tcp://{own}"
    assert joining() == f"--local_interface=tcp://{own} --broker_address=tcp://10.0.0.1"
    assert far_broker() == far


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan", "inf"])
def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(STALL_VARIABLE, text)
    with pytest.raises(InputError, match=f"'{text}' is no time"):
        stall_limit()
