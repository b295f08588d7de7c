"""Locations by number, by name, and by what people call them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.isone.places import HUB, KNOWN, SYSTEM, ZONES, Place, find_place


@pytest.mark.parametrize("place", [HUB, SYSTEM, *ZONES], ids=lambda place: place.name)
@pytest.mark.parametrize("quantity", ["lmp", "load"])
def test_every_spelling_of_a_place_finds_it(place: Place, quantity: str) -> None:
    for text in (place.id, place.name, *place.aliases):
        for spelt in (text, text.lower(), f"  {text.title()} "):
            assert find_place(spelt, quantity) is place


def test_no_two_places_share_a_spelling() -> None:
    spellings = [text for place in (HUB, SYSTEM, *ZONES) for text in (place.id, place.name, *place.aliases)]
    assert len(spellings) == len(set(spellings)) == len(KNOWN)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("hub", "4000"),
        ("ME", "4001"),
        ("VT", "4003"),
        ("nema", "4008"),
        (".Z.SEMASS", "4006"),
        ("NEPOOL", "32"),
    ],
)
def test_numbers_are_those_of_iso_new_england(text: str, number: str) -> None:
    assert find_place(text, "lmp").id == number


def test_the_sheet_of_the_whole_area_means_hub_or_system() -> None:
    assert find_place("ISO NE CA", "lmp") is HUB
    assert find_place(" iso ne ca", "load") is SYSTEM


@pytest.mark.parametrize(
    ("text", "place", "key", "label"),
    [
        ("12345", Place("12345", ""), "12345", "12345"),
        ("un.boston 13.8", Place("", "UN.BOSTON 13.8"), "UN.BOSTON 13.8", "UN.BOSTON 13.8"),
        ("4000", HUB, "4000", ".H.INTERNAL_HUB"),
    ],
)
def test_any_other_node_is_a_place_of_its_own(text: str, place: Place, key: str, label: str) -> None:
    found = find_place(text, "lmp")
    assert found == place
    assert (found.key, found.label) == (key, label)


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=9).filter(str.strip), st.sampled_from(["lmp", "load"]))
def test_a_place_is_found_by_its_own_key(text: str, quantity: str) -> None:
    place = find_place(text, quantity)
    assert find_place(place.key, quantity).key == place.key
