"""A browser beside 100,000 results: every page shows what MongoDB has, and in its order."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from rich.console import Console
from rich.table import Table

from stack.api import Stack
from tests.browser import MISSING, Browser
from tests.many import EACH, OUTCOMES, RUNS, fill, in_order, value
from tests.support import Document, Probe, command, eventually, page

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(MISSING), reason=MISSING or "there is a browser")]

NEWEST, ROWS = RUNS[-1], 50
HIDDEN = dict.fromkeys(("content", "best_answer", "history", "signals"), 0)
"""What is not looked at."""
READ = """[...document.querySelectorAll("table.questions tbody tr")].map((row) => ({
    id: decodeURIComponent(row.querySelector("th a").pathname.split("/q/")[1]),
    times: Number(row.querySelector("th span.quiet")?.textContent.replace(/[^0-9]/g, "") ?? 1),
    cells: Object.fromEntries([...row.querySelectorAll("[data-name]")].map((td) => [td.dataset.name, td.textContent])),
}))"""
Took = list[tuple[str, float]]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack() as stack:
        # Metrics are made anew of the runs that are known.
        for run in RUNS:
            stack.send(TRAFFIC_TOTAL="10", TRAFFIC_RATE="100", TRAFFIC_RUN=run)
        with Probe(stack) as probe:
            results = probe.database["results"]
            eventually(lambda: {f"run:{run}" for run in RUNS} <= {*probe.metrics()}, "metrics of the runs")
            template = results.find_one({"source": "llm", "verdict": "accepted"})
            assert template
            results.delete_many({})
            fill(results, template)
        command(stack, "metrics-rebuild")
        eventually(lambda: is_listed(stack), "a list of all results", 600)
        yield stack
    stack.clean()


def is_listed(stack: Stack) -> bool:
    """Whether the index has all of them, and no others."""
    told = page(stack, "questions?run=")
    return f"<strong>{OUTCOMES:,}</strong> of {OUTCOMES:,} outcomes" in told and "is being filled" not in told


@pytest.fixture(scope="module")
def took() -> Iterator[Took]:
    """What was opened, and how many seconds it took; shown in the end."""
    took: Took = []
    yield took
    table = Table("page", "ms", title=f"Until a page was loaded, beside {OUTCOMES:,} results")
    for what, seconds in took:
        table.add_row(what, f"{1000 * seconds:.0f}")
    Console().print(table)


@pytest.fixture(scope="module")
def known() -> dict[str, list[Document]]:
    """What MongoDB has by a filter, each read once."""
    return {}


class Reader:
    """Looks at pages, and knows what MongoDB has."""

    def __init__(self, web: Browser, stack: Stack, probe: Probe, took: Took, known: dict[str, list[Document]]) -> None:
        self.web, self._took, self._known = web, took, known
        self._url = stack.endpoints["EXPLORER_URL"]
        self.results = probe.database["results"]

    def open(self, path: str, language: str = "en") -> None:
        """Opens a page."""
        self._time(f"/{language}{path}", lambda: self.web.open(f"{self._url}/{language}{path}"))

    def follow(self, name: str, css: str = "") -> None:
        """Follows a link or presses a button, by its name or by a selector, and returns on another page."""

        def follow() -> None:
            before = self.web.driver.current_url
            (self.web.one(css) if css else self.web.named(name)).click()
            self.web.until(lambda: self.web.driver.current_url != before, f"another page, by {name}")

        self._time(f"{urlsplit(self.web.driver.current_url).path}: {name}", follow)

    def _time(self, what: str, act: Callable[[], None]) -> None:
        began = time.monotonic()
        act()
        self._took.append((what, time.monotonic() - began))
        assert self.web.complaints() == [], what

    def count(self) -> int:
        """How many outcomes match, as the page says."""
        return int(self.web.one("p.summary strong").text.replace(",", ""))

    def rows(self) -> list[tuple[Document, int, dict[str, str]]]:
        """The outcomes of the list as MongoDB has them, how many each stands for, and what is shown of them."""
        rows = self.web.run(READ)
        stored = {one["_id"]: one for one in self.results.find({"_id": {"$in": [row["id"] for row in rows]}}, HIDDEN)}
        return [(stored[row["id"]], row["times"], row["cells"]) for row in rows]

    def values(self, field: str) -> list[Any]:
        """What the outcomes of the list have in a field."""
        return [value(outcome, field) for outcome, _, _ in self.rows()]

    def stored(self, wanted: Document) -> list[Document]:
        """What MongoDB has."""
        if str(wanted) not in self._known:
            self._known[str(wanted)] = list(self.results.find(wanted, HIDDEN))
        return self._known[str(wanted)]

    def shows(self, wanted: Document, field: str = "decided_at", *, descending: bool = True) -> None:
        """Asserts that the page is the first one of just these outcomes, in this order."""
        stored = self.stored(wanted)
        assert self.count() == len(stored) == self.results.count_documents(wanted)
        assert self.values(field) == in_order(stored, field, descending=descending)[:ROWS]
        shown = [outcome["_id"] for outcome, _, _ in self.rows()]
        assert len({*shown}) == len(shown)
        assert {*shown} <= {outcome["_id"] for outcome in stored}


@pytest.fixture
def reader(web: Browser, stack: Stack, probe: Probe, took: Took, known: dict[str, list[Document]]) -> Reader:
    return Reader(web, stack, probe, took, known)


@pytest.mark.parametrize(
    ("name", "wanted", "field"),
    [
        ("Errors", {"verdict": "error"}, "decided_at"),
        ("Asked again", {"attempts": {"$gte": 2}}, "attempts"),
        ("Slowest", {}, "latency_ms"),
        ("Dearest", {}, "spent.nanodollars"),
        ("Newest", {}, "decided_at"),
    ],
)
def test_a_ready_made_list_is_what_it_says(reader: Reader, name: str, wanted: Document, field: str) -> None:
    reader.open("/questions?sort=score")
    reader.follow(name)
    reader.shows({"run": NEWEST, **wanted}, field)


@pytest.mark.parametrize(
    ("name", "wanted", "descending"),
    [("Worst", {}, False), ("Best", {}, True), ("Unsure", {"confidence": "unsure"}, False)],
)
def test_equal_answers_share_a_row(reader: Reader, name: str, wanted: Document, descending: bool) -> None:
    reader.open("/questions?run=")
    reader.follow(name)
    stored = reader.stored(wanted)
    assert reader.count() == len(stored)
    times = Counter((one["question_id"], one["llm_answer"]) for one in stored if one["llm_answer"])
    distinct = {(one["question_id"], one["llm_answer"]): one for one in stored if one["llm_answer"]}
    assert reader.values("score") == in_order([*distinct.values()], "score", descending=descending)[:ROWS]
    assert [shown for _, shown, _ in reader.rows()] == [
        times[one["question_id"], one["llm_answer"]] for one, _, _ in reader.rows()
    ]


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({"verdict": "exhausted", "topic": "Music"}, {"verdict": "exhausted", "topic": "Music"}),
        ({"run": "spring", "source": "cache"}, {"run": "spring", "source": "cache"}),
        ({"run": "", "error": "timeout"}, {"error.type": "timeout"}),
        ({"run": "", "attempts": "3", "score_from": "0.7"}, {"attempts": 3, "score": {"$gte": 0.7}}),
        (
            {"words": "volcano"},
            {
                "$or": [
                    {field: {"$regex": r"\bvolcano\b"}} for field in ("title", "content", "best_answer", "llm_answer")
                ]
            },
        ),
        ({"run": "", "words": "why case123"}, {"question_id": "question-123"}),
    ],
)
def test_a_filter_lets_through_what_mongodb_finds(reader: Reader, chosen: dict[str, str], wanted: Document) -> None:
    reader.open("/questions")
    for name, given in chosen.items():
        field = reader.web.one(f"form.filters [name={name}]")
        if field.tag_name == "select":
            reader.web.one(f"form.filters [name={name}] option[value='{given}']").click()
        else:
            field.send_keys(given)
    reader.follow("Apply")
    of_the_run = {} if "run" in chosen else {"run": NEWEST}
    reader.shows(of_the_run | wanted)


@pytest.mark.parametrize(
    ("name", "field"),
    [("Score", "score"), ("Attempts", "attempts"), ("Latency", "latency_ms"), ("Cost, USD", "spent.nanodollars")],
)
def test_a_heading_sorts_both_ways(reader: Reader, name: str, field: str) -> None:
    reader.open("/questions?run=&columns=cost")
    for descending in (True, False):
        reader.follow(name)
        reader.shows({}, field, descending=descending)


def test_a_list_is_walked_forth_and_back(reader: Reader) -> None:
    expected = in_order(reader.stored({"run": NEWEST, "verdict": "exhausted"}), "latency_ms", descending=False)
    reader.open(f"/questions?run={NEWEST}&verdict=exhausted&sort=latency&order=asc")
    pages = [reader.rows()]
    for _ in range(4):
        reader.follow("› Next")
        pages.append(reader.rows())
    walked = [outcome for rows in pages for outcome, _, _ in rows]
    assert [outcome["latency_ms"] for outcome in walked] == expected[: 5 * ROWS]
    assert len({outcome["_id"] for outcome in walked}) == 5 * ROWS
    for rows in reversed(pages[:-1]):
        reader.follow("‹ Previous")
        assert reader.rows() == rows
    reader.follow("» Last")
    assert reader.values("latency_ms") == expected[-ROWS:]
    reader.follow("« First")
    assert reader.rows() == pages[0]


def test_columns_show_what_mongodb_has(reader: Reader) -> None:
    reader.open("/questions?verdict=accepted")
    reader.web.one("details.columns summary").click()
    for box in reader.web.all("details.columns input"):
        box.click()
    reader.follow("Apply")
    reader.follow("› Next")
    for outcome, _, cells in reader.rows():
        cost, tokens = "–", "–"
        if spent := outcome["spent"]:
            cost = f"{spent['nanodollars'] / 1e9:.6f}"
            tokens = f"{spent['input_tokens']:,} / {spent['output_tokens']:,}"
        assert (cells["Cost, USD"], cells["Tokens sent / received"]) == (cost, tokens)
        assert (cells["Model"], cells["Run"]) == (outcome["model"], outcome["run"])


def test_a_question_is_shown_with_its_place_in_the_list(reader: Reader) -> None:
    reader.open("/questions?run=&sort=score&order=asc")
    [first, second, third] = [outcome for outcome, _, _ in reader.rows()[:3]]
    reader.follow("the second", "table.questions tbody tr:nth-child(2) th a")
    assert second["title"] in reader.web.one("h1").text
    assert f"2 of {OUTCOMES:,}" in reader.web.text()
    for name, outcome in (("Next ›", third), ("‹ Previous", second), ("‹ Previous", first)):
        reader.follow(name)
        assert unquote(urlsplit(reader.web.driver.current_url).path).endswith(outcome["_id"])
    reader.follow("The list")
    assert reader.count() == OUTCOMES


def test_two_runs_are_compared_question_by_question(reader: Reader) -> None:
    first, second = RUNS[:2]
    reader.open("/compare")
    for run in (first, second):
        accepted = reader.results.count_documents({"run": run, "accepted": True})
        assert f"{accepted:,} of {EACH:,}" in reader.web.text()
        reader.web.one(f"input[type=checkbox][value={run}]").click()
    reader.follow("Compare", "main form button")
    told = reader.web.text()
    verdicts = [
        {one["question_id"]: one["verdict"] == "accepted" for one in reader.stored({"run": run})}
        for run in (first, second)
    ]
    better, worse = (
        sum(verdicts[is_better][asked] and not verdicts[not is_better][asked] for asked in verdicts[0])
        for is_better in (True, False)
    )
    same = EACH - better - worse
    assert f"{EACH:,} shared questions" in told
    assert f"{second} did better on {better:,}, worse on {worse:,} and the same on {same:,}." in told
    for name, count in (("Better", better), ("Same", same), ("Worse", worse)):
        reader.follow(f"{name} {count:,}")
        assert len(reader.web.all("table.changes tbody tr")) == ROWS
    reader.follow("Next ›")
    reader.follow("Last »")


def test_every_other_page_opens_in_both_languages(reader: Reader) -> None:
    case = f"/q/{NEWEST}-7"
    paths = (
        "",
        "/questions",
        case,
        f"{case}?trail=1&full=1",
        "/label?draw=random&seed=7",
        "/label?draw=unsure",
        "/compare",
        f"/compare?run={RUNS[2]}&run={RUNS[3]}&run={RUNS[0]}",
    )
    for path in paths:
        for language in ("en", "es"):
            reader.open(path, language)
            assert len(reader.web.all("h1")) == 1
    reader.open("")
    assert not re.search(r"[Nn]othing (is )?decided", reader.web.text())
