"""A whole study in one process without HELICS: the same roles on a link that hands values over directly.

A sweep of a thousand runs needs neither ports nor a broker for each. Roles, configurations and checks are
those of a federation, and so are the results, to the last bit; a test holds them equal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlmp_cosim.federates.contract.topics import SUBSTATION, in_federation
from dlmp_cosim.federates.runtime.base import AnyStudy, Build, Role, summary
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.federates.runtime.link import CheckedLink, FederationStopped, Value, refusal
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.runtime.turns import Turns
from dlmp_cosim.federates.study.helics_config import FederateConfig, check_complete, of_feeder, publisher_of
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.substation import SubstationStudy
from dlmp_cosim.federates.substation import Substation
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import FloatArray

BEFORE = -1.0
"""Time of what is published while initialising: everybody reads it from the start [s]."""


@dataclass(frozen=True)
class _Posted:
    """A value, when it was published, and what stood there before that time."""

    time: float
    value: Value
    earlier: _Posted | None = None


class Board:
    """What was published: of every topic the last value, and the one before it."""

    def __init__(self) -> None:
        self._posted: dict[str, _Posted] = {}

    def post(self, key: str, value: Value, time: float) -> None:
        """Publish a value at a simulated time [s]; of several at one time the last counts.

        Parameters
        ----------
        key : str
            Key of the topic.
        value : float, str or ndarray
            The value; an array is copied.
        time : float
            Simulated time at which it is published [s].
        """
        if isinstance(value, np.ndarray):
            value = np.array(value, dtype=np.float64)
            value.flags.writeable = False
        last = self._posted.get(key)
        if last is None or last.time == time:
            earlier = last.earlier if last else None
        else:
            earlier = _Posted(last.time, last.value)
        self._posted[key] = _Posted(time, value, earlier)

    def read(self, key: str, now: float) -> _Posted | None:
        """Return what was published last before a simulated time [s].

        Parameters
        ----------
        key : str
            Key of the topic.
        now : float
            Simulated time of the reader [s]; what is published at that very time it does not see yet.
        """
        last = self._posted.get(key)
        if last is not None and last.time >= now:
            last = last.earlier
        return last


class DirectLink(CheckedLink):
    """The link of a federate that shares its process with all others.

    Parameters
    ----------
    config : FederateConfig
        Its topics.
    beat : Heartbeat
        Where it says what it is doing.
    board : Board
        Where values are.
    turns : Turns
        Whose turn it is.
    feeder : str
        Which of several feeders it belongs to.
    """

    def __init__(
        self, config: FederateConfig, beat: Heartbeat, board: Board, turns: Turns, feeder: str = ""
    ) -> None:
        super().__init__(config, beat)
        self._board, self._turns, self._now, self._feeder = board, turns, BEFORE, feeder
        self._name = in_federation(config.name, feeder)

    @property
    def post(self) -> None:
        """Endpoint of this federate: none without HELICS."""
        return

    def begin(self) -> None:
        """Wait for the first turn, at time 0.

        Raises
        ------
        FederationStopped
            When the run ended because of somebody else.
        """
        self._turns.begin(self._name)
        self._now = 0.0

    def wait_until(self, time: float) -> None:
        """Wait for a simulated time [s].

        Raises
        ------
        FederationStopped
            When the run ended because of somebody else.
        """
        self._turns.wait(self._name, time)
        self._now = time

    def _take_number(self, key: str, since: float) -> float:
        value = self._take(key, since)
        return float("nan") if isinstance(value, str) else float(np.asarray(value).ravel()[0])

    def _take_vector(self, key: str, since: float) -> FloatArray:
        value = self._take(key, since)
        return np.empty(0) if isinstance(value, str) else np.array(value, dtype=np.float64, ndmin=1)

    def _take_text(self, key: str, since: float) -> str:
        value = self._take(key, since)
        text = value if isinstance(value, str) else ""
        self._check_length(key, len(text.encode()))
        return text

    def _send(self, key: str, value: Value) -> None:
        self._board.post(in_federation(key, self._feeder), value, self._now)

    def _take(self, key: str, since: float) -> Value:
        if key not in self._reads:
            raise self._not_listed(key)
        found = self._board.read(in_federation(key, self._feeder), self._now)
        if found is None:
            raise refusal(key, "was never published")
        self._check_age(key, max(found.time, 0.0), since)
        return found.value


def run_direct(study: Study, roles: Mapping[str, Build] | None = None) -> None:
    """Run a study in this process and wait for its end.

    Parameters
    ----------
    study : Study
        The study.
    roles : mapping of str to callable, optional
        What makes each federate's role; the built-in ones by default.

    Raises
    ------
    Exception
        The first error of a federate of its own fault.
    """
    _run_parts([_Part(study, name, build) for name, build in (ROLES if roles is None else roles).items()])


def run_together(study: SubstationStudy, roles: Mapping[str, Mapping[str, Build]] | None = None) -> None:
    """Run feeders that meet at a substation in this process and wait for their end.

    Parameters
    ----------
    study : SubstationStudy
        The study of all.
    roles : mapping of str to mapping, optional
        What makes the roles of a feeder, by its name; the built-in ones by default.

    Raises
    ------
    Exception
        The first error of a federate of its own fault.
    """
    parts = [
        _Part(member, role, build)
        for name, member in study.members.items()
        for role, build in (roles or {}).get(name, ROLES).items()
    ]
    _run_parts([*parts, _Part(study, SUBSTATION, Substation)])


@dataclass(frozen=True)
class _Part:
    """One federate: its study, its name there, what makes its role, and its configuration."""

    study: AnyStudy
    name: str
    build: Build

    @property
    def shown(self) -> str:
        return in_federation(self.name, self.study.feeder)

    @cached_property
    def config(self) -> FederateConfig:
        return self.study.config(self.name)


def _run_parts(parts: Sequence[_Part]) -> None:
    """Check how federates are wired, make them and run them to the end."""
    for part in parts:
        check_complete(part.config, part.study.config_file(part.name))
    check_wiring(of_feeder(part.config, part.study.feeder) for part in parts)
    with ExitStack() as stack:
        made = {part.shown: stack.enter_context(closing(part.build(part.study))) for part in parts}
        _Run(parts, made).to_end()


class _Run:
    """One run of roles that are made."""

    def __init__(self, parts: Sequence[_Part], made: Mapping[str, Role]) -> None:
        self._end, self._made = parts[0].study.clock.end, made
        self._alone = {part.shown for part in parts if part.study.others_go_on}
        self._board, self._turns = Board(), Turns(list(made))
        self._failures: list[Exception] = []
        self._links = {
            part.shown: DirectLink(
                part.config, Heartbeat(None, part.shown), self._board, self._turns, part.study.feeder
            )
            for part in parts
        }

    def to_end(self) -> None:
        """Initialise, let everybody act, and raise what went wrong."""
        for name, role in self._made.items():
            for key, value in role.initial().items():
                self._links[name].publish(key, value)
        threads = [threading.Thread(target=self._live, args=(name,), name=name) for name in self._made]
        for thread in threads:
            thread.start()
        self._turns.start()
        for thread in threads:
            thread.join()
        if self._failures:
            first = self._failures[0]
            raise next((e for e in self._failures if not isinstance(e, FederationStopped)), first)

    def _live(self, name: str) -> None:
        link = self._links[name]
        try:
            link.begin()
            self._made[name].run(link)
            link.wait_until(self._end)
            self._turns.leave(name)
        except Exception as error:  # noqa: BLE001 - the outermost guard of the thread; raised again above
            if name in self._alone and not isinstance(error, FederationStopped):
                self._turns.leave(name)
                return
            self._failures.append(error)
            self._turns.stop(f"{name}: {summary(error)}")


def check_wiring(configs: Iterable[FederateConfig]) -> None:
    """Raise FederationError unless what is read is published, by its publisher and in the same unit."""
    members = list(configs)
    published = {}
    for config in members:
        for item in config.publications:
            if publisher_of(item.key) != config.name:
                raise FederationError(
                    f"{config.name!r} publishes {item.key}, which only {publisher_of(item.key)!r} may"
                )
            published[item.key] = item
    for config in members:
        for wanted in config.subscriptions:
            found = published.get(wanted.key)
            if found is None:
                if wanted.required:
                    raise FederationError(f"{config.name} reads {wanted.key}, which nobody publishes")
                continue
            if found.type != wanted.type:
                raise refusal(wanted.key, f"is a {found.type}; expected a {wanted.type}")
            if found.unit != wanted.unit:
                raise refusal(wanted.key, f"is in {found.unit!r}; expected {wanted.unit!r}")
