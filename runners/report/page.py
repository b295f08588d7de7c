"""One self-contained HTML page: styles, scripts, the plotting library and the runs, in one file."""

from __future__ import annotations

import base64
import gzip
import html
import importlib.util
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template

from feeders.errors import InputError
from runners.report.pack import pack
from runners.report.runs import RunView

SCRIPTS = ("data.js", "charts.js", "money.js", "main.js")


def build_page(views: Sequence[RunView]) -> str:
    """Write the page of one run, or of several side by side.

    Parameters
    ----------
    views : sequence of RunView
        Runs that can be compared.

    Returns
    -------
    str
        HTML that needs nothing from outside; equal runs give equal text.

    Raises
    ------
    InputError
        When plotly is not installed.
    """
    return Template(_own("page.html")).substitute(
        title=html.escape(
            " and ".join(view.label for view in views[:3]) + (" ..." if len(views) > 3 else "")
        ),
        style=_own("page.css"),
        library=plotting_library(),
        data=pack(views),
        script="\n".join(_own(name) for name in SCRIPTS),
    )


def plotting_library() -> str:
    """Return plotly.js, compressed, as base64.

    Raises
    ------
    InputError
        When plotly is not installed.
    """
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise InputError(
            "an HTML report needs plotly", where="dlmp report", expected="pip install 'dlmp-cosim[report]'"
        )
    source = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return base64.b64encode(gzip.compress(source.read_bytes(), 9, mtime=0)).decode()


def _own(name: str) -> str:
    return resources.files("runners.report").joinpath(name).read_text(encoding="utf-8")
