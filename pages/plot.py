"""Charts as SVG: elements without scripts and without style attributes, whose looks the page's style sheet gives."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, tostring

from pages.html import STYLE, element

WIDTH = 560
Place = tuple[float, float]

_VARIABLE = re.compile(r"var\(--(\w+)\)")
_DECLARED = re.compile(r"--(\w+): ([^;]+);")
_OF_CHARTS = re.compile(r"^svg .+$", re.MULTILINE)


@dataclass(frozen=True)
class Axis:
    """From where to where, with what is written beside it; `low` is left or at the bottom, and may be greater."""

    name: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = ()
    is_log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies, from 0 to 1; what is beyond an end lies at it."""
        value = min(max(value, min(self.low, self.high)), max(self.low, self.high))
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def shares_axis(name: str) -> Axis:
    """From 0 to 100 %."""
    return Axis(name, 0.0, 1.0, [(step / 5, f"{20 * step} %") for step in range(6)])


def scores_axis(name: str) -> Axis:
    """From 0 to 1."""
    return Axis(name, 0.0, 1.0, [(step / 5, f"{step / 5:.1f}") for step in range(6)])


def linear_axis(name: str, low: float, high: float, steps: int = 5) -> Axis:
    """With round numbers beside it, and room for the highest value; whatever is measured, it is not empty."""
    span = high - low if high > low else max(abs(high), 1.0)
    rough = span / steps
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil((low + span) / step - 1e-9)
    ticks = [(number * step, f"{number * step:,.10g}".replace("-", "−")) for number in range(first, last + 1)]
    return Axis(name, first * step, last * step, ticks)


def log_axis(name: str, low: float, high: float) -> Axis:
    """With powers of ten beside it, and where there are few, 2 and 5 times each."""
    least, most = math.floor(math.log10(low)), max(math.ceil(math.log10(high)), math.floor(math.log10(low)) + 1)
    values = [factor * 10.0**power for power in range(least, most) for factor in (1, 2, 5)] + [10.0**most]
    first = max((value for value in values if value <= low * 1.001), default=values[0])
    last = min((value for value in values if value >= high * 0.999 and value > first), default=values[-1])
    shown = values if most - least <= 3 else values[::3]
    return Axis(name, first, last, [(v, _short(v)) for v in shown if first <= v <= last], is_log=True)


def _short(value: float) -> str:
    return f"{value / 1000:,.10g}k" if value >= 10_000 else f"{value:,.10g}"


@dataclass
class Panel:
    """A rectangle with two axes in which things are drawn by their values.

    `left`, `top`, `width` and `height` are those of the rectangle itself; names and ticks stand around it.
    """

    x: Axis
    y: Axis
    left: float = 56
    top: float = 14
    width: float = WIDTH - 76
    height: float = 240
    parts: list[Element] = field(default_factory=list)

    def line(self, start: Place, end: Place, look: str) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = self.place(start), self.place(end)
        self.parts.append(element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=look))

    def curve(self, points: Iterable[Place], look: str) -> None:
        """A line through points."""
        self.parts.append(element("polyline", points=self._points(points), class_=f"{look} curve"))

    def area(self, points: Iterable[Place], look: str) -> None:
        """What lies within points."""
        self.parts.append(element("polygon", points=self._points(points), class_=look))

    def bar(self, start: Place, end: Place, look: str, says: str = "") -> None:
        """A rectangle between two corners; pointed at, it says something."""
        (x1, y1), (x2, y2) = self.place(start), self.place(end)
        corner = {"x": min(x1, x2), "y": min(y1, y2)}
        size = {"width": round(abs(x2 - x1), 1), "height": round(abs(y2 - y1), 1)}
        told = [element("title", says)] if says else []
        self.parts.append(element("rect", *told, **corner, **size, class_=look))

    def dot(self, at: Place, radius: float, look: str, says: str = "") -> None:
        """A circle; pointed at, it says something."""
        x, y = self.place(at)
        told = [element("title", says)] if says else []
        self.parts.append(element("circle", *told, cx=x, cy=y, r=radius, class_=look))

    def label(self, text: str, at: Place, shift: Place = (0, 0), anchor: str = "start", look: str = "name") -> None:
        """A text, so many pixels beside a place."""
        x, y = self.place(at)
        x, y = round(x + shift[0], 1), round(y + shift[1], 1)
        self.parts.append(element("text", text, x=x, y=y, text_anchor=anchor, class_=look))

    def place(self, at: Place) -> Place:
        """Where in the picture a pair of values lies."""
        x, y = self.left + self.x.at(at[0]) * self.width, self.top + (1 - self.y.at(at[1])) * self.height
        return round(x, 1), round(y, 1)

    def drawn(self) -> Element:
        """The axes, and over them what was drawn."""
        right, bottom = self.left + self.width, self.top + self.height
        parts = []
        for value, text in self.y.ticks:
            y = self.place((self.x.low, value))[1]
            parts.append(element("line", x1=self.left, y1=y, x2=right, y2=y, class_="grid"))
            parts.append(element("text", text, x=self.left - 8, y=y + 4, text_anchor="end", class_="tick"))
        for value, text in self.x.ticks:
            x = self.place((value, self.y.low))[0]
            parts.append(element("line", x1=x, y1=bottom, x2=x, y2=bottom + 4, class_="grid"))
            parts.append(element("text", text, x=x, y=bottom + 17, text_anchor="middle", class_="tick"))
        if self.x.name:
            middle = round(self.left + self.width / 2, 1)
            parts.append(element("text", self.x.name, x=middle, y=bottom + 37, text_anchor="middle"))
        if self.y.name:
            turned = f"translate({self.left - 43:g} {self.top + self.height / 2:g}) rotate(-90)"
            parts.append(element("text", self.y.name, transform=turned, text_anchor="middle"))
        return element("g", *parts, *self.parts)

    def _points(self, points: Iterable[Place]) -> str:
        return " ".join(f"{x:g},{y:g}" for x, y in map(self.place, points))


def picture(title: str, description: str, panels: Sequence[Panel], height: float, width: float = WIDTH) -> Element:
    """A chart of one or more panels; its title is what it shows to be so."""
    told = [element("title", title), *([element("desc", description)] if description else [])]
    drawn = (panel.drawn() for panel in panels)
    return element("svg", *told, *drawn, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=title)


def key(panel: Panel, names: Sequence[tuple[str, str]], y: float) -> None:
    """What lines are, in a row below a panel where no line is: their names and looks."""
    for column, (name, look) in enumerate(names):
        x = panel.left + column * panel.width / len(names)
        sample = element("polyline", points=f"{x:g},{y - 4:g} {x + 22:g},{y - 4:g}", class_=f"{look} curve")
        panel.parts += [sample, element("text", name, x=x + 28, y=y, class_=f"{look} name")]


def as_file(chart: Element) -> str:
    """A chart that stands by itself, in colours for paper, for programs that know neither variables nor themes."""
    sheet = STYLE.read_text("utf-8")
    colours = dict(_DECLARED.findall(sheet.partition("@media")[0]))
    rules = "\n".join(_OF_CHARTS.findall(sheet))
    style = "text { font-family: sans-serif; }\n" + _VARIABLE.sub(lambda found: colours[found[1]], rules)
    style = style.replace("currentColor", colours["ink"])
    size = dict(zip(("width", "height"), chart.get("viewBox", "0 0 0 0").split()[2:], strict=True))
    whole = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **chart.attrib, **size})
    whole.append(element("style", style))
    whole.extend(chart)
    return tostring(whole, encoding="unicode") + "\n"
