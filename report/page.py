"""The report: one HTML page that needs nothing else, and its charts and tables as files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from calibration.texts import visible
from pages.html import document, element
from pages.plot import as_file
from report import cost, quality, traffic
from report.finding import finding, missing, summary
from report.names import folder_of
from report.run import Run
from report.section import Section

METHOD = (
    "An outcome is what became of one request. Accepted: its answer's score is at or above the threshold. Not accepted "
    "(exhausted): no attempt reached it, and the best one is kept. Error: the model could not answer; there is no "
    "score, and it counts as not accepted. A score is the estimated probability that a person would accept the answer, "
    "by the scorer named above.",
    "Counts stand beside every share. Intervals of shares are Wilson's (1927), 95 %; they take questions to be "
    "independent of each other, which repeats of one question are not. Percentiles are the smallest value that so many "
    "per cent do not exceed.",
    "Latency counts from when a question was due by the arrival process, not from when it was sent, so that a slow "
    "system is not spared the questions that it kept waiting. There is no mean of it.",
    "Whether arrivals follow the ordered law is told by the greatest distance between the cumulative shares "
    "(Kolmogorov and Smirnov); chance alone exceeds 1.36 / √n in one of twenty runs. Questions that Kafka did not "
    "acknowledge are not in it.",
    "Served without a call: an answer from memory (cache), from MongoDB (stored), or of the same question in flight "
    "(twin). What was saved is the count of those times what the others took on average; easier questions may be asked "
    "more often.",
    "Labels: only answers that were drawn at random count, each distinct one once, with the verdict that this run "
    "gave.",
)
OF_COMPARISONS = (
    "Runs are paired by question_id; a question asked several times in a run counts once, by its mean. Intervals are "
    "those of the paired bootstrap over questions (10,000 draws, seed 1; differences rounded to a thousandth). Where "
    "no question went one way, they are widened that way by 3.69 of so many questions, which such a draw cannot rule "
    "out. Words: better or worse, if the interval excludes 0; practically equal, if it lies within 2 points of 0; "
    "both, by less than matters; else no difference is shown, which is not to say that there is none. Under 30 shared "
    "questions there are only counts. The exact test takes the questions on which the runs differ (McNemar's, for one "
    "verdict each).",
)


@dataclass(frozen=True)
class Told:
    """One run of a report, by its sections."""

    run: Run
    sections: Sequence[Section]


def figures(run: Run) -> list[Section]:
    """The sections that show how a run went, in figures alone."""
    return [
        quality.outcomes(run),
        quality.scores(run),
        quality.asking_again(run),
        traffic.arrivals(run),
        traffic.latency(run),
        cost.sources(run),
    ]


def files(told: Sequence[Told], comparisons: Sequence[Section], headline: str, made_at: str) -> dict[str, str]:
    """Every file of a report, by its name; with several runs, those of each lie in its own folder."""
    made = {"report.html": page(told, comparisons, headline, made_at)}
    folders = [folder_of(of.run.name) + "/" if len(told) > 1 else "" for of in told]
    for folder, of in zip(folders, told, strict=True):
        made[f"{folder}summary.csv"] = summary(of.run).csv()
        made |= _files(folder, of.sections)
    for number, section in enumerate(comparisons, 1):
        made |= _files(f"comparison-{number}/" if len(comparisons) > 1 else "comparison/", [section])
    return made


def page(told: Sequence[Told], comparisons: Sequence[Section], headline: str, made_at: str) -> str:
    """The page as text."""
    names = ", ".join(visible(of.run.name) for of in told)
    content = [element("h1", headline)]
    if len(comparisons) > 1:
        text = f"Each run is compared with {visible(told[0].run.name)}: {len(comparisons)} comparisons."
        content.append(element("p", text, class_="small"))
    links: list[tuple[str, str]] = []
    body = [_linked(section.drawn(), section.title, links) for section in comparisons]
    for of in told:
        if len(told) > 1:
            heading = element("h2", f"Run {visible(of.run.name)}", class_="run")
            inner: list[tuple[str, str]] = []
            parts = list(_of_run(of, inner, f"r{len(links)}-"))
            body += [_linked(heading, f"Run {of.run.name}", links), _contents(inner), *parts]
        else:
            body += _of_run(of, links, "r")
    method = [element("p", text, class_="small") for text in (*METHOD, *(OF_COMPARISONS if comparisons else ()))]
    body.append(_linked(element("section", element("h2", "Method"), *method), "Method", links))
    text = f"Run {names} · made {made_at} · by Cotejo, from MongoDB; every table and chart is a file beside this page."
    return document(f"Cotejo: {names}", *content, element("p", text, class_="small"), _contents(links), *body)


def _of_run(of: Told, links: list[tuple[str, str]], prefix: str) -> Iterable[Element]:
    found = element(
        "section",
        element("h2", "Finding"),
        element("p", " ".join(finding(of.run)), class_="finding"),
        *(element("p", sentence, class_="warning") for sentence in missing(of.run)),
        summary(of.run).shown(),
    )
    yield _linked(found, "Finding", links, prefix)
    for section in of.sections:
        yield _linked(section.drawn(), section.title, links, prefix)


def _linked(drawn: Element, title: str, links: list[tuple[str, str]], prefix: str = "s") -> Element:
    name = f"{prefix}{len(links) + 1}"
    drawn.set("id", name)
    links.append((name, visible(title)))
    return drawn


def _contents(links: Sequence[tuple[str, str]]) -> Element:
    items = (element("a", title, href=f"#{name}") for name, title in links)
    return element("nav", *items, aria_label="Contents")


def _files(folder: str, sections: Iterable[Section]) -> Mapping[str, str]:
    made: dict[str, str] = {}
    for section in sections:
        made |= {f"{folder}{name}.svg": as_file(chart) for name, chart in section.figures.items()}
        made |= {f"{folder}{name}.csv": grid.csv() for name, grid in section.grids.items()}
    return made
