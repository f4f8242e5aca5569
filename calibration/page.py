"""The report: one HTML page that needs nothing else, neither scripts nor other files."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

from calibration import findings
from calibration.charts import element, percent, precision_and_recall, reliability
from calibration.figures import Figures
from calibration.texts import visible
from calibration.work import Worked

STYLE = Path(__file__).with_name("page.css")
MOST_DISAGREEMENTS = 10
MOST_LETTERS = 1200

# One paragraph each.
METHOD = (
    "Every score is today's scorer's, also of answers that an older one had judged. Figures, charts and the bound are "
    "of labels from a random draw alone: one for each distinct answer, said before the verdict was shown. Excepted are "
    "those that are counted as seen before: undone and said anew, or labelled earlier among the unsure ones. They are "
    "kept, for they are the doubtful ones. Intervals of shares are Wilson's, 95 %.",
    "The bound: thresholds at quantiles of the scores are tried in an order settled beforehand, from the better half "
    "of the answers down (and, with a fifth of the risk, from the best quarter), each by the exact binomial test of "
    "Clopper and Pearson, until one fails. It is about answers such as these; another threshold changes how often is "
    "asked again, and so the answers. It is about one look: who labels more and looks again until a threshold passes "
    "takes the risk anew with each look, and is wrong more often than the confidence says.",
    "The last step: a slope and an intercept on the score's log-odds, shrunken towards what is there, taken only where "
    "repeated cross-validation by question is better by more than chance. It keeps every order, so the bound holds "
    "with it and without it. All labels fit, but only random ones are measured on.",
)


def page(worked: Worked, made_at: str, scorer: str) -> str:
    """The report as text."""
    sections: list[Element] = []
    if worked.today:
        sections = [*_charts(worked, worked.today), _disagreements(worked, worked.today)]
    revised = f" {worked.revised} of the random ones were seen before, with the verdict." if worked.revised else ""
    body = element(
        "main",
        element("h1", findings.agreement(worked)),
        *(element("p", sentence) for sentence in findings.findings(worked)[1:]),
        _table(f"Scorer {scorer}, {made_at}.{revised}", ("figure", "today"), findings.summary(worked)),
        *sections,
        element("h2", "How it was worked out"),
        *(element("p", text, class_="small") for text in METHOD),
    )
    style = STYLE.read_text("utf-8")
    # Even if a text could become markup, the browser would neither run nor fetch anything.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", "Cotejo: judge and people"),
        element("style", style),
    )
    html = element("html", head, element("body", body), lang="en")
    return "<!doctype html>\n" + tostring(html, encoding="unicode", method="html") + "\n"


def _charts(worked: Worked, today: Figures) -> Iterable[Element]:
    n = f"{today.agreement.of:,} answers drawn at random; bars are 95 % intervals."
    yield element("h2", findings.reliability(today))
    bins = [(f"{part.score:.3f}", percent(part.accepted)) for part in today.bins]
    chart = reliability(today.bins, findings.reliability(today))
    yield _beside(chart, n, _table("Bins of equal counts", ("mean score", "accepted by a person"), bins))

    shown = worked.after or today
    yield element("h2", findings.trade(worked))
    points = [
        (f"{point.threshold:.2f}", percent(point.precision), percent(point.recall)) for point in shown.points[::10]
    ]
    scale = "The scores have the new last step here. " if worked.after else ""
    chart = precision_and_recall(shown.points, shown.threshold, worked.threshold.value, findings.trade(worked))
    tables = [
        _table("", ("threshold", "precision", "recall"), points),
        _table(
            f"Verdicts at {shown.threshold:g}",
            ("", "a person accepts", "a person does not"),
            [
                ("the judge accepts", f"{shown.verdicts.both_yes:,}", f"{shown.verdicts.only_judge:,}"),
                ("the judge does not", f"{shown.verdicts.only_person:,}", f"{shown.verdicts.both_no:,}"),
            ],
        ),
    ]
    yield _beside(chart, scale + n.replace("bars", "bands"), *tables)


def _disagreements(worked: Worked, today: Figures) -> Element:
    """Where they differ most: what a person should look at first."""
    blind = [index for index, label in enumerate(worked.labels) if label.blind]
    differ = [index for index in blind if (worked.scores[index] >= today.threshold) != worked.labels[index].accepted]
    differ.sort(key=lambda index: -abs(worked.scores[index] - worked.labels[index].accepted))
    rows = []
    for index in differ[:MOST_DISAGREEMENTS]:
        label = worked.labels[index]
        said = "yes" if label.accepted else "no"
        texts = (label.question, "\n— or —\n".join(label.references), label.answer)
        rows.append((f"{worked.scores[index]:.2f}", said, *map(_cut, texts)))
    names = ("score", "person", "question", "reference", "answer")
    caption = f"The worst {len(rows)} of {len(differ):,} disagreements among {len(blind):,} answers"
    table = _table(caption, names, rows, texts_from=2)
    return element("section", element("h2", "Where judge and person differ most"), element("div", table, class_="wide"))


def _beside(chart: Element, caption: str, *tables: Element) -> Element:
    figure = element("figure", chart, element("figcaption", caption))
    return element("div", figure, element("div", *tables), class_="beside")


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]], texts_from: int = 99) -> Element:
    head = element("tr", *(element("th", name, scope="col") for name in names))
    body = []
    for row in rows:
        cells = [element("th", row[0], scope="row")]
        for column, cell in enumerate(row[1:], 1):
            looks = {"class_": "text", "dir": "auto"} if column >= texts_from else {}
            cells.append(element("td", cell, **looks))
        body.append(element("tr", *cells))
    return element("table", element("caption", caption), element("thead", head), element("tbody", *body))


def _cut(text: str) -> str:
    shown = visible(text[:MOST_LETTERS])
    return f"{shown}\n… {len(text) - MOST_LETTERS:,} more letters" if len(text) > MOST_LETTERS else shown
