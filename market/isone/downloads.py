"""Where ISO New England publishes the files, for messages that ask a user to download one by hand."""

from __future__ import annotations

import re

REPORTS = "https://www.iso-ne.com/static-transform/csv/histRpts"
_PATTERNS = (
    (r"lmp_5min|5_min", f"{REPORTS}/5min-rt-final/lmp_5min_{{day}}_00-04.csv and its five siblings"),
    (r"dalmp|da_lmp|day_ahead", f"{REPORTS}/da-lmp/WW_DALMP_ISO_{{day}}.csv"),
    (r"rt_prelim", f"{REPORTS}/rt-lmp/lmp_rt_prelim_{{day}}.csv"),
    (r"lmp", f"{REPORTS}/rt-lmp/lmp_rt_final_{{day}}.csv"),
    (r"smd", "https://www.iso-ne.com/static-assets/documents/2020/02/2020_smd_hourly.xlsx (change the year)"),
    (r"load", "https://www.iso-ne.com/transform/csv/fiveminutesystemload?start={day}&end={day}"),
)


def download_hint(name: str, quantity: str | None = None) -> str:
    """Return what to download in a browser instead of the unusable file `name`.

    Parameters
    ----------
    name : str
        File name; its report and date are kept where it shows them.
    quantity : str, optional
        ``lmp`` or ``load``, used when the name does not tell.
    """
    day = re.search(r"(?:19|20)\d{6}", name)
    lower = name.lower()
    url = next((url for pattern, url in _PATTERNS if re.search(pattern, lower)), None)
    if url is None:
        url = _PATTERNS[-1][1] if quantity == "load" else _PATTERNS[3][1]
    return f"a data file, downloaded in a browser from {url.format(day=day[0] if day else 'YYYYMMDD')}"
