"""A study small enough to be started a hundred times: two buses, a lossy line, prices without files.

Life cycle, broker, recorder and supervisor are the real ones; only physics and prices are toys. A process
of a federation imports its own role alone: what all of them import is paid for six times in every run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlmp_cosim.federates.runtime.base import Role
from dlmp_cosim.federates.runtime.clock import PRICE_SLOT
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.federates.study.wiring import write_config
from dlmp_cosim.feeders.network import ComplexArray, IntArray, Network
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.state import AcState

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "ieee123_day"
PRICES = CONFIGS / "data" / "smd_hourly_NEMA_20200824-20200826.csv"
PYTHONPATH = f"{ROOT}:{Path(__file__).parent}"
CIRCUIT = "toy.dss"
NAMES = ("wholesale", "feeder", "assets", "market", "recorder")

ASSETS = """resource,kind,bus,phases,load,kw_max,kva_max,curtailable_share,cost_linear,cost_quadratic
dg,generator,b,abc,,300,300,,18,0.05
flex,flexible_load,,,load_a,,,0.2,25,0.1
"""


@cache
def toy_network() -> Network:
    """Source, one three-phase line, a bus with a load on each phase."""
    from dlmp_cosim.feeders.opendss.circuit import read_circuit

    return read_circuit(Case("toy", path=Path(__file__).parent / CIRCUIT)).network


class ToyEngine:
    """Power flow of `toy_network` with one voltage drop: cheap, deterministic, always solved."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def network(self) -> Network:
        return self._network

    @property
    def taps(self) -> IntArray:
        return np.zeros(0, dtype=np.int64)

    def set_taps(self, taps: IntArray) -> None:
        del taps

    @property
    def capacitors(self) -> IntArray:
        return np.zeros(0, dtype=np.int64)

    def set_capacitors(self, closed: IntArray) -> None:
        del closed

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:
        del controls
        received = demand - injection.sum() / 3
        ohm_pu = (0.1 + 0.1j) / (2.4**2 * 1e3)
        source = np.exp(-2j * np.pi / 3 * np.arange(3))
        far = source * (1.0 - ohm_pu * received.conj())
        losses = np.abs(received) ** 2 * ohm_pu
        sent = received + losses
        return AcState(
            voltage=np.concatenate([source, far]),
            power=np.concatenate([sent, -received]),
            current=np.tile(np.abs(sent) / 2.4, 2),
            load=demand,
            demand=demand,
            injection=injection,
            machine=np.zeros(0, dtype=np.complex128),
            tap=self.taps,
            capacitor=np.zeros(0, dtype=np.int64),
            admittance=np.zeros(0, dtype=np.complex128),
            head=sent,
            losses=complex(losses.sum()),
            iterations=1,
        )


class ToyWholesale:
    """Prices that tell the interval: 20, 21, ... $/MWh."""

    def __init__(self, study: Study) -> None:
        self._clock = study.clock

    def initial(self) -> Mapping[str, Value]:
        return {"wholesale/source": '{"toy":true}'}

    def run(self, link: Link) -> None:
        for interval in range(self._clock.intervals):
            if interval:
                link.wait_until(self._clock.at(interval, PRICE_SLOT))
            price = 20.0 + interval % 20
            link.publish("wholesale/lmp", price)
            link.publish("wholesale/lmp_energy", price)
            link.publish("wholesale/lmp_congestion", 0.0)
            link.publish("wholesale/lmp_loss", 0.0)
            link.publish("wholesale/demand_ratio", 0.5 + 0.01 * (interval % 50))

    def close(self) -> None:
        return


def all_but(name: str) -> tuple[str, ...]:
    """Name the toys beside one, as bystanders that may share a process."""
    return tuple(other for other in NAMES if other != name)


def toy_feeder(study: Study) -> Role:
    """The real feeder federate on the toy engine."""
    from dlmp_cosim.federates.feeder import Feeder

    return Feeder(study, ToyEngine(study.network))


class Roles(Mapping[str, Any]):
    """Roles of a toy federation: toys, and those of the project, each imported when it is asked for."""

    _made: ClassVar[dict[str, Any]] = {"wholesale": ToyWholesale, "feeder": toy_feeder}
    _real: ClassVar[dict[str, str]] = {"assets": "Assets", "market": "MarketFederate", "recorder": "Recorder"}

    def __getitem__(self, name: str) -> Any:
        if name in self._made:
            return self._made[name]
        return getattr(import_module(f"dlmp_cosim.federates.{name}"), self._real[name])

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


