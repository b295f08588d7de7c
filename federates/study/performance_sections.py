"""Tables of a scenario by which the operator's performance is measured: CO2 and customers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from dlmp_cosim.federates.study.section import NotNegative, Positive, Section


class EmissionsSection(Section):
    """CO2 of what the feeder draws and of what is generated on it, and its price."""

    rate: NotNegative = Field(
        default=0.0, description="marginal emission rate of the wholesale side [kg/MWh]"
    )
    rates: str = Field(
        default="", description="table of minutes,value with that rate over time [kg/MWh], in place of `rate`"
    )
    own: dict[str, NotNegative] = Field(
        default_factory=dict,
        description="emission rates of generators on the feeder by name [kg/MWh]; of all others 0",
    )
    price: NotNegative = Field(
        default=0.0,
        description="price of CO2 [$/t]: power at the head costs the LMP and its rate times this, and a "
        "generator's offer rises by its own rate times this",
    )

    @model_validator(mode="after")
    def _one_rate(self) -> EmissionsSection:
        if self.rate and self.rates:
            raise ValueError("both rate and rates are given; expected a number or a table")
        return self

    @property
    def known(self) -> bool:
        """Whether a rate of the wholesale side is stated."""
        return bool(self.rate or self.rates)


class GroupSection(Section):
    """Customers whose cost is stated apart."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name of the group")
    loads: Annotated[list[str], Field(min_length=1)] = Field(description="names of their loads")
    customers: Annotated[int, Field(ge=1)] = Field(default=1, description="how many customers they are")
    income: Positive | None = Field(
        default=None, description="yearly income of one of them [$]; without it no share of income is stated"
    )
