"""The page and the files beside it."""

import csv
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

from pages.plot import linear_axis, log_axis
from pages.shares import share_of
from report import cases, comparison_page, errors, finding, page, people
from report.comparison import compare, sentence
from report.grid import Grid
from report.names import folder_of
from report.outcomes import Document
from report.run import Journal, Run
from report.section import Section
from report.tests.support import START, outcome, run_of

EVIL = "</style></td><script>alert(1)</script>\u202e\x00<img src=x onerror=alert(2)> & \"quotes\" 'too'"


def sections(run: Run, *shown: Document) -> list[Section]:
    """All sections, with these cases."""
    none = people.labelled(run.outcomes, [], lambda _: {}, lambda _: [])
    worst = [cases.Case(case, 2) for case in shown]
    return [
        *page.figures(run),
        cases.section("The worst answers", "worst", worst, lambda _: None, ""),
        people.section(run, none),
        errors.section(run),
        finding.what_was_run(run, "now"),
    ]


def of_all_kinds(text: str, name: str = "demo") -> Run:
    """A run with everything that there can be, and a text wherever people or servers may put one."""
    made = []
    for i in range(120):
        tries = [{"attempts": n, "score": 0.2 * n + i / 500, "scorer": "s"} for n in (1, 2, 3)]
        spent = {"calls": 3, "input_tokens": 9, "output_tokens": 9, "nanodollars": 900, "estimated": i == 3}
        fields: dict[str, object] = {
            "topic": f"{i % 4} {text}",
            "model": text,
            "settings": text,
            "prompt_version": text,
        }
        fields |= {"history": tries, "attempts": 3, "spent": spent | {"by_model": [{"model": text, **spent}]}}
        source = ("llm", "cache", "mongodb", "coalesced")[i % 4]
        made.append(outcome(i, 0.3 + i / 250, source=source, scorer="s", **fields))
    made += [outcome(200 + i, None, error={"type": text}, topic=text) for i in range(5)]
    settings = {"TRAFFIC_DISTRIBUTION": "poisson", "TRAFFIC_RATE": "10", "TRAFFIC_RUN": text}
    times = START.timestamp() * 1000 + 100 * np.arange(125)
    record = {
        "asked": 130,
        "seed": 1,
        "settings": settings,
        "dataset": {"questions": 3, "sha256": text},
        "versions": {},
    }
    return run_of(*made, name=name, journal=Journal(record, {"MAX_ATTEMPTS": "1"}, times, times * 0 + 3))


def made_of(*runs: Run) -> dict[str, str]:
    case = {**outcome(0, 0.1), "title": EVIL, "content": EVIL, "best_answer": EVIL, "llm_answer": EVIL, "model": EVIL}
    compared = [compare(runs[0], other) for other in runs[1:]]
    told = [page.Told(run, sections(run, case)) for run in runs]
    comparisons = [comparison_page.section(found, lambda _: {}) for found in compared]
    headline = " ".join(map(sentence, compared)) or finding.finding(runs[0])[0]
    return page.files(told, comparisons, headline, f"{datetime(2026, 1, 1, tzinfo=UTC):%Y}")


