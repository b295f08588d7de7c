from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from feeders.errors import InputError
from feeders.network import Network
from feeders.validate import check_network


def changed(network: Network, field: str, position: int, **values: Any) -> Network:
    """The network with one element of one of its tuples changed."""
    items = list(getattr(network, field))
    items[position] = replace(items[position], **values)
    return replace(network, **{field: tuple(items)})


ONE = ((1.0,),)
NOT_SYMMETRIC = ((1.0, 0.2, 0.0), (0.1, 1.0, 0.0), (0.0, 0.0, 1.0))
NAN = ((math.nan, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
ZERO = ((0.0,) * 3,) * 3

FAULTS: list[tuple[str, Callable[[Network], Network], tuple[str, ...]]] = [
    ("no bus", lambda n: replace(n, buses=(), branches=()), ("has no bus",)),
    ("too few branches", lambda n: replace(n, branches=n.branches[:-1]), ("one branch for every bus",)),
    ("one-phase source", lambda n: changed(n, "buses", 0, phases=(1,)), ("bus src phases", "all three")),
    ("unsorted phases", lambda n: changed(n, "buses", 2, phases=(2, 1, 3)), ("bus mid phases", "ascending")),
    ("phase 4", lambda n: changed(n, "buses", 4, phases=(4,)), ("bus lat phases", "out of 1, 2, 3")),
    ("bus without phases", lambda n: changed(n, "buses", 4, phases=()), ("bus lat phases",)),
    ("base voltage", lambda n: changed(n, "buses", 1, kv_base=0.0), ("bus reg kv_base", "positive")),
    (
        "two voltage levels",
        lambda n: changed(n, "buses", 4, kv_base=0.24),
        ("branch sw-lat", "one voltage level"),
    ),
    ("two buses of one name", lambda n: changed(n, "buses", 3, name="MID"), ("bus 'MID'", "appears twice")),
    ("name with a dot", lambda n: changed(n, "loads", 0, name="a.1"), ("load 'a.1'", "is not a name")),
    ("network without name", lambda n: replace(n, name=""), ("network ''", "is not a name")),
    (
        "branch out of order",
        lambda n: changed(n, "branches", 1, to_bus="sw"),
        ("to_bus", "mid, in bus order"),
    ),
    (
        "misspelt upstream bus",
        lambda n: changed(n, "branches", 2, from_bus="midd"),
        ("branch mid-sw from_bus", "unknown upstream bus 'midd'", "did you mean 'mid'?"),
    ),
    ("loop", lambda n: changed(n, "branches", 1, from_bus="lat"), ("unknown upstream bus 'lat'",)),
    (
        "phase missing upstream",
        lambda n: changed(changed(n, "buses", 2, phases=(1, 2)), "branches", 1, phases=(1, 2)),
        ("branch reg-mid", "has the wrong shape"),
    ),
    (
        "phases differ from the bus",
        lambda n: changed(n, "branches", 3, phases=(1,)),
        ("sw-lat phases", "(2,)"),
    ),
    (
        "matrix of the wrong size",
        lambda n: changed(n, "branches", 1, resistance_ohm=ONE),
        ("resistance_ohm", "3 rows"),
    ),
    (
        "matrix not symmetric",
        lambda n: changed(n, "branches", 1, reactance_ohm=NOT_SYMMETRIC),
        ("not symmetric",),
    ),
    (
        "matrix not finite",
        lambda n: changed(n, "branches", 1, susceptance_us=NAN),
        ("susceptance_us", "not finite"),
    ),
    (
        "line without impedance",
        lambda n: changed(n, "branches", 1, resistance_ohm=ZERO, reactance_ohm=ZERO),
        ("branch reg-mid impedance", "singular"),
    ),
    ("regulator with impedance", lambda n: changed(n, "branches", 1, kind="regulator"), ("an ideal ratio",)),
    ("no rating", lambda n: changed(n, "branches", 1, rating_a=0.0), ("rating_a", "positive")),
    ("infinite rating", lambda n: changed(n, "branches", 1, rating_a=math.inf), ("rating_a", "positive")),
    (
        "load at an unknown bus",
        lambda n: changed(n, "loads", 0, bus="mit"),
        ("load pq bus", "did you mean 'mid'?"),
    ),
    ("load on an absent phase", lambda n: changed(n, "loads", 2, phases=(1,)), ("bus lat has no phase 1",)),
    ("load on three phases", lambda n: changed(n, "loads", 0, phases=(1, 2, 3)), ("one phase, or two",)),
    ("load between one phase", lambda n: changed(n, "loads", 0, phases=(1, 1)), ("one phase, or two",)),
    ("load exponent", lambda n: changed(n, "loads", 0, exponent=3), ("exponent", "0, 1 or 2")),
    ("load not finite", lambda n: changed(n, "loads", 0, kvar=math.nan), ("load pq kvar", "finite")),
    ("two loads of one name", lambda n: changed(n, "loads", 1, name="PQ"), ("load 'PQ'", "appears twice")),
    (
        "capacitor on an absent phase",
        lambda n: changed(n, "capacitors", 0, bus="lat"),
        ("capacitor cap phases",),
    ),
    (
        "negative capacitor",
        lambda n: changed(n, "capacitors", 0, kvar=-5.0),
        ("capacitor cap kvar", "positive"),
    ),
    ("regulator tap", lambda n: changed(n, "regulators", 0, tap=17), ("regulator vr tap", "-16 to 16")),
    (
        "regulator band",
        lambda n: changed(n, "regulators", 0, band_v=0.0),
        ("regulator vr band_v", "positive"),
    ),
    ("line-drop setting", lambda n: changed(n, "regulators", 0, ldc_x_v=math.inf), ("ldc_x_v", "finite")),
    (
        "monitored phase",
        lambda n: changed(n, "regulators", 0, phases=(1, 2), monitored_phase=3),
        ("monitored_phase", "one of (1, 2)"),
    ),
    (
        "regulator on a line",
        lambda n: changed(n, "regulators", 0, branch="reg-mid"),
        ("unknown branch of kind regulator 'reg-mid'", "src-reg"),
    ),
    (
        "phase without regulator",
        lambda n: changed(n, "regulators", 0, phases=(1, 2)),
        ("branch src-reg", "each once"),
    ),
    ("regulator missing", lambda n: replace(n, regulators=()), ("branch src-reg", "regulates phases []")),
    (
        "resource at an unknown bus",
        lambda n: changed(n, "resources", 0, bus="swi"),
        ("resource gen bus", "'sw'?"),
    ),
    (
        "resource on an absent phase",
        lambda n: changed(n, "resources", 2, phases=(1,)),
        ("resource store phases",),
    ),
    ("resource without phases", lambda n: changed(n, "resources", 0, phases=()), ("at least one",)),
    ("resource without power", lambda n: changed(n, "resources", 0, kw_max=0.0), ("resource gen kw_max",)),
    (
        "resource kVA",
        lambda n: changed(n, "resources", 0, kva_max=80.0),
        ("resource gen kva_max", "at least 90"),
    ),
    ("flexible load of nothing", lambda n: changed(n, "resources", 1, load="imp"), ("unknown load 'imp'",)),
    (
        "flexible load elsewhere",
        lambda n: changed(n, "resources", 1, load="pq"),
        ("with its load, mid (1,)",),
    ),
    ("generator with a load", lambda n: changed(n, "resources", 0, load="pq"), ("none for a generator",)),
    ("source voltage", lambda n: replace(n, source_voltage_pu=math.nan), ("source_voltage_pu", "positive")),
    ("lowest load voltage", lambda n: replace(n, load_vmin_pu=1.0), ("load_vmin_pu", "less than 1")),
]


def test_sound_networks_pass(small_network: Network, feeder: Network) -> None:
    check_network(small_network)
    check_network(feeder)


@pytest.mark.parametrize(
    ("spoil", "says"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_a_fault_is_named(
    small_network: Network, spoil: Callable[[Network], Network], says: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        check_network(spoil(small_network))
    assert caught.value.where.startswith("small") or "network ''" in caught.value.where
    for part in says:
        assert part in str(caught.value)


def test_a_switch_without_impedance_is_refused(small_network: Network) -> None:
    spoilt = changed(small_network, "branches", 2, resistance_ohm=ZERO, reactance_ohm=ZERO)
    with pytest.raises(InputError, match="an impedance in every phase"):
        check_network(spoilt)
