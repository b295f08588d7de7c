"""The locations of ISO New England that have names, and how a user may write them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A pricing location or load area.

    Attributes
    ----------
    id : str
        Location number; empty when only the name is known.
    name : str
        Official name; empty when only the number is known.
    aliases : tuple of str
        Other spellings, upper case.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What rows of this place are filed under: the number, else the name."""
        return self.id or self.name.upper()

    @property
    def label(self) -> str:
        """Name for people: the official one, else the number."""
        return self.name or self.id


HUB = Place("4000", ".H.INTERNAL_HUB", ("INTERNAL_HUB", "HUB"))
SYSTEM = Place("32", "NEPOOL AREA", ("ISONE", "ISO-NE", "NEPOOL", "SYSTEM"))
ZONES = (
    Place("4001", ".Z.MAINE", ("MAINE", "ME")),
    Place("4002", ".Z.NEWHAMPSHIRE", ("NEWHAMPSHIRE", "NH")),
    Place("4003", ".Z.VERMONT", ("VERMONT", "VT")),
    Place("4004", ".Z.CONNECTICUT", ("CONNECTICUT", "CT")),
    Place("4005", ".Z.RHODEISLAND", ("RHODEISLAND", "RI")),
    Place("4006", ".Z.SEMASS", ("SEMASS", "SEMA")),
    Place("4007", ".Z.WCMASS", ("WCMASS", "WCMA")),
    Place("4008", ".Z.NEMASSBOST", ("NEMASSBOST", "NEMA")),
)
SHEET = "ISO NE CA"
"""Sheet and label of the SMD workbook: hub prices and the demand of the whole system."""

KNOWN = {
    text: place for place in (HUB, SYSTEM, *ZONES) for text in (place.id, place.name, *place.aliases) if text
}


def find_place(text: str, quantity: str) -> Place:
    """Return the place that `text` (number, name or short name) means for `quantity`.

    Text that is not in the table becomes a place of its own: files may hold any network node.

    Parameters
    ----------
    text : str
        What a user or a file wrote, in any case.
    quantity : {"lmp", "load"}
        What is looked for: the sheet of the whole area means the hub for prices, the system for demand.
    """
    upper = text.strip().upper()
    if upper == SHEET:
        return HUB if quantity == "lmp" else SYSTEM
    if upper in KNOWN:
        return KNOWN[upper]
    return Place(upper, "") if upper.isdigit() else Place("", upper)
