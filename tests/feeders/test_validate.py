from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Network, Profile, Resource, Terminal, VoltagePoint, wye
from dlmp_cosim.feeders.validate import check_network
from tests import circuits


def changed(network: Network, field: str, name: str, /, **values: Any) -> Network:
    """The network with one named item of one of its tuples changed."""
    items = [replace(item, **values) if item.name == name else item for item in getattr(network, field)]
    assert tuple(items) != getattr(network, field)
    return replace(network, **{field: tuple(items)})


def added(network: Network, **values: Any) -> Network:
    """The network with one resource, sound but for some values."""
    sound = Resource("gen", "generator", "far", wye((1, 2, 3)), 90.0, 100.0)
    return replace(network, resources=(replace(sound, **values),))


def flexible(network: Network, **values: Any) -> Network:
    return added(network, kind="flexible_load", **{"load": "z", "bus": "pair", "legs": wye((1,)), **values})


ONE = ((1.0,),)
LOPSIDED = tuple(tuple(float(j > i) for j in range(4)) for i in range(4))
NAN = ((math.nan,) * 4,) * 4

FAULTS: dict[str, tuple[Callable[[Network], Network], tuple[str, ...]]] = {
    "no bus": (lambda n: replace(n, buses=()), ("mixed", "has no bus")),
    "no source": (lambda n: replace(n, sources=()), ("has no source",)),
    "no name": (lambda n: replace(n, name=" "), ("network ' '", "is not a name")),
    "line break": (lambda n: changed(n, "loads", "pq", name="p\nq"), ("is not a name",)),
    "twice": (lambda n: changed(n, "buses", "far", name="MID"), ("bus 'MID'", "appears twice")),
    "unsorted": (lambda n: changed(n, "buses", "mid", phases=(2, 1, 3)), ("bus mid phases", "ascending")),
    "ground": (lambda n: changed(n, "buses", "mid", phases=(0, 1, 2, 3)), ("bus mid phases",)),
    "empty": (lambda n: changed(n, "buses", "mid", phases=()), ("bus mid phases",)),
    "base": (lambda n: changed(n, "buses", "mid", kv_base=0.0), ("bus mid kv_base", "positive")),
    "source bus": (
        lambda n: changed(n, "sources", "vsource.source", terminal=Terminal("scr", (1, 2, 3))),
        ("source vsource.source bus", "unknown bus 'scr'", "did you mean 'src'?"),
    ),
    "source voltage": (
        lambda n: changed(n, "sources", "vsource.source", voltage_real_v=(1.0, math.inf, 0.0)),
        ("voltage_real_v", "finite"),
    ),
    "source length": (
        lambda n: changed(n, "sources", "vsource.source", voltage_imag_v=(1.0,)),
        ("voltage_imag_v", "has 1 values", "expected 3"),
    ),
    "element bus": (
        lambda n: changed(n, "elements", "line.two", terminals=(Terminal("paar", (1, 3)),) * 2),
        ("element line.two bus", "unknown bus 'paar'", "did you mean 'pair'?"),
    ),
    "element phase": (
        lambda n: changed(
            n, "elements", "line.two", terminals=(Terminal("mid", (1, 3)), Terminal("pair", (1, 2)))
        ),
        ("element line.two phases", "bus pair has no phase 2", "(1, 3)"),
    ),
    "phase twice": (
        lambda n: changed(
            n, "elements", "line.two", terminals=(Terminal("mid", (1, 1)), Terminal("pair", (1, 3)))
        ),
        ("element line.two mid phases", "each once"),
    ),
    "no terminal": (lambda n: changed(n, "elements", "line.two", terminals=()), ("has no terminal",)),
    "small block": (
        lambda n: changed(n, "elements", "line.two", conductance_s=ONE),
        ("line.two conductance_s", "4 rows of 4"),
    ),
    "lopsided block": (
        lambda n: changed(n, "elements", "line.two", susceptance_s=LOPSIDED),
        ("susceptance_s", "is not symmetric"),
    ),
    "no numbers": (lambda n: changed(n, "elements", "line.two", susceptance_s=NAN), ("is not finite",)),
    "one rating": (
        lambda n: changed(n, "elements", "line.two", rating_a=(100.0,)),
        ("line.two rating_a", "has 1 values", "2 terminals"),
    ),
    "bad rating": (
        lambda n: changed(n, "elements", "line.two", rating_a=(100.0, math.nan)),
        ("rating_a", "is nan"),
    ),
    "load bus": (lambda n: changed(n, "loads", "pq", bus="midd"), ("load pq bus", "did you mean 'mid'?")),
    "load phase": (lambda n: changed(n, "loads", "pq", legs=((1, 4),)), ("load pq phases", "no phase 4")),
    "short leg": (lambda n: changed(n, "loads", "pq", legs=((1, 1),)), ("load pq legs", "different nodes")),
    "no leg": (lambda n: changed(n, "loads", "pq", legs=()), ("load pq legs", "at least one")),
    "demand": (lambda n: changed(n, "loads", "pq", kw=math.nan), ("load pq kw", "is nan", "finite")),
    "load voltage": (lambda n: changed(n, "loads", "pq", kv_base=-1.0), ("load pq kv_base", "positive")),
    "load model": (lambda n: changed(n, "loads", "pq", model=6), ("load pq model", "is 6", "1, 2, 3")),
    "zipv": (lambda n: changed(n, "loads", "zip", zipv=(1.0,)), ("load zip zipv", "7 for model 8")),
    "profile": (
        lambda n: replace(
            changed(n, "loads", "pq", profile="homes"), profiles=(Profile("home", (1.0,), (1.0,)),)
        ),
        ("load pq profile", "did you mean 'home'?"),
    ),
    "machine bus": (
        lambda n: changed(n, "machines", "pvsystem.roof", bus="metre"),
        ("machine pvsystem.roof bus", "did you mean 'meter'?"),
    ),
    "regulated": (
        lambda n: changed(n, "regulators", "vra", element="transformer.regga"),
        ("regulator vra element", "unknown transformer", "did you mean 'transformer.rega'?"),
    ),
    "uncontrolled": (
        lambda n: changed(n, "elements", "transformer.rega", controlled=False),
        ("regulator vra", "marked as controlled"),
    ),
    "tap": (lambda n: changed(n, "regulators", "vra", tap=17), ("regulator vra tap", "from -16 to 16")),
    "step": (lambda n: changed(n, "regulators", "vra", step_pu=0.0), ("regulator vra step_pu",)),
    "winding": (lambda n: changed(n, "regulators", "vra", winding=0), ("regulator vra winding",)),
    "no such winding": (
        lambda n: changed(n, "regulators", "vra", winding=3),
        ("regulator vra winding", "is 3", "1 to 2"),
    ),
    "switched": (
        lambda n: changed(n, "capacitor_banks", "bank", element="capacitor.fix"),
        ("capacitor bank bank element", "did you mean 'capacitor.fixed'?"),
    ),
    "steps": (
        lambda n: changed(n, "capacitor_banks", "bank", closed=3),
        ("capacitor bank bank closed", "from 0 to 2"),
    ),
    "point": (
        lambda n: replace(n, voltage_points=(VoltagePoint("pair", 1, 2, 12.47),)),
        ("voltage point pair.1-2", "no phase 2"),
    ),
    "resource bus": (lambda n: added(n, bus="fahr"), ("resource gen bus", "did you mean 'far'?")),
    "resource power": (lambda n: added(n, kw_max=0.0), ("resource gen kw_max", "positive")),
    "resource rating": (lambda n: added(n, kva_max=80.0), ("resource gen kva_max", "at least 90.0 kVA")),
    "resource load": (lambda n: added(n, load="pq"), ("resource gen load", "none for a generator")),
    "driven": (
        lambda n: added(n, element="generator.diesel"),
        ("resource gen element", "drives generator.diesel, which runs on its own as well"),
    ),
    "curtailed": (lambda n: flexible(n, load="zz"), ("resource gen load", "unknown load 'zz'")),
    "elsewhere": (lambda n: flexible(n, legs=wye((3,))), ("resource gen", "with its load, pair ((1, 0),)")),
    "island": (
        lambda n: replace(n, elements=tuple(e for e in n.elements if e.name != "line.one")),
        ("has no path to a source from single.2", "home.1"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_place(mixed: Network, fault: str) -> None:
    spoil, words = FAULTS[fault]
    with pytest.raises(InputError) as caught:
        check_network(spoil(mixed))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", circuits.SMALL)
def test_what_is_read_is_sound(name: str) -> None:
    check_network(circuits.circuit(name).network)


def test_sound_resources_pass(mixed: Network) -> None:
    check_network(added(mixed))
    check_network(flexible(mixed))
