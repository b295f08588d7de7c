"""What stands beside a progress bar, and that nothing does where nobody watches."""

from __future__ import annotations

import pytest

from dlmp_cosim.federates.runtime.heartbeat import Beat
from dlmp_cosim.runners.run.progress import progress_line, show_progress

MARKET = {
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
        watch({"market": Beat("market", 1, 0.0, {"interval": 2.0, **MARKET}), "pv": Beat("pv", 2, 0.0, {})})
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
