"""What people see of a running stack, and do there, in the browser that they have."""

import csv
import json
import re
import shutil
import threading
from io import StringIO
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from stack.api import RUNTIME, Stack
from tests.browser import PHONE, Browser
from tests.pages import ASKED, COMPARED, RUNS, Shown, listed
from tests.support import Document, Probe, eventually, page, question


def test_somebody_new_finds_the_worst_answer_and_disagrees(web: Browser, shown: Shown, probe: Probe) -> None:
    web.open(shown.url)
    web.named("worst answers").click()
    web.one("tbody a[href*='/q/']").click()
    web.until(lambda: "/q/" in web.driver.current_url, "one question")
    shown_id = unquote(urlsplit(web.driver.current_url).path.rpartition("/")[2])
    worst = next(one for one in probe.results() if one["_id"] == shown_id)
    of_the_run = [one["score"] for one in probe.results() if one["run"] == worst["run"] and one["score"] is not None]
    assert worst["score"] == min(of_the_run)
    told = web.text()
    assert "Not accepted" in told
    assert worst["best_answer"][:40] in told
    assert web.all("main mark"), "words are marked"
    web.named("Disagree").click()
    stored = web.until(lambda: seen_label(probe, worst), "a label")
    assert (stored["accepted"], stored["revised"]) == (True, True)
    probe.database["labels"].delete_one({"_id": stored["_id"]})


def seen_label(probe: Probe, outcome: Document) -> Document | None:
    """What somebody said of an answer whose verdict was shown."""
    return probe.database["labels"].find_one({"answer": outcome["llm_answer"], "chosen": "seen"})


def test_a_label_is_blind_and_one_key_stores_it(web: Browser, shown: Shown, probe: Probe) -> None:
    web.open(shown.address("/label?draw=random&seed=7"))
    told = web.text()
    assert "Would a person accept this answer?" in told
    for word in ("ccepted", "hreshold", "core 0."):
        assert word not in told, "the verdict is hidden"
    assert web.all("main mark") == [], "and so is what it is made of"
    for said in ([True], [True, False]):
        web.turn(str(int(said[-1])))
        assert are_stored(probe, said)
    assert not any(label["revised"] for label in probe.database["labels"].find({"chosen": "random"}))
    for left in ([True], []):
        web.turn("u")
        assert are_stored(probe, left)


def are_stored(probe: Probe, said: list[bool]) -> bool:
    """Whether the blind labels say so, in this order."""
    labels = probe.database["labels"].find({"chosen": "random"}).sort("labelled_at")
    return [label["accepted"] for label in labels] == said


def cases(web: Browser) -> list[str]:
    """The cases that are listed, in their order."""
    return [urlsplit(link.get_attribute("href") or "").path for link in web.all("tbody th a[href*='/q/']")]


def test_a_filter_survives_a_reload_and_the_way_back(web: Browser, shown: Shown) -> None:
    web.open(shown.address(f"/questions?run={RUNS[0]}&sort=score&order=asc&verdict=exhausted"))
    address, listed_first = web.driver.current_url, cases(web)
    assert listed_first
    web.driver.refresh()
    assert cases(web) == listed_first
    assert web.one("[name=verdict]").get_attribute("value") == "exhausted"
    web.one("tbody a[href*='/q/']").click()
    web.until(lambda: "/q/" in web.driver.current_url, "one question")
    web.driver.back()
    web.until(lambda: web.driver.current_url == address, "the list again")
    assert cases(web) == listed_first
    history = web.run("history.length")
    web.one("[name=words]").send_keys("why", Keys.ENTER)
    web.until(lambda: "words=why" in web.driver.current_url, "a search")
    assert {f"run={RUNS[0]}", "verdict=exhausted"} <= {*urlsplit(web.driver.current_url).query.split("&")}
    assert web.run("history.length") == history, "one entry for all that was typed, in the place of what was left"


