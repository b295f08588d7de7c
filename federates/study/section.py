"""What all tables of a scenario share: no key but those listed, numbers that are finite."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Section(BaseModel):
    """A table of the scenario: no key but those listed, nothing changed after reading.

    Its checks are built when the first is read: once, and in no process that reads none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
