"""A person's texts are taken out of everything that can be changed."""

from bson import json_util

from stack.api import Stack
from stack.forget import NO_TEXTS
from tests.support import Document, Probe, command, eventually, question

NAME = "Xochiquetzalli"


def collections_with_the_name(probe: Probe) -> list[str]:
    database = probe.database
    return [
        name
        for name in database.list_collection_names()
        if any(NAME in json_util.dumps(document) for document in database[name].find())
    ]


def accepted_at_once(probe: Probe) -> Document:
    """A question with the name in it whose first answer was accepted; the others have lost theirs."""
    text = f"{NAME} ate beans with much salt."
    asked = [question(f"What did {NAME} eat on day {day}?", best_answer=text) for day in range(10)]
    outcomes = probe.outcomes(probe.ask(*asked))
    good = next(one for one in asked if outcomes[one["message_id"]]["attempts"] == 1)
    for one in asked:
        if one is not good:
            probe.database["results"].update_one({"_id": one["message_id"]}, {"$set": NO_TEXTS})
    return good


def test_a_question_that_is_forgotten_is_in_no_collection_and_no_cache(stack: Stack, probe: Probe) -> None:
    other = question("What did nobody eat?", best_answer="Nobody ate stones of any kind.")
    before = probe.outcomes(probe.ask(other))
    asked = accepted_at_once(probe)
    dataset = {name: asked[name] for name in ("title", "content", "best_answer")}
    probe.database["questions"].insert_one({"_id": asked["question_id"], **dataset})
    [repeated] = probe.outcomes(probe.ask(question(**asked | {"message_id": "repeated"}))).values()
    assert repeated["source"] == "cache"
    [label] = [{"_id": "label", "message_id": asked["message_id"], "question": NAME}]
    probe.database["labels"].insert_one(label)
    assert collections_with_the_name(probe)

    said = command(stack, "forget", f"QUESTION={asked['question_id']}").stdout
    assert "outcomes without texts now   2" in said
    assert "labels deleted               1" in said
    assert "The topics hold it until" in said
    assert collections_with_the_name(probe) == []
    assert "were forgotten" in command(stack, "explain", f"QUESTION={asked['message_id']}", fails=True).stderr
    after = {outcome["_id"]: outcome for outcome in probe.results()}
    assert after[other["message_id"]] == before[other["message_id"]]
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")
    [again] = probe.outcomes(probe.ask(question(**asked | {"message_id": "asked-anew"}))).values()
    assert again["source"] == "llm"

    command(stack, "forget", "MESSAGE=asked-anew")
    assert collections_with_the_name(probe) == []


def test_what_nothing_is_stored_of_is_told(stack: Stack) -> None:
    said = command(stack, "forget", "MESSAGE=of-nobody", fails=True)
    assert "Nothing is stored of MESSAGE=of-nobody" in said.stderr
    assert "one of the two" in command(stack, "forget", fails=True).stderr
