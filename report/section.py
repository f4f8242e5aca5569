"""A part of the page, with the charts and tables that are files, too."""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from pages.html import beside, element
from report.grid import Grid


@dataclass
class Section:
    """What stands under one heading; `figures` and `grids` are by the names of their files."""

    title: str
    content: list[Element] = field(default_factory=list)
    figures: dict[str, Element] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)

    def say(self, text: str, **attributes: object) -> None:
        """A paragraph."""
        self.content.append(element("p", text, **attributes))

    def chart(self, name: str, drawn: Element, caption: str, grid: Grid, *, below: bool = False) -> None:
        """A chart under what it shows to be so, with its table beside it, or below."""
        self.figures[name], self.grids[name] = drawn, grid
        self.content.append(element("h3", drawn.get("aria-label", "")))
        shown = beside(drawn, caption, *([] if below else [grid.shown()]))
        self.content += [shown, element("div", grid.shown(), class_="wide")] if below else [shown]

    def table(self, name: str, grid: Grid) -> None:
        """A table."""
        self.grids[name] = grid
        self.content.append(element("div", grid.shown(), class_="wide"))

    def drawn(self) -> Element:
        """The whole of it."""
        return element("section", element("h2", self.title), *self.content)
