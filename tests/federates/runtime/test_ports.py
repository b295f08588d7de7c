"""Ports: what the environment may say, and blocks that two runs never share."""

from __future__ import annotations

import itertools
import socket
from typing import ClassVar

import pytest

from dlmp_cosim.federates.runtime import ports as module
from dlmp_cosim.federates.runtime.ports import (
    BLOCK,
    DEFAULT_PORT,
    FIRST,
    LAST,
    PORT_VARIABLE,
    RESERVED_OFFSET,
    broker_port,
    check_ports,
    reserve_block,
)
from dlmp_cosim.feeders.errors import FederationError, InputError


@pytest.mark.parametrize(("text", "port"), [("", DEFAULT_PORT), ("1", 1), ("65535", 65535), ("23500", 23500)])
def test_the_environment_moves_a_run(monkeypatch: pytest.MonkeyPatch, text: str, port: int) -> None:
    monkeypatch.setenv(PORT_VARIABLE, text)
    assert broker_port() == port


@pytest.mark.parametrize("text", ["0", "65536", "-1", "23404.0", " 23404", "port", "1e4"])
def test_what_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(PORT_VARIABLE, text)
    with pytest.raises(InputError) as failure:
        broker_port()
    assert str(failure.value) == f"{PORT_VARIABLE}: {text!r} is no port; expected 1 to 65535"


def test_a_port_at_which_somebody_listens_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not module._is_free(listener.getsockname()[1])


def test_two_runs_never_share_a_block() -> None:
    (one, guard), (other, second) = reserve_block(), reserve_block()
    with guard, second:
        assert abs(one - other) >= BLOCK
        for port in (one, other):
            assert FIRST <= port < LAST
            assert (port - FIRST) % BLOCK == 0


class Guard:
    """A socket that takes its port of those in use."""

    used: ClassVar[set[int]]

    def bind(self, address: tuple[str, int]) -> None:
        if address[1] in self.used:
            raise OSError("in use")
        self.port = address[1]

    def listen(self) -> None:
        self.used.add(self.port)

    def close(self) -> None:
        self.used.discard(getattr(self, "port", -1))


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that are in use, as a test says; turns begin at the first block."""
    Guard.used = found = set[int]()
    monkeypatch.setattr(socket, "socket", Guard)
    monkeypatch.setattr(module, "_TURNS", itertools.count())
    monkeypatch.setattr(module, "_is_free", lambda port: port not in found)
    return found


@pytest.mark.parametrize("port", [23499, 23500])
def test_a_port_in_use_is_named(used: set[int], port: int) -> None:
    """The broker's, or the one after it."""
    used.add(23500)
    with pytest.raises(FederationError) as failure:
        check_ports(port)
    assert str(failure.value) == (
        f"port 23500 is in use, maybe by another run; set {PORT_VARIABLE} to a free port"
    )
    check_ports(23501)


def test_a_block_is_taken_whole_or_not_at_all(used: set[int]) -> None:
    used |= {FIRST + BLOCK - 1, FIRST + BLOCK}
    before = set(used)
    port, _ = reserve_block()
    assert port == FIRST + 2 * BLOCK
    assert used - before == {port + RESERVED_OFFSET}, "blocks that were passed over are let go"


def test_a_block_that_another_run_holds_is_passed_over(used: set[int]) -> None:
    first, guard = reserve_block()
    module._TURNS = itertools.count()
    second, _ = reserve_block()
    guard.close()
    module._TURNS = itertools.count()
    assert (first, second, reserve_block()[0]) == (FIRST, FIRST + BLOCK, FIRST)
    assert used == {FIRST + RESERVED_OFFSET, FIRST + BLOCK + RESERVED_OFFSET}


def test_turns_go_round(monkeypatch: pytest.MonkeyPatch, used: set[int]) -> None:
    count = len(range(FIRST, LAST, BLOCK))
    monkeypatch.setattr(module, "_TURNS", itertools.count(count - 1))
    used |= set(range(LAST - BLOCK, LAST))
    assert reserve_block()[0] == FIRST


def test_the_port_of_a_run_without_a_block_is_never_given(used: set[int]) -> None:
    home = FIRST + (DEFAULT_PORT - FIRST) // BLOCK * BLOCK
    used |= set(range(FIRST, home)) | set(range(home + BLOCK, LAST))
    with pytest.raises(FederationError) as failure:
        reserve_block()
    assert str(failure.value) == f"no free ports between {FIRST} and {LAST}"


def test_a_guard_listens_where_helics_does_not() -> None:
    port, guard = reserve_block()
    with guard:
        assert guard.getsockname() == ("127.0.0.1", port + RESERVED_OFFSET)
