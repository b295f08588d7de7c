from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Bus, Legs, Load, LoadModel, Network, Resource, delta, wye
from dlmp_cosim.feeders.opendss.library import engine_for
from dlmp_cosim.feeders.terminals import LoadTerminals, injection_terminals, load_terminals, machine_terminals

MODELS: tuple[LoadModel, ...] = (1, 2, 3, 4, 5, 8)
RANGES = ((0.95, 0.5, 1.05), (0.8, 0.4, 1.1), (0.0, 0.5, 10.0), (0.7, 0.7, 1.2), (0.9, 0.0, 0.0))
"""vminpu, vlowpu and vmaxpu: the defaults, others, none, no interpolation, nominal impedance above."""

CONNECTIONS: dict[tuple[str, int], Legs] = {
    ("wye", 1): wye((1,)),
    ("wye", 3): wye((1, 2, 3)),
    ("delta", 1): ((1, 2),),
    ("delta", 2): ((1, 2), (2, 3)),
    ("delta", 3): delta((1, 2, 3)),
}
CVR, ZIPV = (0.8, 2.7), (0.3, 0.5, 0.2, 0.1, 0.25, 0.65, 0.72)
KV = 4.16


def network(model: LoadModel, legs: Legs, ends: tuple[float, float, float], kv: float = KV) -> Network:
    load = Load("x", "s", legs, 100.0, 40.0, kv, model, *ends, cvr=CVR, zipv=ZIPV)
    return Network("one", (Bus("s", (1, 2, 3), KV / np.sqrt(3.0)),), (), (), (load,))


@cache
def one_leg(model: LoadModel, ends: tuple[float, float, float]) -> LoadTerminals:
    return load_terminals(network(model, ((1, 0),), ends, KV / np.sqrt(3.0)))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("connection", CONNECTIONS, ids=lambda pair: f"{pair[0]}{pair[1]}")
def test_loads_draw_what_opendss_says_at_any_voltage(model: LoadModel, connection: tuple[str, int]) -> None:
    legs = CONNECTIONS[connection]
    conn, phases = connection
    kv = KV / np.sqrt(3.0) if connection == ("wye", 1) else KV
    extra = {4: "cvrwatts=0.8 cvrvars=2.7", 8: f"zipv=({' '.join(map(str, ZIPV))})"}.get(model, "")
    owner = type("Owner", (), {})()
    engine = engine_for(owner)
    for ends in RANGES:
        vmin, vlow, vmax = ends
        place = f"bus1=s{'.1.2.3' if conn == 'delta' else ''} phases={phases} conn={conn} kv={kv}"
        limits = f"vminpu={vmin} vlowpu={vlow} vmaxpu={vmax}"
        for command in (
            "clear",
            f"new circuit.c bus1=s basekv={KV} mvasc3=1e9 mvasc1=1e9",
            f"new load.x {place} kw=100 kvar=40 model={model} {limits} {extra}",
            "set tolerance=1e-12 maxiterations=500",
        ):
            engine.Text.Command = command
        leg_kv = kv / np.sqrt(3.0) if connection == ("wye", 3) else kv
        one = network(model, legs, ends, leg_kv)
        terminals = load_terminals(one)
        circuit = engine.ActiveCircuit
        for pu in np.concatenate([np.arange(0.02, 1.3, 0.043), [0.7199, 0.7201]]):
            circuit.Vsources.First  # noqa: B018
            circuit.Vsources.pu = float(pu)
            circuit.Solution.Solve()
            circuit.SetActiveElement("load.x")
            drawn = np.asarray(circuit.ActiveCktElement.Powers).view(np.complex128).sum()
            voltage = np.asarray(circuit.AllBusVolts).view(np.complex128) / one.base_v
            assert terminals.served(one.listed_demand, voltage)[0] == pytest.approx(drawn, abs=1e-8), pu


