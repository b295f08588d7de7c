"""The wholesale market as seen from the feeder head: prices and demand of ISO New England, replayed.

Where the scenario gives a supply curve the LMP answers what the feeder draws: the market federate finds the
price at which both agree, and this federate says at the end of the interval that it is the LMP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from dlmp_cosim.federates.contract.messages import decode, encode
from dlmp_cosim.federates.runtime.base import main
from dlmp_cosim.federates.runtime.clock import PRICE_SLOT
from dlmp_cosim.federates.runtime.link import Link, Value, refusal
from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.supply import supply_curve

NAME = "wholesale"
RECORD = "market/clearing"


class Wholesale:
    """Publishes price and demand at the start of every interval.

    Parameters
    ----------
    study : Study
        Names the files.

    Raises
    ------
    InputError
        When a file cannot be used or does not cover the run.
    """

    def __init__(self, study: Study) -> None:
        self._clock = study.clock
        self._series = load_series(study)
        self._emits = study.scenario.emissions.known
        self._curve = supply_curve(study)

    def initial(self) -> Mapping[str, Value]:
        """Publish where the series come from, and the supply curve."""
        more = {} if self._curve is None else {"supply": asdict(self._curve)}
        return {"wholesale/source": encode(self._series.source | more)}

    def run(self, link: Link) -> None:
        """Publish each interval; in step with the market, because its clearing is subscribed to."""
        series, rise = self._series, 0.0
        for interval in range(self._clock.intervals):
            if interval:
                link.wait_until(self._clock.at(interval, PRICE_SLOT))
            lmp = float(series.lmp[interval])
            link.publish("wholesale/lmp", lmp if self._curve is None else lmp + rise)
            link.publish("wholesale/lmp_energy", float(series.energy[interval]))
            link.publish("wholesale/lmp_congestion", float(series.congestion[interval]))
            link.publish("wholesale/lmp_loss", float(series.loss[interval]))
            link.publish("wholesale/demand_ratio", float(series.demand_ratio[interval]))
            if self._emits:
                link.publish("wholesale/emission_rate", float(series.emission[interval]))
            if self._curve is not None:
                link.publish("wholesale/lmp_answer", rise)
                settled = self._settled(link, interval)
                rise = settled - lmp
                link.publish("wholesale/lmp", settled)
                link.publish("wholesale/lmp_answer", rise)

    def close(self) -> None:
        """Nothing to release."""

    def _settled(self, link: Link, interval: int) -> float:
        """Wait for the final clearing and return the LMP that it settled at [$/MWh]."""
        link.wait_until(self._clock.recording(interval) - 1.0)
        record = decode(RECORD, link.text(RECORD, since=self._clock.at(interval, PRICE_SLOT)))
        if record.get("interval") != interval or record.get("status") != "final":
            raise refusal(RECORD, f"is not the final one of interval {interval}")
        settled = record.get("lmp")
        if not isinstance(settled, int | float):
            raise refusal(RECORD, "lacks the LMP that was settled")
        return float(settled)


if __name__ == "__main__":
    raise SystemExit(main(NAME, Wholesale))
