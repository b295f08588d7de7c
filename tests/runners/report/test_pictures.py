"""Pictures of a run: what they show, on runs where something is missing too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dlmp_cosim.runners.judge.ledger import SUBSTATION_PART
from dlmp_cosim.runners.report import pictures as module
from dlmp_cosim.runners.report.pictures import (
    comparison_picture,
    day_picture,
    feeder_picture,
    prices_picture,
    settlement_picture,
)
from dlmp_cosim.runners.report.runs import RunView
from tests.runners.judge.paper import NETWORK, paper_run
from tests.runners.report.small import small_view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[RunView], "Figure"]
OF_INTERVALS: list[Draw] = [day_picture, prices_picture, feeder_picture]
by_name = pytest.mark.parametrize("draw", OF_INTERVALS, ids=lambda draw: draw.__name__)


def without(name: str, rows: Any) -> dict[str, Any]:
    """Tables of every node in which one has no numbers in some intervals."""
    nodal = dict(small_view().nodal)
    nodal[name] = nodal[name].copy()
    nodal[name][rows] = np.nan
    return nodal


def test_a_run_without_a_prediction_is_drawn() -> None:
    _, _, voltage = day_picture(small_view(nodal=without("predicted_voltage", slice(None)))).axes
    assert np.isnan(voltage.lines[0].get_ydata()).all()


@by_name
def test_an_interval_without_a_power_flow_is_drawn(draw: Draw) -> None:
    view = small_view(nodal=without("voltage", 0) | {"dlmp_real": without("dlmp_real", 0)["dlmp_real"]})
    voltage = view.point_voltage.copy()
    voltage[0] = np.nan
    assert draw(replace(view, point_voltage=voltage)).axes


@by_name
def test_a_run_of_one_interval_is_drawn(draw: Draw) -> None:
    view = small_view()
    first: dict[str, Any] = {
        name: {key: values[:1] for key, values in getattr(view, name).items()}
        for name in ("series", "nodal", "branch")
    }
    assert draw(replace(view, times=view.times[:1], point_voltage=view.point_voltage[:1], **first)).axes


def test_axes_say_their_units() -> None:
    labels = {axes.get_ylabel() for axes in day_picture(small_view()).axes}
    assert labels == {"price [$/MWh]", "power [kW]", "voltage [pu]"}


def test_the_schedule_is_all_that_meets_demand() -> None:
    """30 kW of demand and 1 of losses; then 24, 3 and 6 that were spared."""
    _, power, _ = day_picture(small_view()).axes
    top = max(path.get_extents().y1 for item in power.collections for path in item.get_paths())
    assert top == pytest.approx(33.0)


def test_the_feeder_is_drawn_at_the_highest_price() -> None:
    figure = feeder_picture(small_view(label="odd $name$"))
    assert figure.get_suptitle() == r"odd \$name\$, 2020-08-25 12:30"
    dots = figure.axes[0].collections[0].get_array()
    assert dots is not None
    assert dots.tolist() == [50.0, 60.0], "the mean d-LMP of either bus"


def test_the_settlement_shows_every_side_to_the_dollar() -> None:
    sides, parts = settlement_picture(small_view()).axes
    widths = [bar.get_width() for bar in sides.patches]  # type: ignore[attr-defined]
    assert widths == pytest.approx([1.2816, -0.18, -0.1824, -0.99, -0.0708])
    assert len(parts.patches) == 6


def test_a_feeder_of_a_substation_shows_what_its_adder_brings() -> None:
    told = {"substation/adder": [0.0, 4.0], SUBSTATION_PART: [[0.0] * 6, [4.0] * 6]}
    parts = settlement_picture(small_view(paper_run(told))).axes[1]
    assert parts.get_yticklabels()[-1].get_text() == "substation's adder on losses"


def test_under_a_tariff_there_are_no_parts() -> None:
    tariff = paper_run({}, {}, {"market": {"model": "dlmp_cosim.market.baselines.none:NetBilling"}})
    assert len(settlement_picture(small_view(tariff)).axes) == 1


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (("nodal", "NetBilling"), ["Market", "Retail_B"]),
        (("nodal", "nodal"), [r"a \$", r"b \$"]),
    ],
)
def test_runs_are_compared_by_scenario_or_by_name(models: tuple[str, ...], names: list[str]) -> None:
    views = []
    for model, label in zip(models, ("a $", "b $"), strict=True):
        full = model if model == "nodal" else f"dlmp_cosim.market.baselines.none:{model}"
        views.append(small_view(paper_run({}, {}, {"market": {"model": full}}), label=label))
    money = comparison_picture(views).axes[0]
    assert [tick.get_text() for tick in money.get_xticklabels()] == names


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (1, ["day", "prices", "feeder", "settlement"]),
        (2, ["day", "prices", "feeder", "settlement", "scenarios"]),
    ],
)
def test_several_runs_have_one_picture_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int, names: list[str]
) -> None:
    saved: list[Path] = []
    monkeypatch.setattr(module, "save_figure", lambda _figure, file, _dpi: saved.append(file))
    for name in ("day", "prices", "feeder", "settlement", "comparison"):
        monkeypatch.setattr(module, f"{name}_picture", lambda _: None)
    assert module.draw_all([small_view()] * count, tmp_path, "svg") == saved
    assert saved == [tmp_path / f"{name}.svg" for name in names]


def test_a_feeder_without_coordinates_is_drawn_too() -> None:
    places = feeder_picture(small_view(network=NETWORK)).axes[0].collections[0].get_offsets()
    assert np.asarray(places).tolist() == [[0.0, 0.0], [1.0, 0.0]]
