"""Ports: what the environment may say, and blocks that two runs never share."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

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


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("before", [0, 1])
def test_a_port_in_use_is_named(taken: int, before: int) -> None:
    with pytest.raises(FederationError) as failure:
        check_ports(taken - before)
    assert str(failure.value) == (
        f"port {taken} is in use, maybe by another run; set {PORT_VARIABLE} to a free port"
    )


def test_two_runs_never_share_a_block() -> None:
    (one, guard), (other, second) = reserve_block(), reserve_block()
    with guard, second:
        assert abs(one - other) >= BLOCK
        for port in (one, other):
            assert FIRST <= port < LAST
            assert (port - FIRST) % BLOCK == 0


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that are in use, as a test says; turns begin at the first block."""
    used: set[int] = set()
    monkeypatch.setattr(module, "_TURNS", itertools.count())
    monkeypatch.setattr(module, "_is_free", lambda port: port not in used)
    return used


def test_a_block_is_taken_whole_or_not_at_all(free: set[int]) -> None:
    free |= {FIRST + BLOCK - 1, FIRST + BLOCK}
    port, guard = reserve_block()
    guard.close()
    assert port == FIRST + 2 * BLOCK


def test_a_block_that_another_run_holds_is_passed_over(free: set[int]) -> None:
    assert not free
    first, guard = reserve_block()
    with guard:
        module._TURNS = itertools.count()
        second, other = reserve_block()
        other.close()
    assert (first, second) == (FIRST, FIRST + BLOCK)
    assert guard.fileno() == -1


def test_turns_go_round(monkeypatch: pytest.MonkeyPatch, free: set[int]) -> None:
    count = len(range(FIRST, LAST, BLOCK))
    monkeypatch.setattr(module, "_TURNS", itertools.count(count - 1))
    free |= set(range(LAST - BLOCK, LAST))
    port, guard = reserve_block()
    guard.close()
    assert port == FIRST


def test_the_port_of_a_run_without_a_block_is_never_given(free: set[int]) -> None:
    home = FIRST + (DEFAULT_PORT - FIRST) // BLOCK * BLOCK
    free |= set(range(FIRST, home)) | set(range(home + BLOCK, LAST))
    with pytest.raises(FederationError) as failure:
        reserve_block()
    assert str(failure.value) == f"no free ports between {FIRST} and {LAST}"


def test_a_guard_listens_where_helics_does_not(free: set[int]) -> None:
    assert not free
    port, guard = reserve_block()
    with guard:
        assert guard.getsockname() == ("127.0.0.1", port + RESERVED_OFFSET)
