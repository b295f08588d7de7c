"""The one life cycle of every federate: read, check, join, initialise, run, flush, leave.

Whatever goes wrong is said in this process's log, in its sign of life, and to the federation as a global
error, so that nobody waits for a federate that is gone.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from uuid import uuid4

import helics as h

from dlmp_cosim.federates.contract.topics import in_federation
from dlmp_cosim.federates.runtime.clock import HALF_SLOT_S
from dlmp_cosim.federates.runtime.heartbeat import (
    Heartbeat,
    Stage,
)
from dlmp_cosim.federates.runtime.hosts import KEY_VARIABLE, joining
from dlmp_cosim.federates.runtime.link import FederationStopped, HelicsLink, Link, Value, start_error, wired
from dlmp_cosim.federates.runtime.watching import (
    STOPPED,
    await_broker,
    await_verdict,
    is_over,
    watch_broker,
)
from dlmp_cosim.federates.study.helics_config import (
    FederateConfig,
    check_complete,
    of_feeder,
    publisher_of,
)
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.substation import SubstationStudy, load_any
from dlmp_cosim.federates.wire.post import HELICS_TICK
from dlmp_cosim.feeders.errors import DlmpError, FederationError

log = logging.getLogger(__name__)

OWN_FAULT = 1
"""Exit code of a federate that failed."""
ERROR_CODE = 99
NO_ANSWER = "This function will return a JSON object"
"""How pyhelics warns of a query that a broken federation did not answer; `_ask` raises an error then."""
JOINING = threading.Lock()


class Role(Protocol):
    """What one federate does; everything around it is the life cycle's."""

    def initial(self) -> Mapping[str, Value]:
        """Return what is published while initialising, for everybody to read at time 0."""

    def run(self, link: Link) -> None:
        """Act from time 0 to the end of the last interval."""

    def close(self) -> None:
        """Flush and release; called on every way out, maybe twice."""


AnyStudy = Study | SubstationStudy
Build = Callable[[Any], Role]
"""What makes a federate's role from its study: of a feeder, or of a substation."""


@dataclass(frozen=True)
class Connection:
    """How a federate reaches its broker.

    Attributes
    ----------
    core_type : str
        HELICS core; "zmq" between processes, "inproc" between threads.
    options : str
        Further options of the core.
    core : str
        Name of a core that several federates of this process share; empty for one of its own.
    """

    core_type: str = "zmq"
    options: str = ""
    core: str = ""


ALONE = Connection()
"""How a federate of a process of its own reaches its broker."""


def broker_key(study: AnyStudy) -> str:
    """Password that keeps federates of other runs out: from the environment, or the federation's name."""
    return os.environ.get(KEY_VARIABLE) or study.federation


def live(
    name: str,
    build: Build,
    study: AnyStudy,
    connection: Connection,
    beat: Heartbeat,
    admit: Callable[[Any], None] | None = None,
) -> None:
    """Live a whole federate's life.

    Parameters
    ----------
    name : str
        Name in the federation; its HELICS configuration is ``<name>.json`` in the study's folder.
    build : callable
        Makes the role from the study.
    study : Study
        The study.
    connection : Connection
        How to reach the broker.
    beat : Heartbeat
        Where to say what it is doing.
    admit : callable, optional
        Judges the others while they initialise, given the HELICS federate; by default `check_publishers`.

    Raises
    ------
    DlmpError
        What went wrong; the federation has been told and the role is closed.
    """
    config = study.config(name)
    check_complete(config, study.config_file(name))
    with closing(build(study)) as role:
        beat.tell("joining")
        known = of_feeder(config, study.feeder)
        if connection.core_type == "zmq" and not os.environ.get(KEY_VARIABLE):
            await_broker(beat)
        federate = _join(known, connection, broker_key(study))
        with _Membership(federate, known.name, role, beat, alone=study.others_go_on):
            link = HelicsLink(federate, config, beat)
            _initialise(federate, link, role, admit or check_publishers)
            _take_part(link, role, study.clock.end, beat)


@dataclass(frozen=True)
class _Membership:
    """A federate's time in the federation, which is told of whatever ends it early, an interrupt too.

    One that stops alone leaves without a word to the others: they go on.
    """

    federate: Any
    name: str
    role: Role
    beat: Heartbeat
    alone: bool = False

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None and not isinstance(error, FederationStopped):
                self.beat.tell("failed", error=summary(error))
                self.role.close()
                if self.alone:
                    return
                h.helicsFederateGlobalError(self.federate, ERROR_CODE, f"{self.name}: {summary(error)}")
        finally:
            h.helicsFederateDisconnect(self.federate)


def _initialise(federate: Any, link: HelicsLink, role: Role, admit: Callable[[Any], None]) -> None:
    """Initialise with the others, and judge them."""
    _enter(h.helicsFederateEnterInitializingMode, federate)
    admit(federate)
    for key, value in role.initial().items():
        link.publish(key, value)
    _enter(h.helicsFederateEnterExecutingMode, federate)
    link.check_inputs()


def _take_part(link: HelicsLink, role: Role, end: float, beat: Heartbeat) -> None:
    """Run, and stay until everybody is done."""
    beat.tell("working", time=0.0)
    role.run(link)
    link.wait_until(end)


def _enter(step: Callable[[Any], None], federate: Any) -> None:
    try:
        step(federate)
    except h.HelicsException as error:
        raise start_error("could not start with the others", error) from None


def check_publishers(federate: Any) -> None:
    """Raise FederationError when a member of the federation publishes a topic that is not its own."""
    for member in _ask(federate, "root", "federates"):
        for key in _ask(federate, member, "publications"):
            if publisher_of(key) != member:
                raise FederationError(f"{member!r} publishes {key}, which only {publisher_of(key)!r} may")


