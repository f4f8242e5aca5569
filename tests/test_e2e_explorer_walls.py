"""explorer shows what others wrote, and whoever can reach it can ask: neither changes anything, or runs."""

import json
from itertools import cycle
from urllib.parse import quote

from bson import json_util

from stack.api import Stack
from tests.browser import Browser
from tests.pages import COLUMNS, LANGUAGES, RUNS, Shown, listed
from tests.support import WEB, Probe, eventually, message

# What might run in a page that shows it, wherever it lands: each tells of itself by the same name.
EVIL = (
    "<script>hurt=1</script>",
    '<img src="data:," onerror="hurt=1">',
    '"><svg onload="hurt=1">',
    "' onfocus='hurt=1' autofocus='",
    "</textarea></title></script><iframe srcdoc='<script>parent.hurt=1</script>'>",
    "[a link](javascript:hurt=1) javascript:hurt=1",
    "${hurt=1} {{hurt=1}} <!--",
)
LINES = " ".join(EVIL)
BROUGHT_IN = """[...document.querySelectorAll("*")].filter((element) =>
    ["IFRAME", "OBJECT", "EMBED", "BASE"].includes(element.tagName)
    || [...element.attributes].some(({name, value}) => name.startsWith("on")
        || (["href", "src", "action", "formaction", "xlink:href"].includes(name) && /^\\s*javascript:/i.test(value)))
).map((element) => element.outerHTML)"""


def tell_evil(probe: Probe) -> dict[str, list[str]]:
    """Has outcomes stored whose every text is evil, answers and errors, and gives their ids."""
    texts = {"title": LINES, "content": LINES, "best_answer": f"{LINES} Air scatters blue light."}
    answers, errors = [], []
    for number, run in enumerate(EVIL):
        ids = {"run": run, "message_id": f"{number}{run}", "question_id": f"evil{run}"}
        answer = {"llm_answer": LINES, "model": EVIL[0], "finish_reason": EVIL[1], "thinking": LINES, "prompt": LINES}
        answers.append(message("llm_responses", **texts, **ids, **answer, prompt_version=EVIL[0], settings=EVIL[2]))
        ids["message_id"] = f"error {run}"
        failed = {"error_type": EVIL[2], "error_detail": LINES, "model": EVIL[0], "attempts": 1}
        errors.append(message("llm_errors", **texts, **ids, **failed))
    subject = {"topic": EVIL[2]}
    probe.write("llm_responses", *(json.dumps(one | subject | {"attempts": 3}).encode() for one in answers))
    probe.write("llm_errors", *(json.dumps(one | subject).encode() for one in errors))
    stored = {kind: [one["message_id"] for one in some] for kind, some in (("answers", answers), ("errors", errors))}
    probe.outcomes([*stored["answers"], *stored["errors"]])
    return stored


def test_no_text_becomes_a_script(web: Browser, shown: Shown, probe: Probe, stack: Stack) -> None:
    stored = tell_evil(probe)
    eventually(lambda: listed(stack, f"run={quote(EVIL[-1])}") == 2, "a list of what is evil")
    cases = [f"/q/{quote(one, safe='')}" for one in (*stored["answers"], *stored["errors"])]
    paths = [*cases, *(f"{case}?trail=1&full=1" for case in cases), *(f"{case}/raw" for case in cases)]
    for run in EVIL:
        name = quote(run, safe="")
        paths += [f"/questions?run={name}&{COLUMNS}", f"/compare?run={RUNS[0]}&run={name}", f"/label?run={name}"]
        # What nobody stored, but somebody sends in a link.
        paths += [f"/q/{name}", f"/questions?words=x{name}", f"/questions?verdict={name}&{name}={name}&columns={name}"]
        paths += [
            f"/compare?run={name}&base={name}&tab={name}",
            f"/label?draw={name}",
            f"{cases[0]}?tab={name}",
            f"/{name}",
        ]
    for path, language in zip(paths, cycle(LANGUAGES), strict=False):
        web.open(shown.address(path, language))
        assert web.run("window.hurt") is None, path
        assert web.run(BROUGHT_IN) == [], path
        assert web.complaints() == [], path
    # They are there to be read, to the letter.
    web.open(shown.address(cases[0]))
    assert EVIL[0] in web.text()
    assert "hurt=1" in web.text()


def test_no_page_of_another_site_can_label(shown: Shown, probe: Probe) -> None:
    before = list(probe.database["labels"].find())
    address = shown.address(f"{shown.case}/label")
    for origin in ("http://elsewhere.example", "null", f"{shown.url}.elsewhere.example", None):
        headers = {"Origin": origin} if origin else {}
        answer = WEB.post(address, data={"said": "disagree"}, headers=headers)
        assert answer.status_code == 403, origin
    assert list(probe.database["labels"].find()) == before


def test_no_name_of_another_site_leads_here(shown: Shown) -> None:
    port = shown.url.rpartition(":")[2]
    for name in ("elsewhere.example", "127.0.0.1.elsewhere.example", "localhost.", ""):
        answer = WEB.get(shown.address("/questions"), headers={"Host": f"{name}:{port}"})
        assert answer.status_code == 421, name
        assert "<" not in answer.text
    assert WEB.get(shown.address(), headers={"Host": f"localhost:{port}"}).is_success


def test_whoever_looks_changes_nothing(shown: Shown, probe: Probe) -> None:
    def all_that_is_stored() -> dict[str, list[str]]:
        database = probe.database
        return {
            name: sorted(json_util.dumps(document) for document in database[name].find())
            # llm-consumer says there every few seconds that it is still there.
            for name in {*database.list_collection_names()} - {"model_settings"}
        }

    probe.settle()
    before, offsets = all_that_is_stored(), probe.progress()
    for address in (*shown.everywhere(), shown.address("/questions.csv"), shown.address("/questions.jsonl?run=")):
        assert WEB.get(address).status_code < 500, address
    with WEB.stream("GET", shown.address("/now/events")) as live:
        assert next(live.iter_lines())
    assert all_that_is_stored() == before
    assert probe.progress() == offsets
