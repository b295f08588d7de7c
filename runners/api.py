"""What a notebook needs, in one import: run a study, open a run, make a sweep, draw.

>>> from dlmp_cosim.runners.api import open_run, read_sweep, run_study, run_sweep
>>> run = run_study("configs/ieee123_day", "results/today", {"feeder.load_scale": 1.1})
>>> run.frame("market/dlmp_real", at="83")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.dataset
import pyarrow.parquet

from dlmp_cosim.runners.tables.columns import unit_of
from dlmp_cosim.runners.tables.topics import KEYS, Quantity, read_quantity

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from dlmp_cosim.feeders.network import Network
    from dlmp_cosim.runners.report.runs import RunView

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.checked_file import read_toml, validate
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.study import SCENARIO_FILE
from dlmp_cosim.feeders.errors import InputError, ResultsError, unknown_name
from dlmp_cosim.runners.judge.ledger import account_for
from dlmp_cosim.runners.judge.settle import summary as settled
from dlmp_cosim.runners.judge.summary import summarise
from dlmp_cosim.runners.sweep.apply import set_key
from dlmp_cosim.runners.sweep.engine import run_here
from dlmp_cosim.runners.sweep.folder import SUMMARY, TOPICS, kept_file, open_folder
from dlmp_cosim.runners.sweep.job import PlacedStudy, builds_of
from dlmp_cosim.runners.sweep.plan import load_plan

__all__ = ["PICTURES", "Run", "Sweep", "open_run", "read_sweep", "run_study", "run_sweep"]

PICTURES = ("day", "prices", "feeder", "settlement")
"""Pictures of a run, as of ``dlmp report``."""


@dataclass(frozen=True)
class Run:
    """A run that can be looked at; the file is opened for each question and closed again.

    Attributes
    ----------
    path : Path
        Its results file.
    """

    path: Path

    def frame(self, topic: str, at: str | Sequence[str] = ()) -> pd.DataFrame:
        """Read a topic as pandas.

        Parameters
        ----------
        topic : str
            Topic such as ``market/dlmp_real``, or a part of the settlement, ``settlement/load_account``.
        at : str or sequence of str, optional
            Places: names of nodes, loads, resources, or buses, which stand for all nodes of theirs.

        Returns
        -------
        DataFrame
            A row for each interval, by its start in UTC, and a column for each place; ``attrs`` holds unit
            and meaning.

        Raises
        ------
        InputError
            When there is no such topic or place, with the nearest name.
        """
        found, chosen, times = self._read(topic, at)
        columns = [found.ids[k] for k in chosen] if found.kind else [topic]
        values = found.columns[:, chosen]
        table = pd.DataFrame(values, index=times, columns=pd.Index(columns, name=found.kind or None))
        table.attrs.update({"unit": found.unit, "meaning": found.meaning})
        return table

    def array(self, topic: str, at: str | Sequence[str] = ()) -> xr.DataArray:
        """Read a topic as xarray, with the dimensions ``time`` and that of its places.

        Parameters
        ----------
        topic, at
            As for `frame`.

        Raises
        ------
        InputError
            When there is no such topic or place, or xarray is not installed.
        """
        try:
            import xarray as xr
        except ModuleNotFoundError:
            raise InputError(
                "xarray is not installed", where="array", expected='pip install "dlmp-cosim[analysis]"'
            ) from None
        found, chosen, times = self._read(topic, at)
        coords: dict[str, Any] = {"time": times.tz_localize(None)}
        values = found.values
        if found.kind:
            coords[found.kind] = [found.ids[k] for k in chosen]
            values = values[:, chosen]
        attributes = {"units": found.unit, "long_name": found.meaning}
        return xr.DataArray(values, coords=coords, dims=tuple(coords), name=topic, attrs=attributes)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Figures of ``dlmp summary --json``."""
        with Results(self.path) as results:
            return asdict(summarise(results))

    @cached_property
    def money(self) -> dict[str, Any]:
        """Who pays whom, as of ``dlmp settle --json``; in $ and kWh."""
        with Results(self.path) as results:
            return settled(account_for(results))

    @cached_property
    def network(self) -> Network:
        """The feeder of the run."""
        with Results(self.path) as results:
            return results.network

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that `frame` and `array` read."""
        with Results(self.path) as results:
            return tuple(key for key in KEYS if key in results or key.startswith("settlement/"))

    def draw(self, picture: str = "day") -> Figure:
        """Draw one of `PICTURES`.

        Raises
        ------
        InputError
            When there is no such picture, or matplotlib is not installed.
        """
        if picture not in PICTURES:
            raise unknown_name("picture", picture, PICTURES, where="draw")
        from dlmp_cosim.runners.report import pictures

        return getattr(pictures, f"{picture}_picture")(self._view)  # type: ignore[no-any-return]

    @cached_property
    def _view(self) -> RunView:
        from dlmp_cosim.runners.report.runs import load_view

        return load_view(self.path)

    def _read(self, topic: str, at: str | Sequence[str]) -> tuple[Quantity, list[int], pd.DatetimeIndex]:
        if topic not in KEYS:
            raise unknown_name("topic", topic, KEYS, where=str(self.path))
        with Results(self.path) as results:
            found = read_quantity(results, topic)
            times = pd.to_datetime(results.time, unit="s", utc=True).rename("time")
        return found, _places(found, [at] if isinstance(at, str) else list(at)), times


def _places(found: Quantity, wanted: Sequence[str]) -> list[int]:
    """Columns of the places that are wanted; all when none is."""
    if not wanted or not found.kind:
        return list(range(found.columns.shape[1]))
    chosen: list[int] = []
    for name in wanted:
        there = [k for k, place in enumerate(found.ids) if name in (place, place.rpartition(".")[0])]
        if not there:
            buses = {place.rpartition(".")[0] for place in found.ids} - {""}
            raise unknown_name(found.kind, name, (*found.ids, *sorted(buses)), where=found.key)
        chosen += there
    return chosen


def open_run(path: str | Path) -> Run:
    """Open a run by its results file, or the folder that holds it.

    Raises
    ------
    ResultsError
        When it is no results file.
    """
    file = Path(path) / "results.h5" if Path(path).is_dir() else Path(path)
    Results(file).close()
    return Run(file)


def run_study(
    study: str | Path,
    output: str | Path,
    changes: Mapping[str, Any] | None = None,
    federates: Mapping[str, str] | None = None,
) -> Run:
    """Run a study in this process and open it.

    Parameters
    ----------
    study : str or Path
        Folder of the study.
    output : str or Path
        Folder of the results.
    changes : mapping of str to object, optional
        Scenario keys and values to run it with instead, as in ``{"feeder.load_scale": 1.1}``.
    federates : mapping of str to str, optional
        Class of every owner of the study, as in ``{"pv": "dlmp_cosim.federates.pv:Pv"}``.

    Raises
    ------
    DlmpError
        When the study cannot be used, or its run failed.
    """
    folder = Path(study)
    table = read_toml(folder / SCENARIO_FILE)
    for key, value in (changes or {}).items():
        set_key(table, key, value, None, "changes")
    scenario = validate(Scenario, table, folder / SCENARIO_FILE)
    place = Path(output) / "results.h5"
    run_direct(
        PlacedStudy(folder, scenario, place), builds_of({**dict.fromkeys(ROLES, ""), **(federates or {})})
    )
    return open_run(place)


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep that are done.

    Attributes
    ----------
    path : Path
        Output folder of the sweep.
    """

    path: Path

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A row a run: axes, verdict, metrics, money; ``attrs["units"]`` holds the unit of every column."""
        table = pyarrow.parquet.read_table(self.path / SUMMARY)
        found: pd.DataFrame = table.to_pandas()
        found.attrs["units"] = {field.name: unit_of(field) for field in table.schema}
        return found

    def topic(self, kept: str) -> pd.DataFrame:
        """Read a topic of all runs, long, with the axes of every run beside it.

        Parameters
        ----------
        kept : str
            As the sweep file has it, ``market/dlmp_real`` or ``market/dlmp_real:mean``.

        Raises
        ------
        InputError
            When the sweep kept no such topic.
        """
        folder = self.path / kept_file(kept, 0).parent
        if not folder.is_dir():
            there = [path.name for path in (self.path / TOPICS).glob("*")]
            raise unknown_name("topic", folder.name, there, where=str(self.path / TOPICS))
        values: pd.DataFrame = pyarrow.dataset.dataset(folder, format="parquet").to_table().to_pandas()
        columns = list(self.summary.columns)
        axes = columns[: columns.index("verdict")]
        return values.merge(self.summary[axes], on="run", how="left")


def read_sweep(path: str | Path) -> Sweep:
    """Open the output folder of a sweep.

    Raises
    ------
    ResultsError
        When it holds none.
    """
    if not (Path(path) / SUMMARY).is_file():
        raise ResultsError(f"{path}: holds no {SUMMARY}; expected the output folder of a sweep")
    return Sweep(Path(path))


def run_sweep(
    file: str | Path,
    output: str | Path,
    *,
    draws: int | None = None,
    workers: int = 0,
    scheduler: str = "",
) -> Sweep:
    """Run what is left of a sweep, and open it.

    Parameters
    ----------
    file : str or Path
        The sweep file.
    output : str or Path
        Output folder.
    draws : int, optional
        Draws instead of those that the file names.
    workers : int
        Workers on this machine; 0 for one a core.
    scheduler : str
        Address of a Dask scheduler to use instead.

    Raises
    ------
    DlmpError
        When the sweep cannot be used; a run that fails is a row of the summary.
    """
    plan = load_plan(Path(file), draws)
    plan.check()
    with open_folder(Path(output), plan.identity()) as folder:
        left = [number for number in range(len(plan.design)) if number not in folder.done]
        run_here(
            map(plan.job, left),
            len(left),
            folder.record,
            title=plan.sweep.name,
            scheduler=scheduler,
            workers=workers,
        )
        folder.write_summary(plan.design)
    return read_sweep(output)