@given(st.sampled_from(MODELS), st.sampled_from(RANGES), st.floats(0.02, 1.4))
def test_slopes_are_the_derivatives_of_factors(
    model: LoadModel, ends: tuple[float, float, float], voltage: float
) -> None:
    step = 1e-7
    if any(abs(voltage - corner) < 2 * step for corner in ends):
        return
    terminals = one_leg(model, ends)
    here = np.array([voltage])
    pairs = zip(terminals.factors(here + step), terminals.factors(here - step), strict=True)
    for (above, below), slope in zip(pairs, terminals.slopes(here), strict=True):
        assert slope[0] == pytest.approx((above[0] - below[0]) / (2 * step), rel=1e-5, abs=1e-6)


@given(st.sampled_from(MODELS), st.floats(0.0, 0.5))
def test_every_load_is_its_nominal_impedance_far_below(model: LoadModel, voltage: float) -> None:
    real, reactive = one_leg(model, RANGES[0]).factors(np.array([voltage]))
    assert real[0] == reactive[0] == pytest.approx(voltage**2)


@pytest.mark.parametrize("model", [1, 2, 4, 5, 8])
def test_at_nominal_voltage_a_load_draws_its_listed_demand(model: LoadModel) -> None:
    real, reactive = one_leg(model, RANGES[0]).factors(np.ones(1))
    assert real[0] == pytest.approx(1.0)
    assert reactive[0] == pytest.approx(1.0)


def test_voltage_across_legs_of_any_connection(mixed: Network) -> None:
    terminals = load_terminals(mixed)
    turn = np.exp(-2j * np.pi / 3)
    angle = {1: 1.0, 2: turn, 3: turn**2, 4: 0.0}
    voltage = np.array([angle[phase] for bus in mixed.buses for phase in bus.phases])
    magnitude = np.abs(terminals.across(voltage))
    by_load = {name: magnitude[terminals.owner == k] for k, name in enumerate(mixed.load_ids)}
    assert by_load["current"] == pytest.approx(np.ones(3), rel=2e-3)
    assert by_load["two_legs"] == pytest.approx(np.ones(2), rel=2e-3)
    assert by_load["yard"] == pytest.approx(np.ones(3), rel=2e-3)
    assert len(by_load["pq"]) == 3
    assert terminals.nominal_v[terminals.owner == mixed.load_ids.index("range")] == pytest.approx([240.0])


def test_shares_of_every_owner_add_up(mixed: Network) -> None:
    for terminals, count in (
        (load_terminals(mixed), len(mixed.loads)),
        (machine_terminals(mixed), len(mixed.machines)),
    ):
        assert np.bincount(terminals.owner, terminals.share) == pytest.approx(np.ones(count))


def test_injections_are_shared_equally_by_legs(mixed: Network) -> None:
    resources = (
        Resource("gen", "generator", "far", wye((1, 2, 3)), 90.0, 100.0),
        Resource("flex", "flexible_load", "mid", delta((1, 2, 3)), 12.0, 12.0, load="pq"),
        Resource("store", "storage", "meter", ((1, 2),), 5.0, 5.0),
    )
    terminals = injection_terminals(replace(mixed, resources=resources))
    names = (*mixed.node_ids, "ground")
    assert [names[k] for k in terminals.node] == ["far.1", "far.2", "far.3", "meter.1"]
    assert [names[k] for k in terminals.other] == ["ground"] * 3 + ["meter.2"]
    assert terminals.power(np.array([90.0 + 30.0j, 0.0, -6.0])) == pytest.approx([30 + 10j] * 3 + [-6.0])


def test_nothing_connected_gives_empty_terminals(mixed: Network) -> None:
    bare = replace(mixed, loads=(), machines=(), resources=())
    assert injection_terminals(bare).node.size == machine_terminals(bare).node.size == 0
    voltage = np.ones(len(bare.node_ids), dtype=np.complex128)
    assert load_terminals(bare).served(np.zeros(0, dtype=np.complex128), voltage).size == 0
