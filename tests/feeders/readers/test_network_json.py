from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeders.errors import InputError
from feeders.network import Network
from feeders.readers.network_json import network_from_json, network_to_json


def test_the_feeder_comes_back_equal(feeder: Network) -> None:
    text = network_to_json(feeder)
    back = network_from_json(text)
    assert back == feeder
    assert network_to_json(back) == text
    assert "\n" not in text


def test_the_small_network_comes_back_equal(small_network: Network) -> None:
    assert network_from_json(network_to_json(small_network)) == small_network


@given(st.floats(1e-6, 1e6), st.floats(-1e9, 1e9), st.floats(-1e12, 1e12))
def test_any_number_comes_back_bit_by_bit(feeder: Network, rating: float, kvar: float, x: float) -> None:
    network = replace(
        feeder,
        branches=(replace(feeder.branches[0], rating_a=rating), *feeder.branches[1:]),
        loads=(replace(feeder.loads[0], kvar=kvar), *feeder.loads[1:]),
        buses=(replace(feeder.buses[0], x=x), *feeder.buses[1:]),
        resources=(),
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


def test_text_that_is_no_json(small_network: Network) -> None:
    for text in ("", "{", network_to_json(small_network)[:-5]):
        with pytest.raises(InputError, match=r"^feeder/network: Invalid JSON"):
            network_from_json(text, where="feeder/network")


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}"])
def test_json_that_is_no_network(text: str) -> None:
    with pytest.raises(InputError, match="expected a Network in JSON"):
        network_from_json(text)


def test_a_missing_field_is_named(small_network: Network) -> None:
    with pytest.raises(InputError, match=r"network loads\.1\.kw: Field required"):
        network_from_json(spoilt(small_network, "loads", 1, "kw", drop=True))


def test_a_field_of_the_wrong_type_is_named(small_network: Network) -> None:
    with pytest.raises(InputError, match=r"network branches\.0\.kind: "):
        network_from_json(spoilt(small_network, "branches", 0, "kind", value="cable"))
    with pytest.raises(InputError, match=r"network buses\.0\.kv_base: "):
        network_from_json(spoilt(small_network, "buses", 0, "kv_base", value="high"))


def test_a_misspelt_optional_field_is_not_ignored(small_network: Network) -> None:
    with pytest.raises(
        InputError, match=r"unknown field 'source_voltage'.*did you mean 'source_voltage_pu'\?"
    ):
        network_from_json(spoilt(small_network, "source_voltage", value=1.05))
    with pytest.raises(InputError, match=r"network\.resources\.0: unknown field 'owned'"):
        network_from_json(spoilt(small_network, "resources", 0, "owned", value="me"))


def test_an_unsound_network_is_refused(small_network: Network) -> None:
    with pytest.raises(InputError, match=r"load pq bus: unknown bus 'mit'"):
        network_from_json(spoilt(small_network, "loads", 0, "bus", value="mit"))
    with pytest.raises(InputError, match="rating_a"):
        network_from_json(spoilt(small_network, "branches", 0, "rating_a", value=-1.0))
