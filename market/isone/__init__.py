"""ISO New England prices and demand: read any of its files, get one checked series, bring it to a period."""

from dlmp_cosim.market.isone.reader import read_series
from dlmp_cosim.market.isone.resample import resample
from dlmp_cosim.market.isone.series import Series, demand_ratio, fill_gaps, scale_to_mean
from dlmp_cosim.market.isone.survey import FileNote, Survey, survey

__all__ = [
    "FileNote",
    "Series",
    "Survey",
    "demand_ratio",
    "fill_gaps",
    "read_series",
    "resample",
    "scale_to_mean",
    "survey",
]
