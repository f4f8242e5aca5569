"""A person's labels change how the job scores, and everything can be put back."""

import json
from collections.abc import Iterator

import pytest

from stack.api import Stack
from tests.support import Probe, command, eventually, page, question

RUN, LATER = "to-be-labelled", "judged-anew"


@pytest.fixture
def labels(probe: Probe) -> Iterator[None]:
    """No labels, before and after."""
    for name in ("labels", "calibrations"):
        probe.database[name].delete_many({})
    yield
    for name in ("labels", "calibrations"):
        probe.database[name].delete_many({})


def send(stack: Stack, run: str) -> None:
    """The same questions in each run."""
    how = {"TRAFFIC_TOTAL": "60", "TRAFFIC_RATE": "200", "TRAFFIC_POPULARITY": "each", "TRAFFIC_SEED": "1"}
    stack.send(**how, TRAFFIC_RUN=run)


def scorer_of_a_new_verdict(probe: Probe) -> str:
    [outcome] = probe.outcomes(probe.ask(question("What does the judge go by now?"))).values()
    return str(outcome["scorer"])


@pytest.mark.usefixtures("labels")
def test_labels_become_a_calibration_that_later_verdicts_name_until_it_is_reset(stack: Stack, probe: Probe) -> None:
    send(stack, RUN)
    shipped = scorer_of_a_new_verdict(probe)

    # A person whom little pleases, and who pressed y once in error.
    said = command(stack, "label", f"RUN={RUN}", "COUNT=40", keys="y u" + "nnnnnnnnny" * 4).stdout
    assert "1 of 40 · random draw, seed 1" in said
    assert "40 labelled, 0 skipped" in said
    stored = list(probe.database["labels"].find())
    assert len(stored) == 40
    assert {label["chosen"] for label in stored} == {"random"}
    assert [label["accepted"] for label in stored].count(True) == 4
    assert [label["revised"] for label in stored].count(True) == 1

    said = command(stack, "calibrate", "TARGET_PRECISION=0.9").stdout
    assert "The last step of the score should change" in said
    assert "No threshold is shown to reach 90 %" in said
    [folder] = (stack.settings.data_collected() / "calibration").iterdir()
    told = json.loads((folder / "calibration.json").read_text())
    assert told["labels"] == 40
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    again = command(stack, "calibrate", f"LABELS={folder / 'labels.csv'}").stdout
    assert again.partition("Report")[0] == said.partition("Report")[0]

    said = command(stack, "apply-calibration").stdout
    applied = scorer_of_a_new_verdict(probe)
    assert applied != shipped
    assert f"Later verdicts name the scorer {applied}." in said
    said = command(stack, "apply-calibration").stdout
    assert "→" not in said
    assert f"Nothing changes: the job scores by {applied} already." in said

    send(stack, LATER)
    compared = f"compare?run={RUN}&run={LATER}"
    eventually(lambda: f"{LATER} did better on" in page(stack, compared), "both runs judged alike")
    assert f"scored again by {applied}, the newest of these scorers" in page(stack, compared)

    command(stack, "apply-calibration", "RESET=1")
    assert scorer_of_a_new_verdict(probe) == shipped


def test_an_outcome_and_two_texts_are_explained(stack: Stack, probe: Probe) -> None:
    [message_id] = probe.ask(question("Why is the sea blue?"))
    outcome = probe.outcomes([message_id])[message_id]
    said = command(stack, "explain", f"QUESTION={message_id}").stdout
    assert f"score {outcome['score']:.3f}" in said
    assert f"scorer {outcome['scorer']}" in said
    texts = ("ANSWER=It took 7 years.", "REFERENCE=It took 5 years to build the tower.", "QUESTION_TEXT=How long?")
    said = command(stack, "explain", *texts).stdout
    assert "would not be accepted" in said
    assert "≠7" in said
    assert "Held back by:" in said
