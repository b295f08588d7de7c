"""The wholesale market as seen from the feeder head: prices and demand of ISO New England, replayed."""

from __future__ import annotations

from collections.abc import Mapping

from federates.contract.messages import encode
from federates.runtime.base import main
from federates.runtime.clock import PRICE_SLOT
from federates.runtime.link import Link, Value
from federates.study.series import load_series
from federates.study.study import Study

NAME = "wholesale"


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

    def initial(self) -> Mapping[str, Value]:
        """Publish where the series come from."""
        return {"wholesale/source": encode(self._series.source)}

    def run(self, link: Link) -> None:
        """Publish each interval; in step with the recorder, because its verdict is subscribed to."""
        series = self._series
        for interval in range(self._clock.intervals):
            if interval:
                link.wait_until(self._clock.at(interval, PRICE_SLOT))
            link.publish("wholesale/lmp", float(series.lmp[interval]))
            link.publish("wholesale/lmp_energy", float(series.energy[interval]))
            link.publish("wholesale/lmp_congestion", float(series.congestion[interval]))
            link.publish("wholesale/lmp_loss", float(series.loss[interval]))
            link.publish("wholesale/demand_ratio", float(series.demand_ratio[interval]))

    def close(self) -> None:
        """Nothing to release."""


if __name__ == "__main__":
    raise SystemExit(main(NAME, Wholesale))
