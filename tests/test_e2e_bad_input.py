"""Whatever a topic holds: every record becomes an outcome or a dead letter, and the next one is handled."""

import argparse
import io
import json
import time
from datetime import UTC, datetime

import pytest
from rich.console import Console

from stack import dead_letters as dead_letters_command
from stack.api import Stack
from stack.backlog import READERS
from stack.settings import StackError
from tests.support import EXAMPLES, MESSAGES, DeadLetter, Document, Origin, Probe, eventually, message, question

KIB = 1 << 10
DEEP = "[" * 10_000 + "]" * 10_000
REFERENCE = "Molecules of air scatter the short waves of blue light far more than the long red ones."
JAPANESE = "空気の分子は、赤い光の長い波よりも青い光の短い波をはるかに多く散乱させる。"

EXTREMES = {
    "an empty answer": ("", REFERENCE),
    "an empty reference": (REFERENCE, ""),
    "nothing at all": ("", ""),
    "only punctuation": ("?!… — ¿", ".,;:"),
    "emoji": ("🌌🎉👩‍👩‍👧", "🌌🎉👩‍👩‍👧"),
    "another script": (JAPANESE, REFERENCE),
    "control characters": ("\0\x1b[31m\x7f", "\0"),
    "letters that grow in lower case": ("İ" * 100_000, "i̇" * 50_000),
    "100,000 words": ("a " * 100_000, "b " * 100_000),
    "as many different words as fit": (" ".join(f"{n:05x}" for n in range(43_000)), REFERENCE),
    "one word as long as an answer may be": ("x" * 256 * KIB, "x" * 256 * KIB),
}


def malformed(topic: str) -> dict[str, bytes | None]:
    """Everything that is not a message of a topic, by name."""
    examples = {path.stem: path.read_bytes() for path in (EXAMPLES / MESSAGES[topic] / "invalid").iterdir()}
    assert examples
    return examples | {
        "no text": b"\xff\xfe",
        "no JSON": b"{not json",
        "null": b"null",
        "wrong type": spelled(topic, "attempts", '"one"'),
        "missing fields": b'{"message_id": "alone"}',
        "tombstone": None,
        "empty": b"",
        "2 MB of spaces": b" " * 2_000_000,
        "2 MB of garbage": bytes(range(256)) * 7_813,
        "10,000 lists deep": spelled(topic, "trace_id", DEEP),
        "10,000 objects deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "lone surrogate": spelled(topic, "trace_id", r'"\ud800"'),
        "NaN": spelled(topic, "attempts", "NaN"),
        "integer of 400 digits": spelled(topic, "attempts", "9" * 400),
    }


def spelled(topic: str, field: str, text: str) -> bytes:
    """A message of a topic that would be good, but for a field whose JSON is `text`."""
    fields = {name: value for name, value in message(topic).items() if name != field}
    return f'{json.dumps(fields)[:-1]}, "{field}": {text}}}'.encode()


def encoded(fields: Document) -> bytes:
    return json.dumps(fields).encode()


def dead_letters(probe: Probe, origins: list[Origin]) -> list[DeadLetter]:
    """The dead letters from these places, as soon as all are there."""
    eventually(lambda: probe.dead_letters().keys() >= set(origins), f"dead letters from {origins[0]} and further")
    return [probe.dead_letters()[origin] for origin in origins]


@pytest.mark.parametrize("topic", MESSAGES)
def test_a_malformed_record_becomes_a_dead_letter_and_the_next_one_is_handled(topic: str, probe: Probe) -> None:
    bad, good = malformed(topic), message(topic)
    key, started = good["question_id"].encode(), time.time_ns() // 1_000_000
    origins = probe.write(topic, *bad.values(), encoded(good), key=key)[:-1]
    for (name, value), letter in zip(bad.items(), dead_letters(probe, origins), strict=True):
        assert (letter.key, letter.value) == (key, value), name
        assert letter.headers["reason"], name
        assert READERS[topic].startswith(letter.headers["service"]), name
        assert started <= int(letter.headers["timestamp"]) <= time.time_ns() // 1_000_000, name
    probe.outcomes([good["message_id"]])


def test_an_unknown_field_is_ignored(probe: Probe) -> None:
    newer = {topic: message(topic, from_the_future={"a": [None, 1.5, "b"]}) for topic in MESSAGES}
    for topic, fields in newer.items():
        probe.write(topic, encoded(fields))
    probe.outcomes([fields["message_id"] for fields in newer.values()])


@pytest.mark.parametrize(
    "field", ['"trace_id": "again"', f'"unknown": {DEEP}', f'"unknown": {"9" * 400}', r'"unknown": "\ud800"']
)
def test_a_field_twice_or_an_odd_unknown_one_gives_an_outcome_or_a_dead_letter(field: str, probe: Probe) -> None:
    messages = {topic: message(topic) for topic in MESSAGES}
    odd = {topic: f"{json.dumps(fields)[:-1]}, {field}}}".encode() for topic, fields in messages.items()}
    origins = {topic: probe.write(topic, value)[0] for topic, value in odd.items()}

    def have_ended() -> bool:
        decided, dead = {outcome["_id"] for outcome in probe.results()}, probe.dead_letters()
        return all(messages[topic]["message_id"] in decided or origins[topic] in dead for topic in messages)

    eventually(have_ended, "an outcome or a dead letter for each of these records")
    probe.outcomes(probe.ask(question("Does a question after them have an outcome?")))


