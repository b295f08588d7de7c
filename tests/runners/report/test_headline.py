"""The verdict in words and the figures beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.runners.report.headline import figures, headline, sentence
from dlmp_cosim.runners.report.pack import pack
from dlmp_cosim.runners.report.runs import RunView
from tests.runners.report.large import large_view, without_numbers


@pytest.fixture(scope="module")
def view() -> RunView:
    return large_view(12)


def value(view: RunView, title: str) -> Any:
    return next(figure for figure in figures(view) if figure.title == title)


def test_a_feasible_run_says_so(view: RunView) -> None:
    assert sentence(view) == (
        "Feasible: in every one of 12 intervals AC power flow keeps all voltages and currents within their"
        " limits; market and physics agree in 12 of 12 intervals."
    )


def test_a_violated_run_names_the_worst_place(view: RunView) -> None:
    breaches = {**view.breaches, "voltage_low": np.array([2.0, 1.0] + [0.0] * 10)}
    place = {"kind": "voltage_low", "where": "65.1", "value": 0.92451, "limit": 0.95}
    verdict = {**view.verdict, "status": "violated", "violations": 3, "violations_unpriced": 2}
    text = sentence(replace(view, breaches=breaches, broken=[place], verdict=verdict))
    assert text.startswith(
        "Violated: AC power flow breaks limits 3 times, in 2 of 12 intervals (2 without a price"
    )
    assert "the worst is a voltage of 0.92451 pu at 65.1, limit 0.95 pu" in text


def test_a_feeder_without_supply_is_told_in_words(view: RunView) -> None:
    breaches = {**view.breaches, "outage": np.array([1.0, 1.0] + [0.0] * 10)}
    place = {"kind": "outage", "where": "650", "value": 0.0, "limit": 0.95, "intervals": 2}
    verdict = {**view.verdict, "status": "violated", "violations": 2, "violations_unpriced": 2}
    text = sentence(replace(view, breaches=breaches, broken=[place], verdict=verdict))
    assert "in 2 of 12 intervals" in text
    assert "; the worst is no supply at 650, in 2 intervals; market and" in text


def test_a_run_cut_short_cannot_be_judged(view: RunView) -> None:
    verdict = {**view.verdict, "status": "unknown"}
    text = sentence(replace(view, verdict=verdict, missing="the run stopped: 2 of 12 intervals"))
    assert text.startswith("Cannot tell: the run stopped: 2 of 12 intervals;")


def test_without_a_market_nothing_is_said_of_agreement(view: RunView) -> None:
    series = {**view.series, "voltage_error": np.full(12, np.nan)}
    assert sentence(replace(view, series=series)).endswith("; no market predicts this run.")


def test_five_figures_open_the_page_with_place_and_time(view: RunView) -> None:
    opening = headline(view)
    assert [figure.title for figure in opening] == [
        "average d-LMP", "highest voltage", "highest loading", "losses", "operator keeps",
    ]  # fmt: skip
    voltage = view.nodal["voltage"]
    t, k = np.unravel_index(np.argmax(voltage), voltage.shape)
    assert opening[1].value == pytest.approx(voltage.max())
    assert opening[1].note.startswith(f"{view.network.node_ids[k]} at {view.times[t]:%H:%M}; limit 1.05")


def test_figures_follow_from_the_run(view: RunView) -> None:
    assert value(view, "average d-LMP").value == pytest.approx(view.nodal["dlmp_real"].mean())
    assert value(view, "highest loading").value == pytest.approx(100 * np.nanmax(view.branch["loading"]))
    assert value(view, "operator keeps").value == pytest.approx(view.account.money.net_usd)


def test_a_feeder_without_ratings_has_no_loading(view: RunView) -> None:
    unrated = {**view.branch, "loading": np.full_like(view.branch["loading"], np.nan)}
    figure = value(replace(view, branch=unrated), "highest loading")
    assert np.isnan(figure.value)
    assert figure.note == "no branch has a rating"


def test_an_interval_without_a_power_flow_is_passed_over(view: RunView) -> None:
    part = without_numbers(view, slice(0, 3))
    assert value(part, "highest voltage").value == pytest.approx(view.nodal["voltage"][3:].max())
    assert value(part, "average d-LMP").value == pytest.approx(view.nodal["dlmp_real"][3:].mean())
    assert pack([part])


def test_a_run_without_any_power_flow_still_has_a_page(view: RunView) -> None:
    none = without_numbers(view, slice(None))
    assert np.isnan(value(none, "highest voltage").value)
    assert value(none, "lowest voltage").note.startswith("no power flow converged")
    assert pack([none])
