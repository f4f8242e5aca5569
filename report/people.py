"""What people said of the answers, against the verdicts on them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from calibration.charts import precision_and_recall, reliability
from calibration.figures import Figures, Sample, figures
from calibration.findings import reliability as means_what_it_says
from calibration.findings import trade
from pages.shares import Share, percent, share_of
from report.grid import Grid
from report.outcomes import Outcomes
from report.run import Run
from report.section import Section
from report.store import Distinct

Document = Mapping[str, Any]
FEWEST_DRAWN = 20
"""Labels, below which a chart would show chance."""


class Labelled(NamedTuple):
    """Distinct answers of a run that have a blind label: what the judge and what a person said."""

    score: list[float]
    judged: list[bool]
    accepted: list[bool]
    question: list[str]
    revised: int
    other: int


def labelled(
    of: Outcomes,
    labels: Sequence[Document],
    question_of: Callable[[Sequence[str]], Mapping[str, str]],
    distinct: Callable[[str], Iterable[Distinct]],
) -> Labelled:
    """Which answers of a run people have judged: each distinct one once, however often it was given.

    A label was given to an answer, perhaps of another run: it holds wherever that answer was given again.
    """
    found = Labelled([], [], [], [], 0, 0)
    if not labels:
        return found
    questions = set(question_of([str(label["message_id"]) for label in labels]).values())
    rows = {message_id: row for row, message_id in enumerate(of.ids)}
    given: dict[str, int] = {}
    for question in sorted(questions.intersection(of.question.names)):
        # What was stored since the outcomes were read is not among them.
        given |= {answer.name: rows[answer.message_id] for answer in distinct(question) if answer.message_id in rows}
    by_answer: defaultdict[str, list[Document]] = defaultdict(list)
    for label in labels:
        by_answer[str(label["_id"]).partition(":")[0]].append(label)
    revised = other = 0
    for answer, row in given.items():
        # The random one is first.
        said = next(iter(by_answer.get(answer, ())), None)
        if said is None:
            continue
        if said["chosen"] != "random":
            other += 1
            continue
        revised += bool(said.get("revised"))
        found.score.append(float(of.score[row]))
        found.judged.append(bool(of.accepted[row]))
        found.accepted.append(bool(said["accepted"]))
        found.question.append(of.question.names[of.question.codes[row]])
    return found._replace(revised=revised, other=other)


def section(run: Run, found: Labelled) -> Section:
    """Agreement, precision and recall, and with enough labels, whether a score means what it says."""
    made = Section("Labels against verdicts")
    count = len(found.score)
    if not count:
        others = f" {found.other:,} answers were labelled otherwise, and stand for no others." if found.other else ""
        made.say(f"No labels yet: nobody has judged answers of this run that were drawn at random.{others}")
        made.say(f"make label COUNT=100 RUN={run.name} asks about a hundred of them, and hides the verdict meanwhile.")
        return made
    sample = Sample(np.array(found.score), np.array(found.accepted, bool), found.question, np.ones(count, dtype=bool))
    shown = figures(sample, run.threshold if run.threshold is not None else 0.5)
    agreement, precision, recall = _measured(found)
    made.say(
        f"Judge and person agree on {percent(agreement)} of the answers drawn at random. Of what the judge accepted, a "
        f"person accepts {percent(precision)} (precision); of what a person accepts, the judge accepted "
        f"{percent(recall)} (recall)."
    )
    notes = [f"{found.revised:,} of these labels were said when the verdict had been seen." if found.revised else ""]
    notes.append(f"{found.other:,} labels that were not drawn at random are left out." if found.other else "")
    if any(notes):
        made.say(" ".join(filter(None, notes)), class_="small")
    rows = [("agreement", agreement), ("precision", precision), ("recall", recall)]
    made.table("labels", Grid(f"{count:,} distinct answers with a blind label", ("figure", "share"), rows))
    _verdicts(made, found)
    if count >= FEWEST_DRAWN:
        _charts(made, shown)
    return made


def _measured(found: Labelled) -> tuple[Share, Share, Share]:
    """Agreement, precision and recall."""
    judged, accepted = np.array(found.judged, bool), np.array(found.accepted, bool)
    both = int((judged & accepted).sum())
    return (
        share_of(int((judged == accepted).sum()), len(judged)),
        share_of(both, int(judged.sum())),
        share_of(both, int(accepted.sum())),
    )


def _verdicts(made: Section, found: Labelled) -> None:
    judged, accepted = np.array(found.judged, bool), np.array(found.accepted, bool)
    rows = [
        (name, int((chosen & accepted).sum()), int((chosen & ~accepted).sum()))
        for name, chosen in (("the judge accepted", judged), ("the judge did not", ~judged))
    ]
    made.table(
        "labels_by_verdict", Grid("Verdicts and people", ("verdict", "a person accepts", "a person does not"), rows)
    )


def _charts(made: Section, shown: Figures) -> None:
    caption = f"{shown.agreement.of:,} distinct answers drawn at random; intervals are 95 % (Wilson)."
    bins = Grid(
        "Bins of equal counts",
        ("mean score", "accepted by a person"),
        [(part.score, part.accepted) for part in shown.bins],
        (".3f",),
    )
    made.chart("reliability", reliability(shown.bins, means_what_it_says(shown)), caption, bins)
    points = [(point.threshold, point.precision, point.recall) for point in shown.points[::5]]
    grid = Grid("What a threshold does", ("threshold", "precision", "recall"), points, (".2f",))
    marks = [(shown.threshold, f"today {shown.threshold:g}")]
    made.chart("precision_and_recall", precision_and_recall(shown.points, marks, trade(shown)), caption, grid)