def _ask(federate: Any, target: str, question: str) -> list[str]:
    """Ask a member for a list; one that ran ahead and left, as a player may, has none."""
    answer = h.helicsQueryExecute(h.helicsCreateQuery(target, question), federate)
    if isinstance(answer, list):
        return [str(item) for item in answer]
    if isinstance(answer, dict) and target != "root":
        return []
    raise FederationStopped(f"the federation ended before {target!r} was known")


def _join(config: FederateConfig, connection: Connection, key: str) -> Any:
    settings = config.model_dump(exclude={"publications", "subscriptions", "endpoints", "peers"})
    create = h.helicsCreateValueFederateFromConfig
    settings["period"] = HELICS_TICK if config.endpoints else HALF_SLOT_S
    if config.endpoints:
        create = h.helicsCreateCombinationFederateFromConfig
    settings["core_type"] = connection.core_type
    settings["core_name"] = connection.core or unique_name(config.name)
    where = connection.options or joining()
    settings["core_init_string"] = f"{config.core_init_string} --brokerkey={key} {where}"
    try:
        # HELICS makes a core for the first federate that names it; two at once would make two.
        with JOINING:
            federate = create(json.dumps(settings | wired(config)))
        for peer in config.peers:
            # Messages alone are no reason for HELICS to let a federate wait for another.
            h.helicsFederateAddDependency(federate, peer)
    except h.HelicsException as error:
        raise start_error(f"{config.name} could not join the federation", error) from None
    return federate


def unique_name(name: str) -> str:
    """Name of a core, its like on no host that shares the broker."""
    return f"{name}_{os.getpid()}_{uuid4().hex[:8]}"


def summary(error: BaseException) -> str:
    """One line for a person: the message of an error of ours, the kind as well of any other."""
    text = " ".join(str(error).split())
    if isinstance(error, DlmpError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def main(name: str, build: Build, arguments: list[str] | None = None) -> int:
    """Run one federate as a process of its own.

    Parameters
    ----------
    name : str
        Name of the federate, unless the command line gives another.
    build : callable
        Makes the role from the study.
    arguments : list of str, optional
        Command line; that of the process by default.

    Returns
    -------
    int
        Exit code: 0, 1 for an error of its own, 3 when stopped because of another.
    """
    parser = argparse.ArgumentParser(description=f"Run the federate {name!r} of a study.")
    parser.add_argument("study", type=Path, help="folder with scenario.toml and the HELICS configurations")
    parser.add_argument("--name", default=name, help="name in the federation, if it is another")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    return guard({options.name: build}, options.study)


def guard(builds: Mapping[str, Build], folder: Path, feeder: str = "") -> int:
    """Live the lives of a process's federates and turn their ends into messages and one exit code.

    Parameters
    ----------
    builds : mapping of str to callable
        What makes the role of each federate, by its name.
    folder : Path
        The study's folder.
    feeder : str
        Which of several feeders the federates belong to; empty in a study of one.

    Returns
    -------
    int
        Exit code: 0, 1 for an error of a federate's own, 3 when stopped because of another; 0 as well where
        the scenario lets the other feeders go on.
    """
    warnings.filterwarnings("ignore", NO_ANSWER)
    # Python looks through all that it imported for cycles, to free what the process's end frees anyway.
    atexit.register(gc.freeze)
    try:
        study = load_any(folder, feeder)
    except DlmpError as error:
        log.error("%s: %s", ", ".join(builds), summary(error))
        return OWN_FAULT
    watched = in_federation(next(iter(builds)), study.feeder)
    threading.Thread(target=watch_broker, args=(study.run_folder, watched), daemon=True).start()
    try:
        if len(builds) > 1:
            codes = _live_together(builds, study)
        else:
            codes = [_survive(*item, study) for item in builds.items()]
    finally:
        h.helicsCloseLibrary()
    if study.others_go_on:
        # `helics run` ends everybody when a process fails, and the scenario lets the others go on.
        return 0
    return min((code for code in codes if code), default=0)


def _live_together(builds: Mapping[str, Build], study: AnyStudy) -> list[int]:
    """Live several lives in threads that share a core; their exit codes."""
    connection = Connection(options=f"--federates={len(builds)}", core=unique_name("host"))
    with ThreadPoolExecutor(len(builds)) as pool:
        lives = [pool.submit(_survive, *item, study, connection) for item in builds.items()]
    return [life.result() for life in lives]


def _survive(name: str, build: Build, study: AnyStudy, connection: Connection = ALONE) -> int:
    """Live one federate's life and turn its end into one message and an exit code."""
    beat: Heartbeat | None = None
    shown = in_federation(name, study.feeder)
    try:
        beat = Heartbeat(study.run_folder, shown)
        live(name, build, study, connection, beat)
        beat.tell("finished")
    # The outermost guard of a federate's process or thread: an interrupt ends it no less than an error.
    except BaseException as error:
        if isinstance(error, FederationStopped) or (isinstance(error, FederationError) and is_over(beat)):
            log.warning("%s: stopped: %s", shown, error)
            _end(beat, "stopped", error)
            await_verdict(beat)
            return STOPPED
        if not isinstance(error, DlmpError):
            log.exception("%s failed", shown)
        log.error("%s: %s", shown, summary(error))
        _end(beat, "failed", error)
        return OWN_FAULT
    return 0


def _end(beat: Heartbeat | None, stage: Stage, error: BaseException) -> None:
    if beat is not None:
        beat.tell(stage, error=summary(error))
