"""Places and owners of the nodal problem: each once, and every row beside the variable that it determines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Network, VoltagePoint
from dlmp_cosim.market.nodal.layout import POWER_UNIT, lay_out
from dlmp_cosim.market.settings import MarketSettings
from tests.handmade import KV, chain, generator, line, load

RESOURCES = [generator("g", "c", 60.0, 75.0), generator("h", "b", 50.0, 50.0)]


def network(kw: float = 900.0) -> Network:
    """A triangle of buses: the line that closes it couples voltages directly."""
    made = chain(
        "a", "b", "c",
        loads=[load("x", "c", kw, 0.0)], resources=RESOURCES, elements=[line("line.tie", ("a", "c"), (2,))],
    )  # fmt: skip
    return replace(made, voltage_points=(*made.voltage_points, VoltagePoint("c", 1, 2, KV * 3**0.5)))


def test_every_variable_has_one_place() -> None:
    lay = lay_out(network(), MarketSettings())
    parts = (lay.voltage, lay.flow, lay.across, lay.loading, lay.resource)
    places = np.concatenate([part.ravel() for part in parts])
    assert places.tolist() == list(range(lay.n))
    assert lay.n_state == lay.n - 2 * len(RESOURCES)


def test_sizes_are_those_of_the_circuit() -> None:
    lay = lay_out(network(), MarketSettings())
    assert lay.voltage.shape == (2, 9)
    assert lay.flow.shape == (2, 3 + 1 + 3), "into b, into c on the shortest way, and out of the source"
    assert (len(lay.across), lay.resource.shape) == (1, (2, 2))


def test_a_bus_owns_its_voltages_and_its_resources() -> None:
    made = network()
    lay = lay_out(made, MarketSettings())
    atom = lay.spanning.atom_of_bus
    for node, name in enumerate(made.node_ids):
        bus = made.bus_index[name.partition(".")[0]]
        assert set(lay.row_atom[lay.voltage[:, node]].tolist()) == {int(atom[bus])}
    for k, resource in enumerate(RESOURCES):
        home = int(atom[made.bus_index[resource.bus]])
        assert set(lay.variable_atom[lay.resource[:, k]].tolist()) == {home}
    assert lay.variable_atom[: lay.n_state].tolist() == lay.row_atom.tolist()


def test_what_everybody_knows_of_a_resource_is_its_nameplate() -> None:
    lay = lay_out(network(), MarketSettings())
    assert np.isinf(lay.reach[: lay.n_state]).all()
    assert (POWER_UNIT * lay.reach[lay.resource[0]]).tolist() == pytest.approx([60.0, 50.0])
    assert (POWER_UNIT * lay.reach[lay.resource[1]]).tolist() == pytest.approx([75.0, 0.0])


def test_voltages_to_ground_and_between_nodes_are_told_apart() -> None:
    made = network()
    points = lay_out(made, MarketSettings()).points
    assert points.to_ground.tolist() == list(range(9))
    assert points.between.tolist() == [9]
    assert [made.node_ids[k] for k in (points.first[0], points.second[0])] == ["c.1", "c.2"]
    assert points.base_v.tolist() == pytest.approx([2400.0] * 9 + [2400.0 * 3**0.5])


def test_a_rating_that_is_watched_takes_part_once() -> None:
    light = replace(network(1.0), elements=network().elements[:2])
    quiet = lay_out(light, MarketSettings())
    assert len(quiet.rated) == 0
    watched = lay_out(light, MarketSettings(), [7, 2, 7])
    assert watched.rated.tolist() == [2, 7]
    owners = watched.row_atom[watched.loading].tolist()
    assert owners == [1, 2], "the child of the line that each conductor belongs to"


def test_a_scale_of_ratings_decides_which_take_part() -> None:
    straight = replace(network(500.0), elements=network().elements[:2])
    assert len(lay_out(straight, MarketSettings(rating_scale=2.0)).rated) == 0
    assert len(lay_out(straight, MarketSettings(rating_scale=1.0)).rated) > 0
