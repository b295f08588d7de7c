"""What calls take is counted without changing what they do."""

from __future__ import annotations

import time

import pytest
from rich.console import Console

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.measure.calls import KINDS, Spent, counted, run, table


def test_a_counted_call_does_the_same_and_is_counted() -> None:
    spent = Spent()
    double = counted(lambda x, *, more=0: 2 * x + more, spent)
    assert [double(k, more=1) for k in range(3)] == [1, 3, 5]
    assert spent.calls == 3
    assert spent.wall > 0


def test_waiting_takes_no_processor() -> None:
    spent = Spent()
    counted(time.sleep, spent)(0.05)
    assert spent.wall >= 0.05
    assert spent.processor < spent.wall


def test_a_call_that_fails_is_counted_too() -> None:
    spent = Spent()
    with pytest.raises(ZeroDivisionError):
        counted(lambda: 1 / 0, spent)()
    assert spent.calls == 1


def test_every_kind_names_methods_that_there_are() -> None:
    for owner, methods in KINDS.values():
        assert all(callable(getattr(owner, name)) for name in methods)


def test_what_is_left_over_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"clear": Spent(4, 2.0, 1.5), "solve": Spent(), "read": Spent(10, 0.5, 0.25)}
    table(found, Spent(1, 4.0, 2.0)).print(Console())
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["clear", "4", "2.00", "1.50"] in lines
    assert ["start and all else", "0", "1.50", "0.25"] in lines
    assert not any(line[0] == "solve" for line in lines)


def test_a_federate_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'markt'.*market"):
        run(["markt", "configs/ieee123_day"])
