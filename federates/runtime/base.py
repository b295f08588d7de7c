"""The one life cycle of every federate: read, check, join, initialise, run, flush, leave.

Whatever goes wrong is said in this process's log, in its sign of life, and to the federation as a global
error, so that nobody waits for a federate that is gone.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import helics as h

from federates.runtime.heartbeat import ENDED, Heartbeat, Sign, Stage, process_alive, read_sign, wait_for_end
from federates.runtime.link import FederationStopped, HelicsLink, Link, Value, start_error, wired
from federates.study.helics_config import FederateConfig, check_complete, publisher_of
from federates.study.study import Study, load_study
from feeders.errors import DlmpError, FederationError

log = logging.getLogger(__name__)

BROKER = "broker"
"""Name under which the broker process reports that it is alive."""
OWN_FAULT, STOPPED = 1, 3
"""Exit codes of a federate that failed, and of one that was stopped by another's failure."""
ERROR_CODE = 99
BROKER_WATCH_S = 0.2
VERDICT_S, VERDICT_POLL_S = 3.0, 0.02
"""How long one that was stopped waits for the broker's verdict, and how often it looks [s]."""
NO_ANSWER = "This function will return a JSON object"
"""How pyhelics warns of a query that a broken federation did not answer; `_ask` raises an error then."""
JOINING = threading.Lock()
RECENT_S = 10.0
"""Age beyond which the broker's last word belongs to an earlier run [s]."""


class Role(Protocol):
    """What one federate does; everything around it is the life cycle's."""

    def initial(self) -> Mapping[str, Value]:
        """Return what is published while initialising, for everybody to read at time 0."""

    def run(self, link: Link) -> None:
        """Act from time 0 to the end of the last interval."""

    def close(self) -> None:
        """Flush and release; called on every way out, maybe twice."""


Build = Callable[[Study], Role]
"""What makes a federate's role from the study."""


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


def broker_key(study: Study) -> str:
    """Password that keeps federates of other runs out: from the environment, or the study's name."""
    return os.environ.get("HELICS_BROKER_KEY") or study.name


