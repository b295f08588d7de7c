"""A line of 4.16 kV behind a source, and the engine that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.compile import compile_case
from dlmp_cosim.feeders.opendss.library import engine_for
from tests.circuits import written

SOURCE = "new circuit.c bus1=s basekv=4.16 pu=1.0 mvasc3=200 mvasc1=150"
LINE = "new line.sb bus1=s bus2=b r1=0.1 x1=0.2 r0=0.3 x0=0.6 c1=0 c0=0 length=1"
LOAD = "new load.b bus1=b kv=4.16 kw=300 kvar=90"
BASES = ("set voltagebases=(4.16 0.48)", "calcvoltagebases")
STEP_UP = (
    "new transformer.t phases=3 windings=2 buses=[b t] conns=[wye wye] kvs=[4.16 4.16] kvas=[900 900] xhl=2"
)
REGULATED = "new regcontrol.reg transformer=t winding=2 vreg=120 band=2 ptratio=20"
BANK = (
    "new capacitor.k bus1=b kv=4.16 kvar=120 numsteps=3",
    "new capcontrol.bank capacitor=k element=line.sb type=kvar ptratio=1 onsetting=50 offsetting=-60",
)


class Compiled:
    """A circuit of a few commands or a file, solved, with an engine of its own."""

    def __init__(self, *lines: str, case: Case | None = None, bases: Sequence[str] = BASES) -> None:
        self.case = case or written("\n".join((SOURCE, LINE, *lines, *bases)))
        self.engine = engine_for(self)
        self.circuit: Any = compile_case(self.engine, self.case, tolerance=1e-10)

    def active(self, name: str) -> Any:
        """An element, made the active one."""
        self.circuit.SetActiveElement(name)
        return self.circuit.ActiveCktElement

    def command(self, *lines: str) -> None:
        """More commands."""
        for line in lines:
            self.engine.Text.Command = line
