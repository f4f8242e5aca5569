"""HTML as elements: pages without scripts and without style attributes, whose looks one style sheet gives."""

import base64
import hashlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

STYLE = Path(__file__).with_name("page.css")
NO_TEXTS = 99

Cell = str | Element


def element(tag: str, *children: Element | str, **attributes: object) -> Element:
    """An element; texts in it are escaped when it is written. `class_` and `font_size` are `class` and `font-size`."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): _text(value) for name, value in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def document(title: str, *content: Element) -> str:
    """A whole page as text: it runs nothing and fetches nothing."""
    style = STYLE.read_text("utf-8")
    # Even if a text could become markup, the browser would neither run nor fetch anything.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", style),
    )
    html = element("html", head, element("body", element("main", *content)), lang="en")
    return "<!doctype html>\n" + tostring(html, encoding="unicode", method="html") + "\n"


def table(
    caption: str,
    names: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    texts_from: int = NO_TEXTS,
    numbers: Collection[int] = (),
) -> Element:
    """A table whose first column names its rows.

    Parameters
    ----------
    caption : str
        What it shows.
    names : sequence of str
        Of the columns.
    rows : iterable of sequence
        Of texts, or of elements that stand in a cell.
    texts_from : int
        The first column of people's texts.
    numbers : collection of int
        Columns of numbers, which stand to the right.
    """
    looks = [_look(column, texts_from, numbers) for column in range(len(names))]
    head = [element("th", name, scope="col", **look) for name, look in zip(names, looks, strict=True)]
    body = []
    for row in rows:
        cells = [element("td", cell, **look) for cell, look in zip(row[1:], looks[1:], strict=True)]
        body.append(element("tr", element("th", row[0], scope="row"), *cells))
    return element(
        "table", element("caption", caption), element("thead", element("tr", *head)), element("tbody", *body)
    )


def beside(chart: Element, caption: str, *tables: Element) -> Element:
    """A chart, and its tables beside it."""
    figure = element("figure", element("div", chart, class_="chart"), element("figcaption", caption))
    return element("div", figure, element("div", *tables, class_="wide"), class_="beside")


def _look(column: int, texts_from: int, numbers: Collection[int]) -> dict[str, object]:
    if column >= texts_from:
        return {"class_": "text", "dir": "auto"}
    return {"class_": "number"} if column in numbers else {}


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