def test_columns_that_are_chosen_stay_whatever_else_changes(web: Browser, shown: Shown) -> None:
    web.scripts(on=False)
    web.open(shown.address(f"/questions?run={RUNS[0]}"))
    assert "Cost, USD" not in headings(web)
    web.one("details.columns summary").click()
    for column in ("tokens", "run"):
        web.one(f"input[value={column}]").click()
    web.named("Apply").click()
    for name, word in (("› Next", "Run"), ("Worst", "Run"), ("Score", "Run"), ("ES", "Ejecución")):
        web.named(name).click()
        assert word in headings(web)
        assert "USD" not in headings(web)
    assert web.one("tbody tr td[data-name=Ejecución]").text == RUNS[0]
    web.named("Más caras").click()
    assert "Coste, USD ▼" in headings(web), "a list shows what it is sorted by"


def headings(web: Browser) -> str:
    """The names of the columns."""
    return " · ".join(heading.text for heading in web.all("table.questions thead th"))


def test_keys_alone_lead_from_the_first_page_to_a_case_and_the_next(web: Browser, shown: Shown) -> None:
    web.open(shown.url)
    web.turn("g", "q")
    assert "/questions" in web.driver.current_url
    web.press("j")
    web.press("j")
    second = web.run("document.activeElement.closest('tr')?.rowIndex")
    assert second == 2
    web.press("k")
    web.turn(Keys.ENTER)
    first = web.driver.current_url
    assert "/q/" in first
    web.turn(Keys.ARROW_RIGHT)
    web.turn(Keys.ARROW_LEFT)
    assert urlsplit(web.driver.current_url).path == urlsplit(first).path


def test_keys_do_nothing_in_a_field_or_once_they_are_switched_off(web: Browser, shown: Shown) -> None:
    web.open(shown.address("/questions"))
    web.press("/")
    address = web.driver.current_url
    web.press("g", "n")
    assert web.run("document.activeElement.value") == "gn"
    web.open(shown.address("/questions"))
    web.press("?")
    web.one("dialog[open] input[type=checkbox]").click()
    web.named("Close").click()
    web.press("g", "n", "?")
    assert web.driver.current_url == address
    assert not web.all("dialog[open]")


OURS = "h1, h2, th[scope=col], label, legend, caption, button, nav a, dt, summary, option:first-child"
"""Where texts are the page's own."""


def test_every_page_is_in_spanish_from_its_title_to_its_numbers(web: Browser, shown: Shown) -> None:
    for path, word in (("", "Ahora"), ("/questions", "Preguntas"), ("/label", "Etiquetar"), ("/compare", "Comparar")):
        web.open(shown.address(path))
        web.named("ES").click()
        web.until(lambda: "/es" in web.driver.current_url, "the page in Spanish")
        assert web.run("document.documentElement.lang") == "es"
        assert web.one("header [aria-current=page]").text == word
        words = " ".join(web.run(f"[...document.querySelectorAll('{OURS}')].map((element) => element.textContent)"))
        assert not re.search(r"\b(Questions?|Answer|Verdict|Accepted|Score|Threshold|Run|Apply|the|of)\b", words), path


def test_no_page_is_wider_than_a_phone_and_every_target_can_be_hit(web: Browser, shown: Shown) -> None:
    web.size(*PHONE)
    for address in shown.everywhere():
        web.open(address)
        assert web.run("document.scrollingElement.scrollWidth") <= PHONE[0], address
        heights = web.run("[...document.querySelectorAll('button, .button, header a')].map(e => e.offsetHeight)")
        assert all(height == 0 or height >= 24 for height in heights), address


def test_every_page_has_one_heading_its_language_and_names_for_what_can_be_used(web: Browser, shown: Shown) -> None:
    unnamed = """[...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea")].filter(
        (e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.title || e.labels?.length)
    ).map((e) => e.outerHTML)"""
    for address in shown.everywhere():
        web.open(address)
        assert len(web.all("h1")) == 1, address
        assert web.run(unnamed) == [], address
        assert web.run("[...document.querySelectorAll('table')].every((table) => table.caption)"), address
        assert web.run("[...document.querySelectorAll('main svg[role=img]')].every((s) => s.querySelector('title'))"), (
            address
        )


