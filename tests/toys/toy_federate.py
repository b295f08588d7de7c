"""One toy federate as a process, with a fault on demand: ``toy_federate feeder STUDY --fault kill@3``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toys import ROLES

from dlmp_cosim.federates.runtime.base import Role, guard
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.study.study import Study

GO = "go"
"""File for which ``wait`` waits, beside the study."""


class FaultyLink:
    """A link that misbehaves when the federate waits for an interval."""

    def __init__(self, link: Link, fault: Fault) -> None:
        self._link, self._fault = link, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def wait_until(self, time: float) -> None:
        self._link.wait_until(time)
        self._fault.maybe(time)

    def publish(self, key: str, value: Value) -> None:
        self._link.publish(key, self._fault.bend(key, value))


class Fault:
    """What goes wrong, and in which interval."""

    def __init__(self, text: str, study: Study) -> None:
        self.kind, _, when = text.partition("@")
        self._at = float(when or 0) * study.clock.period_s
        self._mark, self._go = study.folder.parent / "fault.time", study.folder.parent / GO
        self.now = -1.0

    def maybe(self, now: float) -> None:
        self.now = now
        if now >= self._at:
            self.strike()

    def strike(self) -> None:
        if self.kind == "wait":
            while not self._go.exists():
                time.sleep(0.05)
        if self.kind not in ("start", "raise", "exit", "leave", "kill", "hang", "stop"):
            return
        self._mark.write_text(str(time.time()))
        if self.kind in ("start", "raise"):
            raise RuntimeError("a fault on purpose")
        if self.kind == "exit":
            os._exit(0)
        if self.kind == "leave":
            sys.exit(0)
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(3600)

    def bend(self, key: str, value: Value) -> Value:
        del key
        return value


class FaultyRole:
    """A role whose link misbehaves."""

    def __init__(self, role: Role, fault: Fault) -> None:
        self._role, self._fault = role, fault

    def initial(self) -> Mapping[str, Value]:
        return self._role.initial()

    def run(self, link: Link) -> None:
        self._role.run(FaultyLink(link, self._fault))

    def close(self) -> None:
        self._role.close()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("study", type=Path)
    parser.add_argument("--fault", default="")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")

    def build(study: Study) -> Role:
        role: Role = ROLES[options.name](study)
        if not options.fault:
            return role
        fault = Fault(options.fault, study)
        if fault.kind == "start":
            fault.strike()
        return FaultyRole(role, fault)

    return guard({options.name: build}, options.study)


if __name__ == "__main__":
    raise SystemExit(main())
