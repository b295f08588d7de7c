"""What stands beside a progress bar, and that nothing does where nobody watches."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dlmp_cosim.federates.runtime.heartbeat import Beat
from dlmp_cosim.runners.run import progress as module
from dlmp_cosim.runners.run.progress import progress_line, show_progress

MARKET: dict[str, float | str] = {
    "time": "2020-08-25T04:00Z", "lmp": 27.125, "dlmp_mean": 28.0, "rounds": 2.0, "voltage_min": 0.96123,
    "voltage_min_node": "83.3",
}  # fmt: skip


def test_a_market_tells_prices_rounds_and_the_lowest_voltage() -> None:
    assert progress_line(MARKET) == (
        "2020-08-25T04:00Z LMP 27.12, d-LMP 28.00 $/MWh, 2 rounds, lowest voltage 0.9612 pu at 83.3"
    )


def test_a_substation_tells_its_adder() -> None:
    assert progress_line({"time": "t", "adder": -1.5, "kw": 812.4}) == "t adder -1.50 $/MWh, 812 kW"


def test_nothing_is_shown_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("day", 3) as watch:
        watch(
            {
                "market": Beat("market", 1, "working", figures={"interval": 2.0, **MARKET}),
                "pv": Beat("pv", 2, "working"),
            }
        )
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("node", ["[/b].1", "[red]x.1", ":tada:.1", "a.1"])
def test_names_beside_the_bar_are_told_as_they_are(monkeypatch: pytest.MonkeyPatch, node: str) -> None:
    shown = io.StringIO()
    wide = Console(file=shown, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(module, "Console", lambda **_: wide)
    figures = {"interval": 2.0, **MARKET, "voltage_min_node": node}
    with show_progress("day", 3) as watch:
        watch({"market": Beat("market", 1, "working", figures=figures)})
    assert f"pu at {node}" in shown.getvalue()
