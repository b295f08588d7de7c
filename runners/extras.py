"""The optional parts of the package: what each is for, what it needs, how to get it."""

from __future__ import annotations

import re
from importlib import metadata

PACKAGE = "dlmp-cosim"
EXTRAS = {
    "report": "dlmp report, pictures",
    "excel": "ISO New England workbooks (.xlsx)",
    "fetch": "dlmp isone-fetch",
    "bench": "a peer to measure against in dlmp bench",
    "analysis": "results as labelled arrays (xarray)",
    "dashboard": "Dask's dashboard while a sweep runs",
    "notebook": "the notebooks",
    "pv": "a clear sky for PV federates",
    "power-grid-model": "the second AC engine",
    "oedisi": "components for OEDISI",
}
"""Optional parts, and what for."""


def install_command(extra: str) -> str:
    """Write the command that installs an optional part."""
    return f'pip install "{PACKAGE}[{extra}]"'


def packages_of(extra: str) -> tuple[str, ...]:
    """Names of the packages that an optional part needs, as the package's metadata has them."""
    found = []
    for need in metadata.requires(PACKAGE) or ():
        name, _, marker = need.partition(";")
        package = re.match(r"[A-Za-z0-9._-]+", name)
        if package and re.search(rf"""extra == ['"]{re.escape(extra)}['"]""", marker):
            found.append(package[0])
    return tuple(found)


def missing_packages(extra: str) -> tuple[str, ...]:
    """Names of the packages that an optional part needs and that are not installed."""
    return tuple(package for package in packages_of(extra) if not _installed(package))


def extra_with(module: str) -> str:
    """Name the optional part that brings a module, or an empty string."""
    name = module.partition(".")[0].replace("_", "-")
    return next((extra for extra in EXTRAS if name in packages_of(extra)), "")


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
