"""Owners that fail, at the start or in their second interval, for a host to end well all the same."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from dlmp_cosim.federates.assets import Assets
from dlmp_cosim.federates.offering import Interval
from dlmp_cosim.federates.runtime.base import Role
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.offers import Offer


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


class Refusing(Raising):
    """Cannot even be made."""

    def __init__(self, study: Study, name: str) -> None:
        super().__init__(study, name)
        self.mark()
        raise InputError("a fault on purpose", where=name)


class Killed(Raising):
    """Ends without a word."""

    def offer(self, now: Interval) -> Sequence[Offer]:
        if now.number == 1:
            self.mark()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().offer(now)


class Hanging(Raising):
    """Stops answering."""

    def offer(self, now: Interval) -> Sequence[Offer]:
        if now.number == 1:
            self.mark()
            time.sleep(3600)
        return super().offer(now)


def of_the_day(study: Study, name: str) -> Role:
    """One of the five federates of a built-in study, for a process that hosts them."""
    from dlmp_cosim.federates.runtime.local import ROLES

    return ROLES[name](study)
