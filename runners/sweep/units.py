"""Kind, unit and meaning of the columns that a sweep's axes become."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from pydantic import BaseModel

from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.runners.sweep.design import Design
from dlmp_cosim.runners.sweep.sweep_file import ASSETS, Axis
from dlmp_cosim.runners.tables.columns import Column, Kind

UNIT = re.compile(r"\[([^\]]+)\]")
"""How a description states a unit."""
ASSET_UNITS = {
    "kw_max": "kW",
    "kva_max": "kVA",
    "cost_linear": "$/MWh",
    "cost_quadratic": "$/MWh per kW",
    "rating": "kW",
}
"""Units of columns of the asset table."""


def axis_columns(design: Design) -> list[Column]:
    """Columns of all axes that have one value a run."""
    shown = [axis for axis in design.sweep.axis if not axis.each]
    samples = [
        design.sample(number).values for number in range(min(len(design), 1 + 2 * design.combinations))
    ]
    return [_column(axis, axis.choice or [sample[axis.label] for sample in samples]) for axis in shown]


def _column(axis: Axis, values: Sequence[object]) -> Column:
    if axis.cases is not None:
        return Column(axis.label, "text", "", "case")
    if not axis.key:
        return Column(axis.label, _kind(values), "", "which rows other axes mean")
    section, _, column = axis.key.partition(".")
    if section == ASSETS:
        described, unit = f"{column or 'rows'} of assets", ASSET_UNITS.get(column, "")
    else:
        described = describe(axis.key)
        unit = next(iter(UNIT.findall(described)), "")
    if axis.how in ("scale", "keep"):
        described, unit = f"{axis.how}: {described}", ""
    return Column(axis.label, _kind(values), unit, described)


def describe(key: str) -> str:
    """Return what a scenario says of one of its keys; empty for one that an owner defines."""
    model: type[BaseModel] | None = Scenario
    said = ""
    for part in key.split("."):
        found = model.model_fields.get(part) if model is not None else None
        if found is None:
            return ""
        said = found.description or ""
        inner = found.annotation
        model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    return said


def _kind(values: Sequence[object]) -> Kind:
    """Find the narrowest kind that holds all values."""
    if all(isinstance(value, bool) for value in values):
        return "flag"
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return "integer"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "number"
    if all(isinstance(value, date) and not isinstance(value, datetime) for value in values):
        return "day"
    return "text"