def test_publishing_everything_again_changes_nothing(probe: Probe) -> None:
    failed = message("llm_errors")
    probe.write("llm_errors", encoded(failed))
    asked = probe.ask(*(question(f"Is number {number} counted once?") for number in range(20)))
    probe.outcomes([*asked, failed["message_id"]])
    probe.settle()
    results, tallies = probe.results(), tallies_of(probe)
    for topic in MESSAGES:
        probe.publish_again(topic)
    probe.settle()
    assert probe.results() == results
    assert tallies_of(probe) == tallies
    assert probe.metrics_equal_the_results()


def tallies_of(probe: Probe) -> list[Document]:
    return [document | {"watermarks": {}, "updated_at": ""} for document in probe.metrics().values()]


def test_a_question_or_a_reference_that_is_too_large_is_a_dead_letter(probe: Probe) -> None:
    large = [question("x" * 64 * KIB, content="x"), question(best_answer="x" * (256 * KIB + 1))]
    for letter in dead_letters(probe, probe.write("questions_in", *map(encoded, large))):
        assert letter.headers["reason"].startswith("too_large")


def test_the_largest_question_has_an_outcome_even_if_its_texts_grow_sixfold_as_json(probe: Probe) -> None:
    plain = question("x" * 32 * KIB, content="x" * 32 * KIB, best_answer="word " * 50 * KIB)
    growing = question("\0" * 32 * KIB, content="\0" * 32 * KIB, best_answer="\0\0\0\0 " * 50 * KIB)
    probe.outcomes(probe.ask(plain, growing))


def test_an_answer_that_is_too_large_is_an_error_outcome_or_from_the_topic_a_dead_letter(probe: Probe) -> None:
    # The simulated model makes a sentence of some of these, which is more than the largest answer.
    largest = "x" * 256 * KIB
    requests = [message("llm_requests", best_answer=largest, question_id=f"large {n}") for n in range(8)]
    probe.write("llm_requests", *map(encoded, requests))
    outcomes = probe.outcomes([request["message_id"] for request in requests]).values()
    assert "answer_too_large" in {outcome["error"]["type"] for outcome in outcomes if outcome["error"]}
    response = message("llm_responses", llm_answer=largest + "x")
    [letter] = dead_letters(probe, probe.write("llm_responses", encoded(response)))
    assert letter.headers["reason"].startswith("too_large")


def test_references_that_are_too_large_are_a_dead_letter_wherever_they_come(probe: Probe) -> None:
    for topic in ("questions_in", "llm_requests", "llm_responses"):
        large = message(topic, best_answer="x" * 128 * KIB, other_answers=["y" * 129 * KIB])
        [letter] = dead_letters(probe, probe.write(topic, encoded(large)))
        assert letter.headers["reason"].startswith("too_large: best_answer with other_answers"), topic


def test_very_many_references_are_a_dead_letter_where_outcomes_are_stored(probe: Probe) -> None:
    """As BSON they would be larger than a document may be."""
    for topic in ("validated_responses", "llm_errors"):
        many = message(topic, best_answer="x", other_answers=[""] * 1_000_000)
        [letter] = dead_letters(probe, probe.write(topic, encoded(many)))
        assert letter.headers["reason"].startswith("too_large: other_answers has 1000000 texts"), topic


def test_any_two_texts_have_a_score(probe: Probe) -> None:
    last = {"attempts": 3, "asked_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
    responses = {
        name: message("llm_responses", llm_answer=answer, best_answer=reference, **last)
        for name, (answer, reference) in EXTREMES.items()
    }
    probe.write("llm_responses", *map(encoded, responses.values()))
    outcomes = probe.outcomes([response["message_id"] for response in responses.values()])
    for name, response in responses.items():
        outcome = outcomes[response["message_id"]]
        assert 0 <= outcome["score"] <= 1, name
        assert outcome["verdict"] == ("accepted" if outcome["score"] >= outcome["threshold"] else "exhausted"), name
        assert outcome["llm_answer"] == response["llm_answer"], name


def test_what_could_not_be_handled_is_shown_and_sent_back_once(
    stack: Stack, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*given: str) -> dict[str, str]:
        output = io.StringIO()
        monkeypatch.setattr(dead_letters_command, "console", Console(file=output, width=200, markup=False))
        arguments = argparse.Namespace(options=list(given))
        dead_letters_command.dead_letters(stack.runtime, stack.settings, arguments)
        return {" ".join(line.split()[:2]): " ".join(line.split()) for line in output.getvalue().splitlines()}

    # As a service of an earlier version may have given it up, which did not know what it holds.
    mended = question("Is this handled in the end?")
    headers = {"reason": "mended: by this version", "service": "cache-service", "topic": "questions_in"}
    headers |= {"partition": "1", "offset": str(10**12), "timestamp": str(time.time_ns() // 1_000_000)}
    for _ in range(2):
        probe.write("dead_letters", encoded(mended), headers=headers)
    assert "mended questions_in 1 0 " in run()["mended questions_in"]
    assert run("REPLAY=mended", "TOPIC=questions_in")["sent back"] == "sent back 1"
    probe.outcomes([mended["message_id"]])
    again = run("REPLAY=mended")
    assert (again["sent back"], again["sent before"]) == ("sent back 0", "sent before 1")
    assert "mended questions_in 1 1 " in run()["mended questions_in"]
    assert len([record for record in probe.read("questions_in") if record.value() == encoded(mended)]) == 1

    [origin] = probe.write("questions_in", b"{not json")
    dead_letters(probe, [origin])
    assert "not_json questions_in" in run("TOPIC=questions_in")
    with pytest.raises(StackError, match="No dead letter has REPLAY=never"):
        run("REPLAY=never")
