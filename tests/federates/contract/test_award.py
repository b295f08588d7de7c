"""What a feeder reads of a clearing, and what it refuses to answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dlmp_cosim.federates.contract.award import Award, read_award, wait_text
from dlmp_cosim.feeders.errors import FederationError


@pytest.mark.parametrize(
    ("table", "award"),
    [
        ({"status": "trial"}, Award(3, 2, final=False, controls=False)),
        ({"status": "trial", "controls": True}, Award(3, 2, final=False, controls=True)),
        ({"status": "trial", "controls": 1}, Award(3, 2, final=False, controls=False)),
        ({"status": "final"}, Award(3, 2, final=True, controls=True)),
        ({"status": "final", "resume": 1}, Award(3, 2, final=True, controls=True, resume=1)),
        ({"status": "wait"}, Award(3, 2, final=False, controls=False, waits=True)),
        ({"status": "final", "resume": -1, "more": "is not read"}, Award(3, 2, final=True, controls=True)),
    ],
)
def test_clearings(table: dict[str, Any], award: Award) -> None:
    assert read_award(json.dumps({"interval": 3, "trials": 2} | table)) == award


def test_waiting_is_read_as_it_is_written() -> None:
    assert read_award(wait_text(8, 3)) == Award(8, 3, final=False, controls=False, waits=True)


LACKS = "lacks interval, trials or a status of trial or final"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"interval": None}, LACKS),
        ({"interval": 3.0}, LACKS),
        ({"interval": True}, LACKS),
        ({"interval": -1}, LACKS),
        ({"trials": "2"}, LACKS),
        ({"trials": -1}, LACKS),
        ({"trials": False}, LACKS),
        ({"status": "done"}, LACKS),
        ({"status": ["final"]}, LACKS),
        ({"resume": 2}, "resumes trial 2 of 2"),
        ({"resume": -2}, "resumes trial -2 of 2"),
        ({"resume": 0.5}, "resumes trial 0.5 of 2"),
        ({"resume": True}, "resumes trial True of 2"),
    ],
)
def test_what_cannot_be_answered(change: dict[str, Any], what: str) -> None:
    table = {"interval": 3, "trials": 2, "status": "final"} | change
    with pytest.raises(FederationError) as caught:
        read_award(json.dumps(table))
    assert str(caught.value) == f"market/clearing, published by 'market', {what}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is not JSON: Expecting value at character 0"),
        ("[1]", "is not a JSON object"),
        ('{"interval": 3', "is not JSON: Expecting ',' delimiter at character 14"),
    ],
)
def test_what_is_no_table(text: str, what: str) -> None:
    with pytest.raises(FederationError) as caught:
        read_award(text)
    assert str(caught.value) == f"market/clearing, published by 'market', {what}"
