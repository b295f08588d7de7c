"""Owners that fail in their second interval, for a host to survive or not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from federates.assets import Assets
from federates.offering import Interval
from market.offers import Offer


class Raising(Assets):
    """Raises."""

    def offer(self, now: Interval) -> Sequence[Offer]:
        if now.number == 1:
            self.mark()
            raise RuntimeError("a fault on purpose")
        return super().offer(now)

    def mark(self) -> None:
        """Say when it happened."""
        Path(self.study.scenario_file.parent / "fault.time").write_text(repr(time.time()))


class Hanging(Raising):
    """Stops answering."""

    def offer(self, now: Interval) -> Sequence[Offer]:
        if now.number == 1:
            self.mark()
            time.sleep(3600)
        return super().offer(now)
