"""Tables of a scenario that name values over time: forecasts, and demand of loads of their own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dlmp_cosim.federates.study.section import Section

FORECASTS = ("day_ahead", "persistence", "perfect")
"""Forecasts by the name that a scenario gives them; anything else is a file."""


class ForecastSection(Section):
    """What is expected of the steps ahead."""

    price: str = Field(
        default="day_ahead",
        description='LMP ahead: "day_ahead", "persistence", "perfect", or a table of minutes,value [$/MWh]',
    )
    demand: str = Field(
        default="day_ahead",
        description='demand ratio ahead: "day_ahead", "persistence", "perfect", or a table of minutes,value',
    )
    pv: str = Field(
        default="persistence",
        description='irradiance ahead: "persistence", "perfect", or a table of minutes,value [W/m2]',
    )


class ProfileSection(Section):
    """Loads whose demand follows a table of its own."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name of the profile")
    loads: Annotated[list[str], Field(min_length=1)] = Field(
        description='names of the loads that follow it, or patterns such as "s76*"'
    )
    file: Annotated[str, Field(min_length=1)] = Field(
        description="table of minutes,value: demand as a share of the listed one"
    )
