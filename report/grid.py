"""A table as it is worked out: shown on the page, and written as CSV."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from xml.etree.ElementTree import Element

from calibration.labels import guarded
from calibration.texts import visible
from pages.html import element, table
from pages.shares import Share, percent

Value = str | int | float | Share | None

OF_A_SHARE = ("", "_of", "_share", "_low", "_high")
SHOWN_AT_ONCE = 12


@dataclass(frozen=True)
class Grid:
    """Rows of values under names.

    Attributes
    ----------
    caption : str
        What it shows.
    names : sequence of str
        Of the columns, as the page has them; files have them with `_` for spaces.
    rows : sequence of sequence
        Whole numbers, numbers, shares, texts, and None for what is not known.
    forms : sequence of str
        How numbers are shown in each column; files have them in full.
    fold : bool
        Whether many rows are folded.
    """

    caption: str
    names: Sequence[str]
    rows: Sequence[Sequence[Value]]
    forms: Sequence[str] = ()
    fold: bool = True

    def shown(self) -> Element:
        """As the page has it; of many rows, most are folded."""
        forms = [*self.forms, *[",.3g"] * (len(self.names) - len(self.forms))]
        rows = [[said(value, form) for value, form in zip(row, forms, strict=True)] for row in self.rows]
        texts = {column for row in self.rows for column, value in enumerate(row) if isinstance(value, str)}
        numbers = set(range(1, len(self.names))) - texts
        if len(rows) <= SHOWN_AT_ONCE or not self.fold:
            return table(self.caption, self.names, rows, numbers=numbers)
        folded = element("summary", f"{self.caption}: {len(rows):,} rows")
        return element("details", folded, table("", self.names, rows, numbers=numbers))

    def csv(self) -> str:
        """As a file: a share is its count, of how many, its value and its interval."""
        file = StringIO(newline="")
        writer = csv.writer(file)
        shares = [any(isinstance(row[column], Share) for row in self.rows) for column in range(len(self.names))]
        names = [guarded(visible(name.replace(" ", "_"))) for name in self.names]
        writer.writerow(
            [
                name + end
                for name, is_share in zip(names, shares, strict=True)
                for end in (OF_A_SHARE if is_share else ("",))
            ]
        )
        for row in self.rows:
            writer.writerow(
                [cell for value, is_share in zip(row, shares, strict=True) for cell in _cells(value, is_share)]
            )
        return file.getvalue()


def said(value: Value, form: str = ",.3g") -> str:
    """A value as people read it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, Share):
        return percent(value)
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, int):
        return f"{value:,}"
    # Nobody reads powers of ten in a table.
    is_large = form.endswith("g") and abs(value) >= 1000
    return format(value, ",.0f" if is_large else form).replace("-", "−")


def _cells(value: Value, is_share: bool) -> list[object]:
    if isinstance(value, Share):
        known = (value.value, value.low, value.high) if value.of else ()
        return [value.hits, value.of, *(round(part, 6) for part in known), *[""] * (3 - len(known))]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        cell: object = ""
    else:
        cell = guarded(visible(value)) if isinstance(value, str) else value
    return [cell, *([""] * (len(OF_A_SHARE) - 1))] if is_share else [cell]
