"""Pictures of a comparison: bars of what each market let happen, lines of what it expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dlmp_cosim.runners.compare import figures as module
from dlmp_cosim.runners.compare.figures import FLOOR_PU, draw
from tests.runners.judge.paper import paper_run
from tests.runners.performances import metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXPECTED = np.array([[0.97] * 6, [0.96] * 6])
FOUND = [
    metrics("a", "light", "none", violations=1, voltage_error_pu=FLOOR_PU / 10),
    metrics("b", "light", "nodal", violations=0),
    metrics("c", "heavy", "none", violations=1200),
    metrics("d", "heavy", "nodal", violations=3),
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Draw a comparison; return its figures in place of their files, and which results were read."""

    def call(found: list[Any]) -> tuple[dict[str, Figure], list[str]]:
        from matplotlib.figure import Figure as Drawn

        made: dict[str, Figure] = {}
        read: list[str] = []

        class Kept(Drawn):
            def savefig(self, fname: Any, **_: Any) -> None:
                made[fname.name] = self

        def results(path: Path) -> Any:
            read.append(str(path.relative_to(tmp_path)))
            low = {"feeder/voltage_magnitude": [[0.98] * 5 + [0.93], [0.99] * 6]}
            return paper_run(low | {"market/predicted_voltage_magnitude": EXPECTED})

        monkeypatch.setattr(module, "Figure", Kept)
        monkeypatch.setattr(module, "Results", results)
        assert draw(found, tmp_path) == [tmp_path / "violations.png", tmp_path / "lowest_voltage.png"]
        return made, read

    return call


def heights(axes: Any) -> list[list[float]]:
    """Heights of the bars of each market, group by group."""
    return [[bar.get_height() for bar in bars] for bars in axes.containers]


def test_every_market_has_a_bar_in_every_group(drawn: Any) -> None:
    top, bottom = drawn(FOUND)[0]["violations.png"].axes
    assert heights(top) == [[1, 1200], [0, 3]]
    assert [text.get_text() for text in top.texts] == ["1", "1,200", "0", "3"]
    assert [tick.get_text() for tick in bottom.get_xticklabels()] == ["light", "heavy"]


def test_an_error_of_the_power_flow_alone_has_no_bar(drawn: Any) -> None:
    first, second = heights(drawn(FOUND)[0]["violations.png"].axes[1])
    assert np.isnan(first[0])
    assert [first[1], *second] == [6.1e-5] * 3


def test_a_market_that_is_missing_in_a_group_leaves_its_place_empty(drawn: Any) -> None:
    top, bottom = drawn(FOUND[:3])[0]["violations.png"].axes
    assert heights(top)[1] == [0, 0]
    assert np.isnan(heights(bottom)[1][1])


def test_voltages_are_drawn_where_most_limits_broke(drawn: Any) -> None:
    figures, read = drawn(FOUND)
    assert read == ["c/results.h5", "d/results.h5"]
    axes = figures["lowest_voltage.png"].axes
    assert [panel.get_title() for panel in axes] == ["none", "nodal"]
    expected, actual = (line.get_ydata().tolist() for line in axes[0].lines[:2])
    assert (expected, actual) == ([0.97, 0.96], [0.93, 0.99])
    assert axes[0].lines[0].get_xdata().tolist() == [0.0, 0.5], "hours"


def test_one_market_alone_is_drawn(drawn: Any) -> None:
    figures, _ = drawn([metrics("a", "none", violations=0)])
    assert len(figures["lowest_voltage.png"].axes) == 1


def test_a_title_with_prices_is_no_mathematics(drawn: Any) -> None:
    title = "10 $/MWh or 20 $/MWh"
    figures, _ = drawn([metrics("a", title, "cap $5 and $6")])
    bottom = figures["violations.png"].axes[1]
    said = bottom.get_xticklabels()[0].get_text()
    assert said.replace("\n", " ").replace("\\$", "$") == title
    assert figures["lowest_voltage.png"].axes[0].get_title() == r"cap \$5 and \$6"
