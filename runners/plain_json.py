"""Plain data as JSON that any reader takes: the standard knows neither NaN nor infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def finite(value: Any) -> Any:
    """Replace numbers that JSON cannot write by None, however deep they lie; tuples become lists.

    Parameters
    ----------
    value : object
        Mappings, lists, tuples, texts and numbers.
    """
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
