"""What a user writes in ``sweep.toml``: a base study, axes that vary it, and what to keep of a run."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dlmp_cosim.federates.study.checked_file import read_toml, validate
from dlmp_cosim.federates.study.scenario import Positive, Section
from dlmp_cosim.feeders.errors import InputError

Scalar = bool | int | float | str | datetime | date
How = Literal["set", "scale", "total", "keep"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
LISTED = ("values", "cases", "dates")
DRAWN = ("choice", "uniform", "log_uniform", "normal", "integers")
TOGETHER = {"rating": ("kw_max", "kva_max"), "cost": ("cost_linear", "cost_quadratic")}
"""Columns of the asset table that may be scaled as one."""
ASSETS = "assets"
"""First part of keys that stand for columns of the asset table."""


class Dates(Section):
    """Days, one after another."""

    first: date = Field(description="first day")
    last: date = Field(description="last day")
    step_days: Annotated[int, Field(ge=1)] = Field(default=1, description="days from one to the next")

    @model_validator(mode="after")
    def _ordered(self) -> Dates:
        if self.last < self.first:
            raise ValueError(f"last is before first; expected a day from {self.first} on")
        return self

    def list(self) -> list[date]:
        """All of them."""
        count = (self.last - self.first).days // self.step_days + 1
        return [self.first + timedelta(days=k * self.step_days) for k in range(count)]


class Axis(Section):
    """One thing that varies: a list that every combination takes, or a distribution that is drawn from."""

    key: str = Field(
        default="",
        description="scenario key such as feeder.load_scale, or columns of the asset table: assets.kw_max, "
        "assets.rating (kW and kVA alike), assets.cost (both of its terms)",
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")] = Field(
        default="", description="column in the tables; the key by default"
    )
    where: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="asset rows meant: column and pattern, as in resource = 'pv_*' or '{name of an axis}'",
    )
    how: How = Field(
        default="set",
        description="set the value, scale what is there, scale a column to a total, keep a share of rows",
    )
    each: bool = Field(default=False, description="draw anew for every row of the asset table")
    values: Annotated[list[Scalar], Field(min_length=1)] | None = Field(default=None, description="a list")
    cases: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = Field(
        default=None, description="named sets of keys"
    )
    dates: Dates | None = Field(default=None, description="days, for time.start")
    choice: Annotated[list[Scalar], Field(min_length=1)] | None = Field(
        default=None, description="one of a list, drawn"
    )
    uniform: tuple[Finite, Finite] | None = Field(default=None, description="lowest and highest")
    log_uniform: tuple[Positive, Positive] | None = Field(default=None, description="lowest and highest")
    normal: tuple[Finite, Positive] | None = Field(default=None, description="mean and standard deviation")
    integers: tuple[int, int] | None = Field(default=None, description="lowest and highest, both possible")

    @model_validator(mode="after")
    def _one_source(self) -> Axis:
        given = [name for name in (*LISTED, *DRAWN) if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"axis has {' and '.join(given) or 'no values'}; "
                f"expected one of {', '.join((*LISTED, *DRAWN))}"
            )
        if self.cases is not None and self.key:
            raise ValueError("axis names a key and cases; expected one of both")
        if not (self.key or self.name):
            raise ValueError("axis has neither key nor name; expected a key, or a name for other axes to use")
        if self.cases is not None and not (
            self.name and all(isinstance(c.get("name"), str) for c in self.cases)
        ):
            raise ValueError("cases have no name; expected a name of the axis and of every case")
        self._check_source()
        self._check_rows()
        self._check_numbers()
        return self

    def _check_source(self) -> None:
        for name in ("uniform", "log_uniform", "integers"):
            ends = getattr(self, name)
            if ends is not None and ends[0] > ends[1]:
                raise ValueError(f"{name} has its ends the wrong way round; expected the lower one first")

    def _check_rows(self) -> None:
        table = self.key.partition(".")[0] == ASSETS
        if not table and (self.where or self.each or self.how in ("total", "keep")):
            raise ValueError(
                "where, each, total and keep are for rows of assets; expected a key such as assets.kw_max"
            )
        if table and (self.how == "keep") != (self.key == ASSETS):
            raise ValueError(
                f"{self.key} does not go with {self.how}; expected key = 'assets' with how = 'keep' only"
            )
        if self.each and (not self.is_drawn or self.how in ("total", "keep")):
            raise ValueError("each needs a distribution to draw from; expected uniform, normal or the like")

    def _check_numbers(self) -> None:
        """Only numbers can scale, be a total or a share."""
        listed: list[Any] = [
            *(self.values or self.choice or ()),
            *(self.dates.list()[:1] if self.dates else ()),
        ]
        for case in self.cases or ():
            listed += [item for key, item in flat(case).items() if key != "name"]
        for item in listed if self.how != "set" else ():
            if isinstance(item, bool) or not isinstance(item, int | float):
                raise ValueError(f"{item} is nothing to {self.how} by; expected numbers")

    @property
    def is_drawn(self) -> bool:
        """Whether values are drawn, rather than listed."""
        return any(getattr(self, name) is not None for name in DRAWN)

    @property
    def label(self) -> str:
        """Column in the tables."""
        return self.name or self.key


class SweepFile(Section):
    """Everything that a sweep fixes."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name of the sweep")
    base: str = Field(description="folder of the study that is varied, relative to this file")
    draws: Annotated[int, Field(ge=1)] = Field(default=1, description="draws from the axes that are drawn")
    seed: int = Field(default=0, description="seed of all draws")
    sampling: Literal["random", "latin_hypercube"] = Field(
        default="random", description="how they are drawn; more random draws continue those there are"
    )
    combine: Literal["grid", "list"] = Field(
        default="grid", description="listed axes: every combination, or the first of each, the second, ..."
    )
    keep: list[str] = Field(
        default_factory=list,
        description="'results', or topics such as 'market/dlmp_real', with ':mean' and the like over the run",
    )
    fixed: dict[str, Any] = Field(default_factory=dict, description="keys that every run sets alike")
    federates: dict[str, str] = Field(
        default_factory=dict, description="class of every owner, as in pv = 'dlmp_cosim.federates.pv:Pv'"
    )
    axis: Annotated[list[Axis], Field(min_length=1)] = Field(description="what varies")

    @model_validator(mode="after")
    def _consistent(self) -> SweepFile:
        labels = [axis.label for axis in self.axis]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"two axes are called {twice}; expected a name for each")
        if self.draws > 1 and not any(axis.is_drawn for axis in self.axis):
            raise ValueError(
                "draws is more than 1 but no axis is drawn; expected an axis with uniform or the like"
            )
        lengths = {len(entries(axis)) for axis in self.axis if not axis.is_drawn}
        if self.combine == "list" and len(lengths) > 1:
            raise ValueError(f"lists have {sorted(lengths)} entries; expected the same number in each")
        return self