class Tags(HTMLParser):
    """Every tag and attribute, and whether all that was opened is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.mark.parametrize("text", ["plain", EVIL])
def test_the_page_is_whole_and_holds_nothing_that_runs_or_is_fetched(text: str) -> None:
    made = made_of(of_all_kinds(text, "a"), of_all_kinds(text, text))
    html = made["report.html"]
    found = Tags(html)
    assert not {"script", "img", "link", "iframe"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("style", "src")]
    assert all(value and value.startswith("#") for name, value in found.attributes if name == "href")
    assert "default-src 'none'" in html
    assert "url(" not in html
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {f"#{name}" for name in ids} == {value for name, value in found.attributes if name == "href"}


def test_texts_of_others_are_shown_as_they_are_and_what_hides_is_a_token() -> None:
    html = made_of(of_all_kinds(EVIL))["report.html"]
    assert "script" not in Tags(html).tags
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩⟨U+0000⟩") > 5


def test_every_chart_is_a_file_of_its_own_with_title_description_and_no_theme() -> None:
    made = made_of(of_all_kinds(EVIL))
    charts = {name: text for name, text in made.items() if name.endswith(".svg")}
    assert set(charts) == {
        f"{name}.svg"
        for name in (
            *("outcomes_by_subject", "scores_by_attempt", "asking_again", "accepted_up_to", "arrivals"),
            *("arrivals_over_time", "latency", "latency_over_time", "sources_over_time", "errors"),
        )
    }
    for name, text in charts.items():
        drawn = fromstring(text)  # noqa: S314 - our own
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert drawn.get("role") == "img"
        assert len(drawn.get("aria-label") or "") > 10, name
        assert drawn.findtext("{http://www.w3.org/2000/svg}title") == drawn.get("aria-label")
        assert not re.search(r"var\(|currentColor|nan", text), name
        assert name.replace(".svg", ".csv") in made


def test_no_chart_has_a_part_outside_its_picture() -> None:
    for name, text in made_of(of_all_kinds("plain", "a"), of_all_kinds("plain", "b")).items():
        if name.endswith(".svg"):
            drawn = fromstring(text)  # noqa: S314 - our own
            _, _, width, height = map(float, (drawn.get("viewBox") or "").split())
            for part in drawn.iter():
                for key, most in (
                    ("x", width),
                    ("x1", width),
                    ("cx", width),
                    ("y", height),
                    ("y1", height),
                    ("cy", height),
                ):
                    value = part.get(key)
                    assert value is None or 0 <= float(value) <= most, (name, part.tag, part.attrib, part.text)


def test_tables_are_files_that_no_spreadsheet_takes_for_formulas() -> None:
    grid = Grid(
        "", ("what it is", "share", "value"), [("=1+1", share_of(1, 2), 0.125), ("plain", share_of(0, 0), None)]
    )
    rows = list(csv.reader(StringIO(grid.csv())))
    assert rows[0] == ["what_it_is", "share", "share_of", "share_share", "share_low", "share_high", "value"]
    assert rows[1][:4] == ["'=1+1", "1", "2", "0.5"]
    assert rows[1][6] == "0.125"
    assert rows[2] == ["plain", "0", "0", "", "", "", ""]


@pytest.mark.parametrize(
    "documents",
    [
        [outcome(0)],
        [outcome(0, None)],
        [outcome(0, source="cache", history=[])],
        [{"_id": "m", "question_id": "q", "verdict": "accepted", "decided_at": START}],
        [outcome(i, 0.0, topic=None, latency_ms=0) for i in range(3)],
    ],
    ids=["one", "an error", "a hit", "next to nothing", "all the same"],
)
def test_a_run_with_hardly_anything_has_a_page_that_says_so(documents: list[Document]) -> None:
    made = made_of(run_of(*documents))
    html = made["report.html"]
    Tags(html)
    assert "nan" not in re.sub(r"<style>.*</style>", "", html, flags=re.DOTALL).lower().replace("nanodollars", "")
    for name in ("Outcomes", "Scores", "Arrivals", "Latency", "Labels against verdicts", "Errors and dead letters"):
        assert f"<h2>{name}</h2>" in html


def test_files_of_several_runs_lie_in_folders_of_their_own() -> None:
    made = made_of(of_all_kinds("x", "a"), of_all_kinds("x", "b"), of_all_kinds("x", "../c"))
    assert {name.split("/")[0] for name in made if "/" in name} == {
        *("a", "b", "%2E.%2Fc", "comparison-1", "comparison-2"),
    }
    assert "comparison-1/comparison.svg" in made
    assert "2 comparisons" in made["report.html"]


def test_whatever_a_run_is_called_its_folder_is_one_folder() -> None:
    for name in ("..", ".", "a/b", "a\\b", "é", "a b", ".hidden", "C:x"):
        folder = folder_of(name)
        assert folder.isascii()
        assert not {"/", "\\", " ", ":"} & set(folder)
        assert not folder.startswith(".")
    assert folder_of("20261129-092128-131686") == "20261129-092128-131686"
    assert folder_of("a", "b") == "a,b"
    long = [folder_of(*["問" * 40] * number) for number in (1, 2)]
    assert all(len(name) <= 200 for name in long)
    assert long[0] != long[1]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 1), (0, 7), (-3, 12.5), (0, 1e6), (0, 0.003)])
def test_an_axis_has_a_few_round_numbers_and_room_for_all(low: float, high: float) -> None:
    axis = linear_axis("", low, high)
    assert axis.low <= low
    assert axis.high >= high
    assert 2 <= len(axis.ticks) <= 9


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 2), (3, 80), (0.001, 900), (5, 1e6)])
def test_a_log_axis_has_room_for_all(low: float, high: float) -> None:
    axis = log_axis("", low, high)
    assert axis.low <= low * 1.001
    assert axis.high >= high * 0.999
    assert axis.high > axis.low
    assert len(axis.ticks) >= 2


def test_outcomes_that_were_removed_are_told_of_and_are_not_missing() -> None:
    asked = {"record": {"asked": 12}, "scheduled": [], "acknowledged": []}
    run = replace(run_of(*(outcome(i) for i in range(10)), journal=Journal.of(asked)), removed=2)
    said = [*finding.missing(run), "".join(errors.section(run).drawn().itertext())]
    assert said[0].startswith("2 older outcomes of this run were removed")
    assert len(finding.missing(run)) == 1
    assert "Every one of the 12 questions" in said[-1]
    assert "2 of 12 questions" in " ".join(finding.missing(replace(run, removed=0)))
