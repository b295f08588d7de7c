"""One self-contained HTML page: styles, scripts, the plotting library and the runs, in one file."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from importlib import resources
from string import Template

from dlmp_cosim.runners.report.pack import pack
from dlmp_cosim.runners.report.runs import RunView

MODULES = (
    "format", "colours", "dom", "state", "unpack", "values", "symbols", "geometry", "timechart", "lines",
    "map", "heat", "summary", "buses", "money", "controls", "main",
)  # fmt: skip
"""Modules of the page, each after those it imports."""
LIBRARY = "uPlot-1.6.32"
IMPORT, EXPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE), re.compile(r"^export ", re.MULTILINE)


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
    """
    style = _read("vendor", f"{LIBRARY}.min.css") + _read("web", "page.css")
    scripts = [
        _read("web", "crisp.js"),
        _read("vendor", f"{LIBRARY}.iife.min.js"),
        "(() => {\n" + joined_modules() + "})();\n",
    ]
    names = [view.label for view in views]
    return Template(_read("web", "page.html")).substitute(
        policy=_policy(style, scripts),
        title=html.escape(" and ".join(names[:3]) + (" ..." if len(names) > 3 else "")),
        style=style,
        data=pack(views),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def joined_modules() -> str:
    """Return the page's modules as one script: they share a scope, so what they import is simply there."""
    texts = [_read("web", f"{name}.js") for name in MODULES]
    return '"use strict";\n' + "\n".join(EXPORT.sub("", IMPORT.sub("", text)) for text in texts)


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Allow the page's own styles and scripts by their hashes, and nothing that a name could bring in."""
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(*parts: str) -> str:
    return resources.files(__package__).joinpath(*parts).read_text(encoding="utf-8")
