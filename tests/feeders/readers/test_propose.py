"""Proposed resources: what a circuit has, as a table that reads back the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlmp_cosim.feeders.network import Load, wye
from dlmp_cosim.feeders.opendss.case import Circuit, Plant
from dlmp_cosim.feeders.readers.assets import read_assets
from dlmp_cosim.feeders.readers.propose import GENERATOR_COSTS, LOAD_COSTS, propose_assets, write_assets
from tests import circuits

SMALL = ("mixed", "meshed", "delta", "ieee13", "ieee34_mod1")


@pytest.fixture(scope="module")
def mixed_circuit() -> Circuit:
    return circuits.circuit("mixed")


@pytest.mark.parametrize("name", SMALL)
def test_a_proposal_reads_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    circuit = circuits.circuit(name)
    proposal = propose_assets(circuit)
    write_assets(proposal, tmp_path / "assets.csv")
    resources, terms = read_assets(tmp_path / "assets.csv", circuit.network)
    assert resources == proposal.resources
    for read, proposed in zip(terms, proposal.terms, strict=True):
        assert read == replace(proposed, q_max_kvar=read.q_max_kvar)
        assert read.q_max_kvar == pytest.approx(proposed.q_max_kvar, abs=1e-9)


def test_the_same_circuit_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path in paths:
        write_assets(propose_assets(circuits.circuit("mixed")), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_every_plant_is_driven_at_its_rating(mixed_circuit: Circuit) -> None:
    proposal = propose_assets(mixed_circuit)
    driven = {item.element: item for item in proposal.resources if item.element}
    assert set(driven) == {plant.name for plant in mixed_circuit.plants}
    for plant in mixed_circuit.plants:
        found = driven[plant.name]
        assert (found.bus, found.legs, found.kw_max, found.kva_max) == (
            plant.bus,
            plant.legs,
            plant.kw,
            plant.kva,
        )
        assert found.kind == ("storage" if plant.name.startswith("storage.") else "generator")


def test_every_load_with_demand_is_flexible_by_a_fifth(mixed_circuit: Circuit) -> None:
    proposal = propose_assets(mixed_circuit)
    flexible = {item.load: item for item in proposal.resources if item.load}
    assert set(flexible) == set(mixed_circuit.network.load_ids)
    for load in mixed_circuit.network.loads:
        assert flexible[load.name].kw_max == pytest.approx(0.2 * load.kw)
        assert flexible[load.name].legs == load.legs


def test_costs_rise_and_are_spread() -> None:
    proposal = propose_assets(circuits.circuit("ieee34_mod1"))
    costs = {terms.cost_linear for terms in proposal.terms}
    assert len(costs) == 19
    assert LOAD_COSTS[0] <= min(costs) < max(costs) <= LOAD_COSTS[1]
    for resource, terms in zip(proposal.resources, proposal.terms, strict=True):
        assert terms.cost_quadratic * resource.kw_max == pytest.approx(terms.cost_linear / 2, rel=1e-4)


def test_sun_is_free_and_fuel_is_not(mixed_circuit: Circuit) -> None:
    proposal = propose_assets(mixed_circuit)
    cost = {
        item.element.partition(".")[0]: terms.cost_linear
        for item, terms in zip(proposal.resources, proposal.terms, strict=True)
    }
    assert cost["pvsystem"] == 0.0
    assert GENERATOR_COSTS[0] <= cost["generator"] <= GENERATOR_COSTS[1]
    assert cost["storage"] > GENERATOR_COSTS[1]


def test_what_gives_nothing_is_left_out_and_names_stay_apart(mixed_circuit: Circuit) -> None:
    idle = Load("idle", "mid", wye((1,)), 0.0, 5.0, 7.2)
    feeding = Load("feeding", "mid", wye((1,)), -5.0, 0.0, 7.2)
    plants = (
        Plant("generator.pq", "mid", wye((1,)), 10.0, 12.0),
        Plant("pvsystem.pq", "mid", wye((1,)), 10.0, 12.0),
        Plant("pvsystem.night", "mid", wye((1,)), 0.0, 12.0),
    )
    network = replace(mixed_circuit.network, loads=(*mixed_circuit.network.loads, idle, feeding))
    proposal = propose_assets(replace(mixed_circuit, network=network, plants=plants))
    assert {item.load for item in proposal.resources} == {"", *mixed_circuit.network.load_ids}
    assert [item.name for item in proposal.resources[:3]] == ["pq_2", "pq_3", "flex_pq"]
