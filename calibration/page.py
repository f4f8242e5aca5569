"""The report: one HTML page that needs nothing else, neither scripts nor other files."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from calibration import findings
from calibration.charts import precision_and_recall, reliability
from calibration.figures import Figures
from calibration.texts import cut
from calibration.work import Worked
from pages.html import beside, document, element, table
from pages.shares import percent

MOST_DISAGREEMENTS = 10

# One paragraph each.
METHOD = (
    "Every score is today's scorer's, also of answers that an older one had judged; under After make apply-calibration "
    "it has the new last step. Figures, charts and the bound are of labels from a random draw alone, or of a file that "
    "says nothing else: one for each distinct answer, said before the verdict was shown. Excepted are those that are "
    "counted as seen before: undone and said anew, or labelled earlier in another way. They are kept, for they "
    "are the doubtful ones. Intervals of shares are Wilson's, 95 %.",
    "The bound: thresholds at quantiles of the scores are tried in an order settled beforehand, from the better half "
    "of the answers down (and, with a fifth of the risk, from the best quarter), each by the exact binomial test of "
    "Clopper and Pearson, until one fails. Today's threshold, which no label chose, is tested by itself as well; each "
    "of the two statements is wrong in at most 5 % of all draws. The bound is about answers such as these; another "
    "threshold changes how often is asked again, and so the answers. It is about one look: who labels more and looks "
    "again until a threshold passes takes the risk anew with each look, and is wrong more often than the confidence "
    "says.",
    "The last step: a slope and an intercept on the score's log-odds, shrunken towards what is there, taken only where "
    "repeated cross-validation by question is better by more than chance. It keeps every order, so the bound holds "
    "with it and without it. All labels fit, but only random ones are measured on. A step after which today's "
    "threshold would accept almost none of what people accepted, or almost all of what they rejected, is taken only if "
    "its verdicts on held-out labels agree with people more often.",
    "The words: a slope above 1 moves scores away from 0.5, one below 1 towards it. An intercept above 0 raises every "
    "score, one below 0 lowers it. Log loss is the mean of −ln of the probability that the score gave to what the "
    "person said: 0 is perfect, and a score of 0.5 throughout has 0.693.",
)


def page(worked: Worked, made_at: str, scorer: str) -> str:
    """The report as text."""
    revised = f" {worked.revised} of the random ones were seen before, with the verdict." if worked.revised else ""
    found = findings.blocks(worked)
    figures = table(f"Scorer {scorer}, {made_at}.{revised}", ("figure", "today"), findings.summary(worked))
    return document(
        "Cotejo: judge and people",
        element("h1", found[0].sentences[0]),
        *_to_do(findings.commands(worked)),
        element("h2", findings.TODAY),
        *(element("p", sentence) for sentence in found[0].sentences[1:]),
        figures,
        *(_charts(worked, worked.today) if worked.today else ()),
        *_after(worked, found[1:]),
        *([_disagreements(worked, worked.today)] if worked.today else []),
        element("h2", "How it was worked out"),
        *(element("p", text, class_="small") for text in METHOD),
    )


def _to_do(commands: Sequence[str]) -> Iterable[Element]:
    if commands:
        yield element("h2", "What to do, in this order")
        yield element("ol", *(element("li", element("code", command)) for command in commands))


def _after(worked: Worked, found: Sequence[findings.Block]) -> Iterable[Element]:
    """The same of the score with the new last step, where one is proposed."""
    for block in found:
        yield element("h2", block.title)
        yield from (element("p", sentence) for sentence in block.sentences)
    if worked.after:
        yield from _charts(worked, worked.after)


def _charts(worked: Worked, shown: Figures) -> Iterable[Element]:
    is_today, is_final = shown is worked.today, not worked.after or shown is worked.after
    score = "today's score" if is_today else "the score after make apply-calibration, fitted to these very labels"
    n = f"{shown.agreement.of:,} answers {worked.drawn}, {score}; bars are 95 % intervals."
    yield element("h3", findings.reliability(shown))
    bins = [(f"{part.score:.3f}", percent(part.accepted)) for part in shown.bins]
    chart = reliability(shown.bins, findings.reliability(shown))
    yield beside(chart, n, table("Bins of equal counts", ("mean score", "accepted by a person"), bins))

    yield element("h3", findings.trade(shown))
    marks = [(shown.threshold, f"today {shown.threshold:g}" if is_today else f"{shown.threshold:g}")]
    if is_final and worked.recommended is not None:
        marks.append((worked.recommended, f"recommended {worked.recommended:g}"))
    chart = precision_and_recall(shown.points, marks, findings.trade(shown))
    yield beside(chart, n.replace("bars", "bands"), *_threshold_tables(shown))


def _threshold_tables(shown: Figures) -> Iterable[Element]:
    points = [(f"{at.threshold:.2f}", percent(at.precision), percent(at.recall)) for at in shown.points[::10]]
    yield table("", ("threshold", "precision", "recall"), points)
    yield table(
        f"Verdicts at {shown.threshold:g}",
        ("", "a person accepts", "a person does not"),
        [
            ("the judge accepts", f"{shown.verdicts.both_yes:,}", f"{shown.verdicts.only_judge:,}"),
            ("the judge does not", f"{shown.verdicts.only_person:,}", f"{shown.verdicts.both_no:,}"),
        ],
    )


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
        rows.append((f"{worked.scores[index]:.2f}", said, *(cut(text) for text in texts)))
    names = ("score", "person", "question", "reference", "answer")
    caption = f"Today's score: the worst {len(rows)} of {len(differ):,} disagreements among {len(blind):,} answers"
    shown = table(caption, names, rows, texts_from=2)
    return element("section", element("h2", "Where judge and person differ most"), element("div", shown, class_="wide"))
