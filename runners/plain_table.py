"""Tables for people on any width, and plain rows for programs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 3
"""What a column costs beside its text: a line and a blank on both sides."""


BLANKS = str.maketrans("\t\r\n", "   ")
"""What would end a cell or a row that is read by a program."""


class Rows:
    """A table that is filled row by row and printed as its reader can use it.

    On a terminal it has lines, and cells fold so that nothing is lost; where its columns do not fit even so,
    each row becomes a block of its own, a line for each column. Elsewhere a row is a line, cells separated by
    tabs.

    Parameters
    ----------
    *heads : str
        Heading of each column; all empty for a table without.
    title : str
        Line above it.
    """

    def __init__(self, *heads: str, title: str = "") -> None:
        self.heads, self.title = heads, title
        self.rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row of texts, one for each column; they are never markup."""
        self.rows.append(cells)

    def print(self, console: Console) -> None:
        """Print the table."""
        if not console.is_terminal:
            console.file.write("".join(f"{line}\n" for line in self._lines()))
        elif _least_width(self.heads, self.rows) <= console.width:
            console.print(_grid(self.heads, self.rows, self.title, console.width))
        else:
            for k, row in enumerate(self.rows):
                console.print(_block(self.heads, row, self.title if k == 0 else ""))

    def _lines(self) -> list[str]:
        """Write title, headings and rows, a line each."""
        rows = [self.heads, *self.rows] if any(self.heads) else self.rows
        lines = ["\t".join(cell.translate(BLANKS) for cell in row) for row in rows]
        return [self.title, *lines] if self.title else lines


def say(console: Console, text: str) -> None:
    """Print a text as it is, on one line: what others wrote is never markup.

    Parameters
    ----------
    console : Console
        Where to.
    text : str
        The text.
    """
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def money(value: float) -> str:
    """Write an amount to the cent; nothing has no sign."""
    return f"{round(value, 2) + 0.0:,.2f}"


def _longest_words(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Width of each column below which a word would be cut."""
    columns = zip(heads, *rows, strict=True)
    return [max(cell_len(word) for text in column for word in ("", *text.split())) for column in columns]


def _least_width(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    return 1 + sum(GAP + width for width in _longest_words(heads, rows))


def _widths(heads: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Give every column its longest word, and what room is left to those that need least of it."""
    widths = _longest_words(heads, rows)
    columns = list(zip(heads, *rows, strict=True))
    wanted = [
        max(cell_len(line) for text in column for line in ("", *text.splitlines())) for column in columns
    ]
    spare = room - 1 - sum(GAP + width for width in widths)
    order = sorted(range(len(widths)), key=lambda k: wanted[k] - widths[k])
    for position, k in enumerate(order):
        more = max(0, min(wanted[k] - widths[k], spare // (len(order) - position)))
        widths[k], spare = widths[k] + more, spare - more
    return widths


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]], title: str, room: int) -> Table:
    table = Table(title=Text(title) if title else None, title_justify="left", show_header=any(heads))
    for head, width in zip(heads, _widths(heads, rows, room), strict=True):
        table.add_column(Text(head), overflow="fold", width=width)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _block(heads: Sequence[str], row: Sequence[str], title: str) -> Table:
    """Turn a row: a line for each column."""
    table = Table(title=Text(title) if title else None, title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for head, cell in zip(heads, row, strict=True):
        table.add_row(Text(head), Text(cell))
    return table
