"""A person's texts are taken out of everything that can be changed."""

import json
import shutil
from pathlib import Path

from bson import json_util

from stack.api import Stack
from tests.support import Document, Probe, command, eventually, page, question

NAME = "Xochiquetzalli"
SEARCH = "questions?run=&words=beans"


def collections_with_the_name(probe: Probe) -> set[str]:
    database = probe.database
    return {
        name
        for name in database.list_collection_names()
        if any(NAME in json_util.dumps(document) for document in database[name].find())
    }


def make_the_index_anew(stack: Stack) -> None:
    """Has explorer read everything again as soon as somebody looks; in containers its index is a volume, and stays."""
    stack.runtime.stop_part("explorer")
    shutil.rmtree(stack.run_dir / "data/explorer", ignore_errors=True)
    stack.wait_ready()


def import_dataset(stack: Stack, file: Path) -> None:
    importing = stack.runtime.popen("questions-import", environment={"QUESTIONS_FILE": str(file)}, quiet=True)
    assert importing.wait(60) == 0


def ask(probe: Probe, *stored: Document, prefix: str) -> dict[str, Document]:
    """The outcomes of questions of the dataset, by message_ids that begin with `prefix`."""
    texts = ("title", "content", "best_answer")
    asked = [
        question(**{name: one[name] for name in texts}, question_id=one["_id"], message_id=f"{prefix}-{one['_id']}")
        for one in stored
    ]
    return probe.outcomes(probe.ask(*asked))


def test_a_question_that_is_forgotten_is_in_no_outcome_label_dataset_or_cache(
    stack: Stack, probe: Probe, tmp_path: Path
) -> None:
    file, text = tmp_path / "dataset.jsonl", f"{NAME} ate beans with much salt."
    lines = [{"title": f"What did {NAME} eat on day {day}?", "best_answer": text} for day in range(10)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_dataset(stack, file)
    dataset = list(probe.database["questions"].find({"best_answer": text}))
    assert len(dataset) == len(lines)
    first = ask(probe, *dataset, prefix="first")
    chosen = next(one for one in dataset if first[f"first-{one['_id']}"]["attempts"] == 1)
    [repeat] = ask(probe, chosen, prefix="repeat").values()
    assert repeat["source"] == "cache"
    one_question = f"q/first-{chosen['_id']}"
    eventually(lambda: NAME in page(stack, SEARCH) and NAME in page(stack, one_question), "pages with the name")
    probe.database["labels"].insert_one({"_id": "label", "message_id": f"first-{chosen['_id']}", "question": NAME})

    said = command(stack, "forget", f"QUESTION={chosen['_id']}").stdout
    assert "outcomes without texts now   2" in said
    assert "labels deleted               1" in said
    assert "questions of the dataset     1" in said
    assert "The topics hold it until" in said
    explained = command(stack, "explain", f"QUESTION=first-{chosen['_id']}", fails=True)
    assert "were forgotten" in explained.stderr
    others = {message_id for message_id in first if not message_id.endswith(chosen["_id"])}
    assert {outcome["_id"] for outcome in probe.results() if NAME in json_util.dumps(outcome)} == others

    # As if the command had broken off.
    probe.database["labels"].insert_one({"_id": "label", "message_id": f"first-{chosen['_id']}", "question": NAME})
    said = command(stack, "forget", f"QUESTION={chosen['_id']}").stdout
    assert "outcomes without texts now   0" in said
    assert "labels deleted               1" in said

    for one in dataset:
        if one is not chosen:
            command(stack, "forget", f"QUESTION={one['_id']}")
    import_dataset(stack, file)
    assert collections_with_the_name(probe) == set()
    assert NAME not in page(stack, SEARCH)
    assert NAME not in page(stack, one_question)
    make_the_index_anew(stack)
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")
    [again] = ask(probe, chosen, prefix="again").values()
    assert again["source"] == "llm"
    command(stack, "forget", f"MESSAGE=again-{chosen['_id']}")
    assert collections_with_the_name(probe) == set()
    stored = len(probe.results())
    eventually(lambda: f"of {stored:,} outcomes" in page(stack, "questions?run="), "a list of all outcomes")
    assert NAME not in page(stack, SEARCH)


def test_what_nothing_is_stored_of_is_told(stack: Stack) -> None:
    said = command(stack, "forget", "MESSAGE=of-nobody", fails=True)
    assert "Nothing is stored of MESSAGE=of-nobody" in said.stderr
    assert "one of the two" in command(stack, "forget", fails=True).stderr
