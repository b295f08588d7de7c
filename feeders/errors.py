"""The one exception tree: everything a user can run into is a `DlmpError`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DlmpError(Exception):
    """Root of every error that dlmp-cosim raises on purpose."""


class InputError(DlmpError):
    """A file, table or setting that cannot be used.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence.
    where : str
        File and key, such as ``assets.csv:12 bus``.
    expected : str, optional
        What would have been accepted.
    nearest : str, optional
        The closest valid name, where a name was misspelt.
    """

    def __init__(self, what: str, *, where: str, expected: str = "", nearest: str = "") -> None:
        self.what, self.where, self.expected, self.nearest = what, where, expected, nearest
        hints = [f"expected {expected}" if expected else "", f"did you mean {nearest!r}?" if nearest else ""]
        super().__init__("; ".join([f"{where}: {what}", *(hint for hint in hints if hint)]))


class FeederError(DlmpError):
    """The AC physics could not be set up or solved."""


class ClearingError(DlmpError):
    """A market could not be cleared."""


class FederationError(DlmpError):
    """A federate or the federation broke the contract, failed or stalled."""


class ResultsError(DlmpError):
    """A results file that cannot be read or compared."""


def nearest_name(name: str, valid: Iterable[str]) -> str:
    """Return the valid name closest to `name`, or an empty string when none is near.

    Parameters
    ----------
    name : str
        What a user wrote.
    valid : iterable of str
        Names that exist.
    """
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return matches[0] if matches else ""


def unknown_name(kind: str, name: str, valid: Iterable[str], *, where: str) -> InputError:
    """Build the error for a `name` that is not among the `valid` ones of its `kind`.

    Parameters
    ----------
    kind : str
        What the name stands for, in the singular.
    name : str
        What a user wrote.
    valid : iterable of str
        Names that exist; the message lists the first eight.
    where : str
        File and key, for the message.
    """
    names = list(valid)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return InputError(
        f"unknown {kind} {name!r}", where=where, expected=f"one of {shown}", nearest=nearest_name(name, names)
    )
