"""Commands for OpenDSS, word by word, and what OpenDSS makes of them."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.ieee123.commands import FREQUENCY_HZ, NEUTRAL_KV, commands
from dlmp_cosim.feeders.ieee123.records import (
    Section,
    ShuntCapacitor,
    SpotLoad,
    StepDown,
    Tables,
    TapChanger,
)
from dlmp_cosim.feeders.network import Element, Network
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit

ABC = (1, 2, 3)
BLOCK = np.array([[0.4, 0.1, 0.12], [0.1, 0.5, 0.13], [0.12, 0.13, 0.6]])

LINE = Section("150", "a", "line", ABC, BLOCK, 2 * BLOCK, 5 * np.eye(3) - 1.0, 400.0)
LATERAL = Section("a", "b", "line", (3,), BLOCK[:1, :1], 2 * BLOCK[:1, :1], np.zeros((1, 1)), 230.0)
SWITCH = Section("r1", "c", "switch", ABC, 1e-3 * np.eye(3), 2e-3 * np.eye(3), np.zeros((3, 3)), 900.0)
TAPS = TapChanger("reg1abc", "a", "r1", ABC, 2, 120.0, 2.0, 20.0, 700.0, 3.0, 7.5, 7)
STEP_DOWN = StepDown("xfm", "c", "low", 150.0, (4.16, 0.48), ("delta", "wye"), 1.2, 2.7)
SMALL = Tables(
    sections=(LINE, LATERAL, SWITCH),
    tap_changers=(TAPS,),
    step_downs=(STEP_DOWN,),
    loads=(SpotLoad("s1", "b", (3,), 1, 40.0, 20.0), SpotLoad("s2", "c", (3, 1), 5, 70.0, -10.0)),
    capacitors=(ShuntCapacitor("c1", "a", 2, 50.0),),
    phases={"150": ABC, "a": ABC, "b": (3,), "r1": ABC, "c": ABC, "low": ABC},
    places={"150": (0.0, 1.5), "a": (-2.0, 3.0), "elsewhere": (9.0, 9.0)},
)


def only(kind: str, tables: Tables = SMALL) -> str:
    """The one command that makes something of a kind."""
    (found,) = (text for text in commands(tables) if text.startswith(f"new {kind}."))
    return found


@pytest.fixture(scope="module")
def network() -> Network:
    """What OpenDSS makes of the tables."""
    return read_circuit(Case("small", commands=commands(SMALL))).network


def element(network: Network, name: str) -> Element:
    return next(item for item in network.elements if item.name == name)


def test_what_others_stand_on_comes_first() -> None:
    kinds = [text.split(".")[0] for text in commands(SMALL)]
    order = ["new circuit", "new line", "new transformer", "new regcontrol", "new capacitor", "new load"]
    assert kinds[0] == "set defaultbasefrequency=60"
    first = [kinds.index(kind) for kind in order]
    assert first == sorted(first)
    assert commands(SMALL)[-1].startswith("set mode=snap")


def test_levels_are_listed_once_in_order() -> None:
    assert "set voltagebases=[0.48 4.16]" in commands(SMALL)
    assert "set voltagebases=[4.16]" in commands(replace(SMALL, step_downs=()))


def test_only_buses_of_the_feeder_are_placed() -> None:
    assert [text for text in commands(SMALL) if text.startswith("setbusxy")] == [
        "setbusxy bus=150 x=0.0 y=1.5",
        "setbusxy bus=a x=-2.0 y=3.0",
    ]


def test_a_load_of_one_phase_is_to_neutral_and_of_two_between_them() -> None:
    one, two = (text for text in commands(SMALL) if text.startswith("new load."))
    assert one.startswith(
        f"new load.s1 phases=1 bus1=b.3 conn=wye kv={NEUTRAL_KV!r} kw=40.0 kvar=20.0 model=1"
    )
    assert two.startswith("new load.s2 phases=1 bus1=c.3.1 conn=delta kv=4.16 kw=70.0 kvar=-10.0 model=5")


def test_numbers_are_written_with_every_digit() -> None:
    third = replace(SMALL, loads=(SpotLoad("s", "b", (3,), 1, 1 / 3, 0.1 + 0.2),))
    assert "kw=0.3333333333333333 kvar=0.30000000000000004" in only("load", third)


def test_a_switch_is_told_by_its_sequences() -> None:
    text = next(text for text in commands(SMALL) if "line.r1-c" in text)
    assert "switch=yes r1=0.001 x1=0.002 r0=0.001 x0=0.002 c1=0 c0=0" in text
    assert "matrix" not in text


def test_a_line_is_its_own_matrices(network: Network) -> None:
    block = element(network, "line.150-a").admittance_s
    np.testing.assert_allclose(np.linalg.inv(-block[:3, 3:]), BLOCK * (1 + 2j), rtol=1e-6)
    shunt = (block[:3, :3] + block[:3, 3:]).imag * 1e6
    np.testing.assert_allclose(shunt, (5 * np.eye(3) - 1.0) / 2, rtol=1e-4, atol=1e-4)
    assert element(network, "line.150-a").rating_a == (400.0, 400.0)


def test_a_susceptance_becomes_a_capacitance_at_the_feeders_frequency() -> None:
    told = re.search(r"cmatrix=\[([\d.]+)", only("line", replace(SMALL, sections=(LINE,))))
    assert told is not None
    assert float(told[1]) * 1e-9 * 2 * math.pi * FREQUENCY_HZ == pytest.approx(4e-6, rel=1e-12)


def test_a_capacitor_gives_its_kvar_at_nominal_voltage(network: Network) -> None:
    siemens = element(network, "capacitor.c1").admittance_s[0, 0].imag
    assert siemens * (1e3 * NEUTRAL_KV) ** 2 == pytest.approx(50e3, rel=1e-9)
    assert element(network, "capacitor.c1").terminals[0].phases == (2,)


def test_a_regulator_starts_at_its_published_tap_and_is_rated_by_its_transformer(network: Network) -> None:
    (regulator,) = network.regulators
    assert (regulator.name, regulator.tap, regulator.tap_min, regulator.tap_max) == ("reg1abc", 7, -16, 16)
    assert regulator.step_pu == pytest.approx(0.00625)
    assert element(network, "transformer.reg1abc").rating_a == pytest.approx((700.0, 700.0))


def test_a_control_watches_its_phase_by_its_place_among_those_regulated() -> None:
    assert "ptphase=2 " in only("regcontrol")
    two = replace(TAPS, phases=(1, 3), monitored_phase=3)
    assert "ptphase=2 " in only("regcontrol", replace(SMALL, tap_changers=(two,)))


@pytest.mark.parametrize(
    ("phases", "kv", "nodes"), [((2,), NEUTRAL_KV, "[a.2 r1.2]"), ((1, 3), 4.16, "[a.1.3 r1.1.3]")]
)
def test_a_regulator_of_one_phase_is_told_to_neutral(phases: tuple[int, ...], kv: float, nodes: str) -> None:
    item = replace(TAPS, phases=phases, monitored_phase=phases[0])
    text = only("transformer", replace(SMALL, tap_changers=(item,), step_downs=()))
    assert f"phases={len(phases)} windings=2 buses={nodes} " in text
    assert f"kvs=[{kv} {kv}] " in text


def test_a_step_down_has_half_of_its_resistance_in_each_winding(network: Network) -> None:
    text = next(text for text in commands(SMALL) if "transformer.xfm" in text)
    assert "conns=[delta wye] kvs=[4.16 0.48] kvas=[150.0 150.0] xhl=2.7 %rs=[0.6 0.6]" in text
    low = next(bus for bus in network.buses if bus.name == "low")
    assert low.kv_base == pytest.approx(0.48 / math.sqrt(3.0))


def test_the_same_tables_give_the_same_commands() -> None:
    assert commands(SMALL) == commands(replace(SMALL))
