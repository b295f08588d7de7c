"""Load shapes: which one a load follows, how long its steps are, which cannot be factors."""

from __future__ import annotations

import pytest

from dlmp_cosim.feeders.network import Load
from dlmp_cosim.feeders.opendss.case import Finding, LoadShape
from dlmp_cosim.feeders.opendss.connected import read_loads
from dlmp_cosim.feeders.opendss.shapes import read_shapes
from tests.feeders.opendss.small import Compiled

DAY = "new loadshape.day npts=2 interval=12 mult=[0.4 1.0]"
YEAR = "new loadshape.year npts=3 interval=1 mult=[0.5 0.6 0.7]"
DUTY = "new loadshape.duty npts=2 sinterval=4 mult=[0.9 1.1]"
SHAPES = (DAY, YEAR, DUTY)

Found = tuple[dict[str, LoadShape], dict[str, str], list[Finding]]


def found(shapes: tuple[str, ...], *follows: str) -> Found:
    """What is read where the k-th load follows what it is told to."""
    loads = [f"new load.l{k} bus1=b kv=4.16 kw=10 {words}" for k, words in enumerate(follows)]
    compiled = Compiled(*shapes, *loads)
    listed = [load for load in read_loads(compiled.circuit) if isinstance(load, Load)]
    return read_shapes(compiled.circuit, listed)


@pytest.mark.parametrize(
    ("follows", "name"),
    [
        ("daily=day", "day"),
        ("yearly=year", "year"),
        ("duty=duty", "duty"),
        ("daily=day yearly=year duty=duty", "day"),
        ("yearly=year duty=duty", "year"),
        ("daily=DAY", "day"),
    ],
)
def test_a_load_follows_its_day_else_its_year_else_its_duty(follows: str, name: str) -> None:
    shapes, of_load, findings = found(SHAPES, follows)
    assert (list(shapes), of_load, findings) == ([name], {"l0": name}, [])


def test_a_load_without_a_shape_follows_none() -> None:
    assert found(SHAPES, "") == ({}, {}, [])


def test_a_shape_of_two_loads_is_read_once() -> None:
    shapes, of_load, _ = found(SHAPES, "daily=day", "", "daily=day")
    assert shapes == {"day": LoadShape(12.0, (0.4, 1.0), (0.4, 1.0))}
    assert of_load == {"l0": "day", "l2": "day"}


@pytest.mark.parametrize(
    ("text", "step_h"),
    [("interval=0.25", 0.25), ("sinterval=60", 1 / 60), ("minterval=5", 1 / 12), ("", 1.0)],
)
def test_steps_are_told_in_hours_minutes_or_seconds(text: str, step_h: float) -> None:
    shapes, _, _ = found((f"new loadshape.x npts=2 {text} mult=[1 2]",), "daily=x")
    assert shapes["x"].step_h == pytest.approx(step_h, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "real", "reactive"),
    [
        pytest.param("mult=[1 2] qmult=[0.3 0.4]", (1.0, 2.0), (0.3, 0.4), id="both"),
        pytest.param("mult=[1 2]", (1.0, 2.0), (1.0, 2.0), id="reactive demand follows real"),
        pytest.param("mult=[-1 0]", (-1.0, 0.0), (-1.0, 0.0), id="a load that gives"),
    ],
)
def test_factors_are_the_files_own(text: str, real: tuple[float, ...], reactive: tuple[float, ...]) -> None:
    shapes, _, _ = found((f"new loadshape.x npts=2 interval=1 {text}",), "daily=x")
    assert (shapes["x"].real, shapes["x"].reactive) == (real, reactive)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("interval=1 mult=[40 50] useactual=yes", "holds actual power, not factors"),
        ("interval=0 hour=[0 5] mult=[1 2]", "has steps of unequal length"),
    ],
)
def test_what_is_no_factor_at_equal_steps_is_named_once(text: str, reason: str) -> None:
    shapes, of_load, findings = found((f"new loadshape.x npts=2 {text}", DAY), *["daily=x"] * 2, "daily=day")
    said = f"{reason}: loads keep their listed demand"
    assert findings == [Finding("loadshape.x", "ignored", said)]
    assert (list(shapes), of_load) == (["day"], {"l2": "day"})