def live(name: str, build: Build, study: Study, connection: Connection, beat: Heartbeat) -> None:
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

    Raises
    ------
    DlmpError
        What went wrong; the federation has been told and the role is closed.
    """
    config = study.config(name)
    check_complete(config, study.config_file(name))
    with closing(build(study)) as role:
        beat.tell("joining")
        federate = _join(config, connection, broker_key(study))
        try:
            _take_part(federate, config, role, study.clock.end, beat)
        except FederationStopped:
            raise
        except BaseException as error:
            beat.tell("failed", error=summary(error))
            role.close()
            h.helicsFederateGlobalError(federate, ERROR_CODE, f"{config.name}: {summary(error)}")
            raise
        finally:
            h.helicsFederateDisconnect(federate)


def _take_part(federate: Any, config: FederateConfig, role: Role, end: float, beat: Heartbeat) -> None:
    """Initialise with the others, check what they publish, run, and stay until everybody is done."""
    link = HelicsLink(federate, config, beat)
    _enter(h.helicsFederateEnterInitializingMode, federate)
    check_publishers(federate)
    for key, value in role.initial().items():
        link.publish(key, value)
    _enter(h.helicsFederateEnterExecutingMode, federate)
    link.check_inputs()
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
    settings = config.model_dump(exclude={"publications", "subscriptions"})
    settings["core_type"] = connection.core_type
    settings["core_name"] = connection.core or unique_name(config.name)
    settings["core_init_string"] = f"{config.core_init_string} --brokerkey={key} {connection.options}"
    try:
        # HELICS makes a core for the first federate that names it; two at once would make two.
        with JOINING:
            return h.helicsCreateValueFederateFromConfig(json.dumps(settings | wired(config)))
    except h.HelicsException as error:
        raise start_error(f"{config.name} could not join the federation", error) from None


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


def guard(builds: Mapping[str, Build], folder: Path) -> int:
    """Live the lives of a process's federates and turn their ends into messages and one exit code.

    Parameters
    ----------
    builds : mapping of str to callable
        What makes the role of each federate, by its name.
    folder : Path
        The study's folder.

    Returns
    -------
    int
        Exit code: 0, 1 for an error of a federate's own, 3 when stopped because of another.
    """
    warnings.filterwarnings("ignore", NO_ANSWER)
    try:
        study = load_study(folder)
    except DlmpError as error:
        log.error("%s: %s", ", ".join(builds), summary(error))
        return OWN_FAULT
    watched = next(iter(builds))
    threading.Thread(target=_watch_broker, args=(study.run_folder, watched), daemon=True).start()
    try:
        if len(builds) > 1:
            codes = _live_together(builds, study)
        else:
            codes = [_survive(*item, study) for item in builds.items()]
    finally:
        h.helicsCloseLibrary()
    return min((code for code in codes if code), default=0)


def _live_together(builds: Mapping[str, Build], study: Study) -> list[int]:
    """Live several lives in threads that share a core; their exit codes."""
    connection = Connection(options=f"--federates={len(builds)}", core=unique_name("host"))
    with ThreadPoolExecutor(len(builds)) as pool:
        lives = [pool.submit(_survive, *item, study, connection) for item in builds.items()]
    return [life.result() for life in lives]


def _survive(name: str, build: Build, study: Study, connection: Connection = ALONE) -> int:
    """Live one federate's life and turn its end into one message and an exit code."""
    beat: Heartbeat | None = None
    try:
        beat = Heartbeat(study.run_folder, name)
        live(name, build, study, connection, beat)
        beat.tell("finished")
    except BaseException as error:
        if isinstance(error, FederationStopped) or (isinstance(error, FederationError) and _is_over(beat)):
            log.warning("%s: stopped: %s", name, error)
            _end(beat, "stopped", error)
            _await_verdict(beat)
            return STOPPED
        if not isinstance(error, DlmpError):
            log.exception("%s failed", name)
        log.error("%s: %s", name, summary(error))
        _end(beat, "failed", error)
        return OWN_FAULT
    return 0


def _end(beat: Heartbeat | None, stage: Stage, error: BaseException) -> None:
    if beat is not None:
        beat.tell(stage, error=summary(error))


def _broker_sign(beat: Heartbeat | None) -> Sign | None:
    return read_sign(beat.folder, BROKER) if beat is not None and beat.folder is not None else None


def _is_over(beat: Heartbeat | None) -> bool:
    """Tell whether the broker has ended the run: an error while joining then is no fault of this federate."""
    sign = _broker_sign(beat)
    return sign is not None and sign.beat.stage == "failed" and sign.age_s < RECENT_S


def _await_verdict(beat: Heartbeat | None) -> None:
    """Stay until the broker has named who is at fault: `helics run` ends all when the first leaves."""
    limit = time.monotonic() + VERDICT_S
    while time.monotonic() < limit:
        sign = _broker_sign(beat)
        if sign is None or sign.beat.stage in ENDED or not process_alive(sign.beat.pid):
            return
        time.sleep(VERDICT_POLL_S)


def _watch_broker(run_folder: Path, name: str) -> None:
    """End this process when the broker's is gone: nobody is left to end a wait in HELICS."""
    broker = _find_broker(run_folder)
    wait_for_end(broker)
    sign = read_sign(run_folder, BROKER)
    if sign is None or sign.beat.stage not in ENDED:
        log.error("%s: the broker is gone (process %d)", name, broker)
        logging.shutdown()
        os._exit(STOPPED)


def _find_broker(run_folder: Path) -> int:
    """Wait for the broker's first sign of life, not one of an earlier run, and return its process."""
    while True:
        sign = read_sign(run_folder, BROKER)
        if sign is not None and sign.beat.stage not in ENDED and process_alive(sign.beat.pid):
            return sign.beat.pid
        time.sleep(BROKER_WATCH_S)
