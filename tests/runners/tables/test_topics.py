"""What a user may ask of a table: topics with numbers, and how to sum them up."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.federates.contract.topics import TOPICS
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.tables.topics import KEYS, REDUCTIONS, check_topic


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("wholesale/lmp", ("wholesale/lmp", "")),
        ("market/dlmp_real:mean", ("market/dlmp_real", "mean")),
        ("settlement/parts/loss_cost:sum", ("settlement/parts/loss_cost", "sum")),
        ("audit/settled", ("audit/settled", "")),
    ],
)
def test_a_topic_and_its_reduction_are_split(text: str, asked: tuple[str, str]) -> None:
    assert check_topic(text, where="--topic") == asked


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "market/dlmp_rael",
            "--topic: 'market/dlmp_rael' is no topic with numbers; expected a topic such as market/dlmp_real",
        ),
        (
            "market/clearing",
            "--topic: 'market/clearing' is no topic with numbers; expected a topic such as market/dlmp_real",
        ),
        (
            "market/dlmp_real:avg",
            "--topic: unknown reduction 'avg'; expected one of mean, sum, min, max",
        ),
        (
            "market/dlmp_real:mn",
            "--topic: unknown reduction 'mn'; expected one of mean, sum, min, max; did you mean 'min'?",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_topic(text, where="--topic")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.key)
def test_every_topic_with_numbers_may_be_asked_for(topic: object) -> None:
    assert (topic.key in KEYS) is (topic.type != "string")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("how", "value"), [("mean", 2.0), ("sum", 6.0), ("min", 1.0), ("max", 3.0)])
def test_reductions_run_over_intervals(how: str, value: float) -> None:
    assert REDUCTIONS[how](np.array([[1.0], [2.0], [3.0]]), axis=0).tolist() == [value]