ROLES = Roles()


def role(study: Study, name: str) -> Role:
    """The role of a toy federate in a process that hosts several."""
    made: Role = ROLES[name](study)
    return made


def make_study(
    folder: Path,
    *,
    intervals: int = 6,
    period_s: int = 60,
    on_failure: str = "hold_last",
    model: str = "uniform",
) -> Path:
    """Write a toy study with its HELICS files; results go beside it."""
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / CIRCUIT, folder)
    (folder / "assets.csv").write_text(ASSETS)
    (folder / "scenario.toml").write_text(
        f"""
[study]
name = "toy"
[time]
start = "2020-08-25T00:00:00"
intervals = {intervals}
period_s = {period_s}
rounds_max = 4
[feeder]
case = "{CIRCUIT}"
assets = "assets.csv"
[wholesale]
files = ["{PRICES}"]
[market]
model = "{model}"
on_failure = "{on_failure}"
[results]
file = "{folder.parent / "out" / "results.h5"}"
"""
    )
    write_configs(folder)
    return folder


def make_substation(
    folder: Path, *feeders: str, settings: str = "", on_stop: str = "end", **study: Any
) -> Path:
    """Write a study of toy feeders that meet at a substation; results go beside it."""
    for name in feeders:
        make_study(folder / name, **study)
    listed = "".join(f'[[feeders]]\nname = "{name}"\nstudy = "{name}"\n' for name in feeders)
    (folder / "scenario.toml").write_text(
        f"""
[study]
name = "toys"
[substation]
exchanges = 3
rounds_max = 5
on_stop = "{on_stop}"
{settings}
{listed}
[results]
file = "{folder.parent / "together" / "results.h5"}"
"""
    )
    return folder


def write_configs(folder: Path) -> None:
    """Write out the HELICS files that a study leaves to the contract."""
    study = load_study(folder)
    for name in NAMES:
        write_config(study.config(name), study.config_file(name))


def make_runner(
    study: Path,
    *,
    faults: Mapping[str, str] | None = None,
    hosted: Collection[str] = (),
    stall_s: float = 5.0,
    start_s: float = 60.0,
) -> Path:
    """Write a runner file that starts the toy federates, some of them with a fault such as ``kill@3``.

    Those in `hosted` share one process; every other has its own.
    """
    faults = faults or {}

    def exec_of(name: str) -> str:
        fault = f" --fault {faults[name]}" if name in faults else ""
        return f"python -u -m toy_federate {name} {study}{fault}"

    waits = f"--federates {','.join(NAMES)} --stall {stall_s} --start {start_s}"
    members = {
        "broker": f"python -u -m dlmp_cosim.runners.broker {study} {waits}",
        **{name: exec_of(name) for name in NAMES if name not in hosted},
    }
    if hosted:
        listed = " ".join(f"{name}=toys:role" for name in NAMES if name in hosted)
        members["host"] = f"python -u -m dlmp_cosim.federates.host {study} {listed}"
    common = {"directory": str(ROOT), "host": "localhost", "env": {"PYTHONPATH": PYTHONPATH}}
    rows = [{"name": name, "exec": text, **common} for name, text in members.items()]
    path = study.parent / "toy.json"
    path.write_text(json.dumps({"name": "toy", "federates": rows}, indent=1))
    return path


def environment(**extra: str) -> dict[str, str]:
    """Environment in which `python` and `helics` are those of the tests."""
    folder = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **extra}


def processes(folder: Path, *words: str) -> list[int]:
    """Processes whose command line mentions a folder, and all `words`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if all(word in line for word in (str(folder), *words)):
            found.append(int(path.parent.name))
    return found


def change_manifest(path: Path, tables: Mapping[str, Mapping[str, object]]) -> None:
    """Make the manifest of a results file say something else."""
    import h5py

    from dlmp_cosim.federates.results.layout import MANIFEST, create_text

    with h5py.File(path, "r+") as file:
        manifest = json.loads(file[MANIFEST].asstr()[()])
        for table, values in tables.items():
            manifest["scenario"][table].update(values)
        del file[MANIFEST]
        create_text(file, MANIFEST, json.dumps(manifest))
