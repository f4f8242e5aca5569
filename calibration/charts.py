"""Charts as SVG: elements without scripts and without style attributes, whose looks the page's style sheet gives."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from calibration.figures import Bin, Point, Share

WIDTH, HEIGHT = 560, 380
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 14, 76


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


def reliability(bins: Sequence[Bin], title: str) -> Element:
    """What share a person accepts, by score: on the diagonal, the score means what it says."""
    dots = [
        element(
            "g",
            element("title", f"score {part.score:.2f}: {percent(part.accepted)}"),
            _line(part.score, part.accepted.low, part.score, part.accepted.high, "first"),
            element("circle", cx=_x(part.score), cy=_y(part.accepted.value), r=4, class_="first dot"),
        )
        for part in bins
    ]
    diagonal = [_line(0, 0, 1, 1, "quiet"), _label("as it says", (0.62, 0.62), (10, 6), "start", "quiet-text")]
    # Bins have equal counts but for one: a number under each would say little, and near scores would overprint.
    counts = " or ".join(str(count) for count in sorted({part.accepted.of for part in bins}))
    each = _label(f"each dot: {counts} label{'' if counts == '1' else 's'}", (0, 0), (0, 62), "start", "count")
    return _chart(title, "score", "accepted by a person", [*diagonal, *dots, each])


def precision_and_recall(points: Sequence[Point], marks: Sequence[tuple[float, str]], title: str) -> Element:
    """What a threshold does, with some of them marked and named."""
    known = [point for point in points if point.precision.of]
    parts: list[Element] = []
    for column, (name, shares, look) in enumerate(
        (
            ("precision, of what is accepted", [(p.threshold, p.precision) for p in known], "first"),
            ("recall, of what is right", [(p.threshold, p.recall) for p in points if p.recall.of], "second"),
        )
    ):
        if shares:
            parts += [_band(shares, look), _curve(shares, look), *_key(name, column, look)]
    for down, (threshold, text) in enumerate(marks):
        is_left_of_the_other = 0.25 < threshold < max(marks)[0]
        side = "end" if threshold > 0.75 or is_left_of_the_other else "start"
        parts.append(_line(threshold, 0, threshold, 1, "mark"))
        parts.append(_label(text, (threshold, 0), (-5 if side == "end" else 5, -10 - 16 * down), side, "name"))
    return _chart(title, "threshold", "share", parts)


def percent(share: Share) -> str:
    """A share in words, with its interval and its count."""
    if not share.of:
        return "none"
    low, high = 100 * share.low, 100 * share.high
    return f"{100 * share.value:.0f} % ({low:.0f} to {high:.0f}; {share.hits:,} of {share.of:,})"


def _chart(title: str, x_name: str, y_name: str, parts: Iterable[Element]) -> Element:
    ticks: list[Element] = []
    for step in range(6):
        at = step / 5
        ticks += [_line(0, at, 1, at, "grid"), _label(f"{100 * at:.0f} %", (0, at), (-8, 4), "end", "tick")]
        ticks.append(_label(f"{at:.1f}", (at, 0), (0, 16), "middle", "tick"))
    names = [
        element("text", x_name, x=_x(0.5), y=HEIGHT - BOTTOM + 36, text_anchor="middle"),
        element("text", y_name, transform=f"translate(14 {_y(0.5)}) rotate(-90)", text_anchor="middle"),
    ]
    described = element("title", title)
    return element(
        "svg", described, *ticks, *names, *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title
    )


def _band(shares: Sequence[tuple[float, Share]], look: str) -> Element:
    upper = [(x, share.high) for x, share in shares]
    lower = [(x, share.low) for x, share in reversed(shares)]
    points = " ".join(f"{_x(x)},{_y(y)}" for x, y in upper + lower)
    return element("polygon", points=points, class_=f"{look} band")


def _curve(shares: Sequence[tuple[float, Share]], look: str) -> Element:
    points = " ".join(f"{_x(x)},{_y(share.value)}" for x, share in shares)
    return element("polyline", points=points, class_=f"{look} curve")


def _key(name: str, column: int, look: str) -> list[Element]:
    """What a curve is, below the chart, where no curve is."""
    x, y = LEFT + column * (WIDTH - LEFT - RIGHT) / 2, HEIGHT - BOTTOM + 62
    sample = element("polyline", points=f"{x:g},{y - 4} {x + 22:g},{y - 4}", class_=f"{look} curve")
    return [sample, element("text", name, x=x + 28, y=y, class_=f"{look} name")]


def _line(x1: float, y1: float, x2: float, y2: float, look: str) -> Element:
    return element("line", x1=_x(x1), y1=_y(y1), x2=_x(x2), y2=_y(y2), class_=look)


def _label(text: str, at: tuple[float, float], shift: tuple[float, float], anchor: str, look: str) -> Element:
    x, y = round(_x(at[0]) + shift[0], 1), round(_y(at[1]) + shift[1], 1)
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=look)


def _x(value: float) -> float:
    return round(LEFT + value * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float) -> float:
    return round(HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM), 1)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