def test_light_and_dark_follow_the_system_until_somebody_chooses(web: Browser, shown: Shown) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    web.open(shown.url)
    light = web.run(paper)
    web.scheme("dark")
    dark = web.run(paper)
    assert light != dark
    web.one("#theme").click()
    web.driver.refresh()
    assert web.run(paper) == light


def test_figures_change_while_questions_are_asked(web: Browser, shown: Shown, stack: Stack) -> None:
    web.open(shown.url)
    before = web.text()
    asking = threading.Thread(target=lambda: stack.send(TRAFFIC_TOTAL="100", TRAFFIC_RATE="20"))
    asking.start()
    try:
        web.until(
            lambda: (now := web.text()) != before and re.search(r"[1-9][0-9.]* questions/s decided", now),
            "questions that are decided",
        )
    finally:
        asking.join()


def test_every_page_works_without_scripts(web: Browser, shown: Shown, probe: Probe) -> None:
    web.scripts(on=False)
    web.open(shown.url)
    web.named("Questions").click()
    web.one("[name=words]").send_keys("why", Keys.ENTER)
    assert "words=why" in web.driver.current_url
    web.open(shown.address(shown.case))
    web.named("Disagree").click()
    stored = web.until(lambda: seen_label(probe, shown.exhausted), "a label")
    probe.database["labels"].delete_one({"_id": stored["_id"]})
    web.open(shown.address(COMPARED))
    assert f"{ASKED} shared questions" in web.text()


def test_two_runs_are_compared_from_the_list_of_runs(web: Browser, shown: Shown) -> None:
    web.open(shown.address("/compare"))
    for run in RUNS:
        web.one(f"input[type=checkbox][value={run}]").click()
    web.one("main form button").click()
    web.until(lambda: f"{ASKED} shared questions" in web.text(), "a comparison")


def test_an_export_has_all_that_matches_and_a_spreadsheet_finds_no_formula_in_it(stack: Stack, probe: Probe) -> None:
    evil, run = '=HYPERLINK("http://elsewhere.example")', "sheet"
    [outcome] = probe.outcomes(probe.ask(question(evil, content="@SUM(1)", best_answer="-1 + 1", run=run))).values()
    eventually(lambda: listed(stack, f"run={run}") == 1, "a list of what was asked")
    [line] = page(stack, f"questions.jsonl?run={run}").splitlines()
    assert (json.loads(line)["title"], json.loads(line)["message_id"]) == (evil, outcome["_id"])
    [row] = csv.DictReader(StringIO(page(stack, f"questions.csv?run={run}")))
    assert (row["title"], row["content"], row["best_answer"]) == (f"'{evil}", "'@SUM(1)", "'-1 + 1")


@pytest.mark.skipif(RUNTIME != "native", reason="in containers the index is in a volume")
def test_an_index_that_is_deleted_is_made_anew(shown: Shown, stack: Stack) -> None:
    stack.runtime.stop_part("explorer")
    shutil.rmtree(stack.run_dir / "data/explorer")
    stack.wait_ready()
    eventually(lambda: all(listed(stack, f"run={run}") == ASKED for run in RUNS), "lists as before")
    assert shown.exhausted["_id"] in page(stack, f"questions?run={RUNS[1]}&verdict=exhausted")


def test_no_topic_is_read_until_somebody_looks_who_then_sees_what_was_decided_before(
    stack: Stack, probe: Probe
) -> None:
    def times_begun() -> int:
        return stack.runtime.read_log("explorer").count("reading along")

    stack.runtime.stop_part("explorer")
    begun = times_begun()
    stack.wait_ready()
    probe.outcomes(probe.ask(question("Was it decided while nobody looked?", run="unseen")))
    assert times_begun() == begun
    assert listed(stack, "run=unseen") == 1, "the first look waits for what is missing"
    eventually(lambda: times_begun() > begun, "topics that are read along")
