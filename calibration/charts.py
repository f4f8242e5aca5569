"""The two charts of a calibration."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from calibration.figures import Bin, Point
from pages.html import element
from pages.plot import Panel, key, picture, scores_axis, shares_axis
from pages.shares import Share, percent

HEIGHT, TOP, BOTTOM = 380, 14, 76


def reliability(bins: Sequence[Bin], title: str) -> Element:
    """What share a person accepts, by score: on the diagonal, the score means what it says."""
    panel = _panel("score", "accepted by a person")
    panel.line((0, 0), (1, 1), "quiet")
    panel.label("as it says", (0.62, 0.62), (10, 6), look="quiet-text")
    for part in bins:
        x, share = part.score, part.accepted
        dot = Panel(panel.x, panel.y, height=panel.height)
        dot.line((x, share.low), (x, share.high), "first")
        dot.dot((x, share.value), 4, "first dot")
        panel.parts.append(element("g", element("title", f"score {x:.2f}: {percent(share)}"), *dot.parts))
    # Bins have equal counts but for one: a number under each would say little, and near scores would overprint.
    counts = " or ".join(str(count) for count in sorted({part.accepted.of for part in bins}))
    each = f"each dot: {counts} label{'' if counts == '1' else 's'}"
    panel.label(each, (0, 0), (0, 62), look="count")
    return picture(title, "", [panel], HEIGHT)


def precision_and_recall(points: Sequence[Point], marks: Sequence[tuple[float, str]], title: str) -> Element:
    """What a threshold does, with some of them marked and named."""
    panel = _panel("threshold", "share")
    known = [point for point in points if point.precision.of]
    curves = [
        ("precision, of what is accepted", [(p.threshold, p.precision) for p in known], "first"),
        ("recall, of what is right", [(p.threshold, p.recall) for p in points if p.recall.of], "second"),
    ]
    for _, shares, look in curves:
        if shares:
            _band(panel, shares, look)
            panel.curve([(x, share.value) for x, share in shares], look)
    key(panel, [(name, look) for name, shares, look in curves if shares], HEIGHT - BOTTOM + 62)
    for down, (threshold, text) in enumerate(marks):
        is_left_of_the_other = 0.25 < threshold < max(marks)[0]
        side = "end" if threshold > 0.75 or is_left_of_the_other else "start"
        panel.line((threshold, 0), (threshold, 1), "mark")
        panel.label(text, (threshold, 0), (-5 if side == "end" else 5, -10 - 16 * down), side)
    return picture(title, "", [panel], HEIGHT)


def _panel(x_name: str, y_name: str) -> Panel:
    return Panel(scores_axis(x_name), shares_axis(y_name), top=TOP, height=HEIGHT - TOP - BOTTOM)


def _band(panel: Panel, shares: Sequence[tuple[float, Share]], look: str) -> None:
    upper = [(x, share.high) for x, share in shares]
    lower = [(x, share.low) for x, share in reversed(shares)]
    panel.area(upper + lower, f"{look} band")
