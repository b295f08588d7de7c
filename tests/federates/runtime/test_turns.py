"""Turns: the earliest time goes next, alone, and a failure ends every wait."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.link import FederationStopped
from dlmp_cosim.federates.runtime.turns import Turns


def play(plans: dict[str, list[float]]) -> list[tuple[float, str]]:
    """Let every member ask for its times, and note who acted when."""
    turns, seen, acting = Turns(list(plans)), [], []

    def live(name: str) -> None:
        turns.begin(name)
        for time in plans[name]:
            turns.wait(name, time)
            acting.append(name)
            assert acting == [name], "two act at once"
            seen.append((time, name))
            acting.clear()
        turns.leave(name)

    threads = [threading.Thread(target=live, args=(name,)) for name in plans]
    for thread in threads:
        thread.start()
    turns.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    return seen


times = st.lists(st.integers(1, 30), unique=True, max_size=8).map(sorted)


@given(st.lists(times, min_size=1, max_size=4))
def test_everybody_acts_in_order_of_time_and_of_the_list(plans: list[list[float]]) -> None:
    named = {f"member_{k}": plan for k, plan in enumerate(plans)}
    seen = play(named)
    assert seen == sorted((time, name) for name, plan in named.items() for time in plan)


def test_a_failure_ends_every_wait() -> None:
    turns = Turns(["one", "two"])
    turns.stop("one: broke")
    with pytest.raises(FederationStopped, match="one: broke"):
        turns.begin("two")
    with pytest.raises(FederationStopped, match="one: broke"):
        turns.wait("two", 5.0)
