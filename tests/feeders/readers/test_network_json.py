from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Machine, Network, Profile, Resource, wye
from dlmp_cosim.feeders.readers.network_json import network_from_json, network_to_json
from tests import circuits


def everything() -> Network:
    """The mixed circuit with a machine, a profile and resources."""
    network = circuits.circuit("mixed").network
    first, *others = network.loads
    legs = wye((1, 2, 3))
    return replace(
        network,
        loads=(replace(first, profile="shop"), *others),
        machines=(*network.machines, Machine("generator.plant", "mid", legs, "generator.plant")),
        profiles=(Profile("shop", (0.1, 0.7), (0.2, 0.8)),),
        resources=(
            Resource("sun", "generator", "mid", legs, 30.0, 40.0, owner="pv"),
            Resource("flex", "flexible_load", others[0].bus, others[0].legs, 5.0, 6.0, load=others[0].name),
        ),
    )


@pytest.fixture
def whole() -> Network:
    return everything()


def test_the_feeder_comes_back_equal(feeder: Network) -> None:
    text = network_to_json(feeder)
    back = network_from_json(text)
    assert back == feeder
    assert network_to_json(back) == text
    assert "\n" not in text


@pytest.mark.parametrize("name", [*circuits.SMALL, *circuits.PUBLISHED, *circuits.LARGE])
def test_any_circuit_comes_back_equal(name: str) -> None:
    network = circuits.circuit(name).network
    text = network_to_json(network)
    assert network_from_json(text) == network
    # 561 bytes a node measured on 8,531 nodes.
    assert len(text) < 2500 * len(network.node_ids)


def test_every_part_of_a_network_comes_back_equal(whole: Network) -> None:
    assert network_from_json(network_to_json(whole)) == whole


def test_no_rating_is_null_and_comes_back_infinite(whole: Network) -> None:
    first, *others = whole.elements
    endless = replace(whole, elements=(replace(first, rating_a=(math.inf,) * len(first.rating_a)), *others))
    text = network_to_json(endless)
    assert json.loads(text)["elements"][0]["rating_a"] == [None] * len(first.rating_a)
    assert network_from_json(text) == endless
    assert network_from_json(json.dumps(json.loads(text), indent=1)) == endless


def test_only_ratings_may_be_null(whole: Network) -> None:
    with pytest.raises(InputError, match=r"network loads\.0\.kw: "):
        network_from_json(spoilt(whole, "loads", 0, "kw", value=None))
    text = '"rating_a":[null]'
    renamed = replace(whole, name=text)
    assert network_from_json(network_to_json(renamed)) == renamed


@given(st.floats(1e-6, 1e6), st.floats(-1e9, 1e9), st.floats(-1e12, 1e12))
def test_any_number_comes_back_bit_by_bit(rating: float, kvar: float, x: float) -> None:
    network = everything()
    first = network.elements[0]
    network = replace(
        network,
        elements=(replace(first, rating_a=(rating,) * len(first.rating_a)), *network.elements[1:]),
        loads=(replace(network.loads[0], kvar=kvar), *network.loads[1:]),
        buses=(replace(network.buses[0], x=x), *network.buses[1:]),
    )
    assert network_from_json(network_to_json(network)) == network


def spoilt(network: Network, *path: str | int, value: Any = None, drop: bool = False) -> str:
    """JSON of a network with one entry replaced, added or dropped."""
    data = json.loads(network_to_json(network))
    place = data
    for part in path[:-1]:
        place = place[part]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(data)


def test_text_that_is_no_json(whole: Network) -> None:
    for text in ("", "{", network_to_json(whole)[:-5]):
        with pytest.raises(InputError, match=r"^feeder/network: Invalid JSON"):
            network_from_json(text, where="feeder/network")


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}"])
def test_json_that_is_no_network(text: str) -> None:
    with pytest.raises(InputError, match="expected a Network in JSON"):
        network_from_json(text)


def test_a_missing_field_is_named(whole: Network) -> None:
    with pytest.raises(InputError, match=r"network loads\.1\.kw: Field required"):
        network_from_json(spoilt(whole, "loads", 1, "kw", drop=True))


def test_a_field_of_the_wrong_type_is_named(whole: Network) -> None:
    with pytest.raises(InputError, match=r"network elements\.0\.kind: "):
        network_from_json(spoilt(whole, "elements", 0, "kind", value="cable"))
    with pytest.raises(InputError, match=r"network buses\.0\.kv_base: "):
        network_from_json(spoilt(whole, "buses", 0, "kv_base", value="high"))


def test_a_misspelt_optional_field_is_not_ignored(whole: Network) -> None:
    with pytest.raises(InputError, match=r"unknown field 'source'.*did you mean 'sources'\?"):
        network_from_json(spoilt(whole, "source", value=1.05))
    with pytest.raises(InputError, match=r"network\.resources\.0: unknown field 'owned'"):
        network_from_json(spoilt(whole, "resources", 0, "owned", value="me"))


def test_an_unsound_network_is_refused(whole: Network) -> None:
    with pytest.raises(InputError, match=r"load pq bus: unknown bus 'mit'"):
        network_from_json(spoilt(whole, "loads", 0, "bus", value="mit"))
    with pytest.raises(InputError, match="rating_a"):
        network_from_json(spoilt(whole, "elements", 0, "rating_a", value=[-1.0, 1.0]))