def entries(axis: Axis) -> list[Any]:
    """Every value of a listed axis."""
    if axis.dates is not None:
        return axis.dates.list()
    return list(axis.values if axis.values is not None else axis.cases or [])


def load_sweep(file: Path, draws: int | None = None) -> SweepFile:
    """Read and check a sweep file.

    Parameters
    ----------
    file : Path
        A ``sweep.toml``.
    draws : int, optional
        Draws instead of those that it names.

    Raises
    ------
    InputError
        Naming file, key, what was expected and the nearest valid key.
    """
    table = read_toml(file)
    if draws is not None:
        table["draws"] = draws
    return validate(SweepFile, table, file)


def flat(table: dict[str, Any]) -> dict[str, Any]:
    """Write nested tables as dotted keys, as a user may do either way."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": item for inner, item in flat(value).items()}
        else:
            found[key] = value
    return found


def split(key: str, where: str) -> tuple[str, ...]:
    """Parts of a dotted key.

    Parameters
    ----------
    key : str
        The key, as in ``feeder.load_scale``.
    where : str
        File and place in it, for the message.

    Raises
    ------
    InputError
        When it has fewer than two, or an empty one.
    """
    parts = tuple(key.split("."))
    if len(parts) < 2 or not all(parts):
        raise InputError(
            f"{key!r} is no key", where=where, expected="table.key, as in feeder.load_scale or assets.kw_max"
        )
    return parts
