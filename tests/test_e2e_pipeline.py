"""The running system: one outcome for every question, whatever the topics hold."""

import csv
import json
import math
import re
import subprocess
import uuid
from collections import Counter, defaultdict
from datetime import datetime
from itertools import accumulate
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from flink_job.flink_rest import Flink
from stack.api import Stack
from stack.backlog import Backlog, backlogs
from stack.kafka import Kafka
from stack.runtime import SUBMIT
from tests.support import WEB, Probe, command, eventually, is_json_object, question, submitter


def test_every_question_of_the_default_run_has_exactly_one_outcome(stack: Stack, probe: Probe) -> None:
    summary = stack.send(TRAFFIC_RUN="default")
    assert summary.asked == 200
    assert summary.verdicts.total() == 200
    assert summary.dead_letters == 0
    assert summary.verdicts["error"] == 0
    # About 70 % pass at once, 20 % later, 10 % never.
    assert 0.75 < summary.verdicts["accepted"] / 200 < 0.99
    assert summary.regenerations > 0
    # One question in twenty is answered by traps.
    assert 0 < summary.traps.total() < 200
    assert probe.metrics_equal_the_results()
    run = json.loads((stack.settings.data_collected() / "default" / "run.json").read_text())
    assert (run["state"], run["asked"]) == ("complete", 200)


def test_an_accepted_answer_reaches_the_threshold_and_an_exhausted_one_does_not(stack: Stack, probe: Probe) -> None:
    stack.send(TRAFFIC_RUN="verdicts", TRAFFIC_TOTAL="100", TRAFFIC_RATE="200", TRAFFIC_POPULARITY="each")
    asked = {"_id": {"$in": _asked(stack, "verdicts")}}
    outcomes = list(probe.database["results"].find({"source": "llm"} | asked))
    assert {outcome["verdict"] for outcome in outcomes} == {"accepted", "exhausted"}
    for outcome in outcomes:
        assert outcome["accepted"] == (outcome["score"] >= outcome["threshold"])
        assert outcome["attempts"] == 3 or outcome["accepted"]
        assert max(attempt["score"] for attempt in outcome["history"]) == outcome["score"]
        assert [attempt["attempts"] for attempt in outcome["history"]] == list(range(1, outcome["attempts"] + 1))


def test_a_report_has_the_numbers_of_the_metrics_and_shows_texts_as_they_are(stack: Stack, probe: Probe) -> None:
    script = "<script>alert(1)</script>"
    evil = [question(f"Why {script} number {number}?", run="evil") for number in range(3)]
    probe.outcomes(probe.ask(*evil))
    stack.send(TRAFFIC_RUN="reported", TRAFFIC_TOTAL="80", TRAFFIC_RATE="200", TRAFFIC_POPULARITY="zipf")
    reports = {"REPORTS_DIR": str(stack.run_dir / "reports")}
    said = command(stack, "report", "RUN=reported,evil", settings=reports).stdout
    folder = stack.run_dir / "reports" / "reported,evil"
    assert f"Report   {folder / 'report.html'}" in said

    html = (folder / "report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; number" in html
    assert "<script" not in re.sub(r'"[^"]*"', "", html)
    assert html.count("<mark") > 100
    assert "evil and reported share no question" in html
    shown = [html.index(f"<h2>{title}</h2>") for title in ("Finding", "The worst answers", "What was run")]
    assert shown == sorted(shown)

    for run in ("reported", "evil"):
        metrics = probe.database["metrics"].find_one({"_id": f"run:{run}"})
        assert metrics is not None
        summary = {row["figure"]: row["value"] for row in _csv(folder / run / "summary.csv")}
        counts = ("decided", "accepted", "exhausted", "errors", "unsure", "regenerations")
        assert [int(summary[name]) for name in counts] == [metrics[name] for name in counts]
        for source in ("llm", "cache", "mongodb", "coalesced"):
            assert int(summary[f"source {source}"]) == metrics["by_source"].get(source, 0)
        for name in ("calls", "input_tokens", "output_tokens", "nanodollars"):
            assert int(summary[f"spent {name}"]) == metrics["spent"][name]
        assert int(summary["scored"]) == metrics["score"]["count"]
        assert float(summary["score mean"]) == pytest.approx(metrics["score"]["sum"] / metrics["score"]["count"] / 1e6)
        by_source = {row["source"]: int(row["accepted"]) for row in _csv(folder / run / "by_source.csv")}
        assert sum(by_source.values()) == metrics["accepted"]
    assert sum(int(row["questions"]) for row in _csv(folder / "reported" / "arrivals_over_time.csv")) == 80
    [decided] = [row for row in _csv(folder / "reported" / "latency.csv") if row["hop"] == "decided"]
    assert 0 <= float(decided["p50_ms"]) <= float(decided["p99_ms"]) <= float(decided["longest_ms"])

    told = folder.parents[1] / "data_collected" / "reported" / "stack.json"
    before = told.stat().st_mtime_ns
    again = command(stack, "traffic", fails=True, settings={"TRAFFIC_RUN": "reported"}).stderr
    assert "traffic-generator failed" in again
    assert told.stat().st_mtime_ns == before

    refused = command(stack, "report", "RUN=nope", fails=True, settings=reports).stderr
    assert "RUN=nope is unknown: no outcome is of that run. There are reported, evil" in refused


def test_what_the_model_answered_is_stored_with_its_run_its_signals_and_its_scorer(stack: Stack, probe: Probe) -> None:
    stack.send(TRAFFIC_RUN="judged", TRAFFIC_TOTAL="20", TRAFFIC_RATE="200", TRAFFIC_POPULARITY="each")
    asked = _asked(stack, "judged")
    scorers = probe.database["scorers"].distinct("_id")
    outcomes = list(probe.database["results"].find({"_id": {"$in": asked}, "source": "llm"}))
    assert outcomes
    for outcome in outcomes:
        assert outcome["run"] == "judged"
        assert outcome["signals"]
        assert all(math.isfinite(signal) for signal in outcome["signals"].values())
        assert outcome["confidence"] in ("sure", "unsure")
        assert re.fullmatch("[0-9a-f]{16}", outcome["scorer"])
        assert outcome["scorer"] in scorers


def test_an_earlier_run_is_repeated_question_by_question_and_ten_times_as_fast(stack: Stack) -> None:
    stack.send(TRAFFIC_RUN="heard", TRAFFIC_TOTAL="40", TRAFFIC_RATE="20", TRAFFIC_POPULARITY="zipf")
    trace = {"TRAFFIC_DISTRIBUTION": f"trace={stack.settings.data_collected() / 'heard' / 'events.csv'}"}
    assert stack.send(**trace, TRAFFIC_RUN="repeated", TRAFFIC_SPEED="10").asked == 40
    heard, repeated = _times(stack, "heard"), _times(stack, "repeated")
    assert repeated.keys() == heard.keys()
    for question_id, times in heard.items():
        assert repeated[question_id] == pytest.approx([time / 10 for time in times], abs=0.002)

    assert stack.send(**trace, TRAFFIC_RUN="cut", TRAFFIC_SPEED="10", TRAFFIC_TOTAL="10").asked == 10
    run = json.loads((stack.settings.data_collected() / "cut" / "run.json").read_text())
    assert (run["planned"], run["note"]) == (
        10,
        "TRAFFIC_TOTAL=10 leaves out the last 30 of the trace's 40 questions",
    )


def test_a_run_ends_after_its_duration_and_its_rate_follows_its_profile(stack: Stack) -> None:
    profile = {"TRAFFIC_DURATION": "2s", "TRAFFIC_PROFILE": "steps=0.5,2", "TRAFFIC_DISTRIBUTION": "constant"}
    assert stack.send(**profile, TRAFFIC_RUN="steps", TRAFFIC_RATE="40").asked == pytest.approx(100, abs=1)
    times = [time for times in _times(stack, "steps").values() for time in times]
    assert sum(time < 1 for time in times) == pytest.approx(20, abs=5)
    assert max(times) < 2


def test_in_a_closed_loop_no_more_are_under_way_than_ask_and_each_question_has_its_outcome(
    stack: Stack, probe: Probe
) -> None:
    closed = {"TRAFFIC_DISTRIBUTION": "closed", "TRAFFIC_ASKERS": "4", "TRAFFIC_POPULARITY": "each"}
    summary = stack.send(**closed, TRAFFIC_RUN="closed", TRAFFIC_TOTAL="80")
    assert summary.asked == summary.verdicts.total() == 80
    folder = stack.settings.data_collected() / "closed"
    assert json.loads((folder / "run.json").read_text())["closed_loop"] == {"outcomes": 80, "given_up": 0}

    sent = {row["message_id"]: datetime.fromisoformat(row["sent"]) for row in _csv(folder / "events.csv")}
    decided = [outcome["decided_at"] for outcome in probe.database["results"].find({"_id": {"$in": list(sent)}})]
    # Of one millisecond, a verdict comes before the question that it led to.
    changes = sorted([(time, -1) for time in decided] + [(time, 1) for time in sent.values()])
    assert max(accumulate(change for _, change in changes)) == 4


def test_a_paraphrase_is_asked_in_its_own_words_and_shares_an_answer_only_by_its_id(stack: Stack, probe: Probe) -> None:
    traffic = {"TRAFFIC_RATE": "100", "TRAFFIC_TOTAL": "60", "TRAFFIC_POPULARITY": "each", "TRAFFIC_SEED": "3"}
    stack.send(**traffic, TRAFFIC_RUN="plain")
    summary = stack.send(**traffic, TRAFFIC_RUN="paraphrased", TRAFFIC_PARAPHRASES="0.5")
    with (stack.settings.data_collected() / "paraphrased" / "events.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["paraphrase_of"]]
    assert 15 < len(rows) == summary.paraphrases.total() < 45
    assert 0 < summary.paraphrases[True] < summary.paraphrases.total()
    originals = {question["_id"]: question for question in probe.database["questions"].find({})}
    for row in rows:
        outcome = probe.database["results"].find_one({"_id": row["message_id"]})
        assert outcome is not None
        assert outcome["question_id"] == row["question_id"]
        original = originals[row["paraphrase_of"]]
        assert outcome["title"] != original["title"]
        assert outcome["best_answer"] == original["best_answer"]
        is_the_same = " ".join(outcome["title"].lower().split()) == " ".join(original["title"].lower().split())
        assert is_the_same == (row["question_id"] == row["paraphrase_of"])


def test_no_prompt_holds_reference_text(stack: Stack, probe: Probe) -> None:
    stack.send(TRAFFIC_RUN="prompts", TRAFFIC_TOTAL="60", TRAFFIC_RATE="200", TRAFFIC_POPULARITY="each")
    asked = _asked(stack, "prompts")
    prompts = 0
    for record in probe.read("llm_responses"):
        if not is_json_object(record.value()):
            continue
        response = json.loads(record.value() or b"")
        if response.get("message_id") not in asked:
            continue
        may_be_known = " ".join(
            [response["title"], response["content"], (response.get("previous") or {}).get("llm_answer", "")]
        )
        leaked = _phrases(response["best_answer"]) & _phrases(response["prompt"]) - _phrases(may_be_known)
        assert not leaked
        prompts += 1
    assert prompts > 0


def test_attempts_of_two_requests_of_one_question_are_not_mixed_up(probe: Probe) -> None:
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    poor, good = "Nothing of that.", "Molecules of air scatter the short waves of blue light."
    answers = [(one, 1, poor), (other, 1, poor), (one, 2, good), (other, 2, poor), (other, 3, poor)]
    probe.write("llm_responses", *(json.dumps(_response(*answer)).encode() for answer in answers), key=b"q")
    outcomes = probe.outcomes([one, other])
    assert (outcomes[one]["verdict"], outcomes[one]["attempts"]) == ("accepted", 2)
    assert (outcomes[other]["verdict"], outcomes[other]["attempts"]) == ("exhausted", 3)


def test_twins_in_flight_share_one_model_call_and_its_verdict(probe: Probe) -> None:
    twins = [question("Do twins wait for each other?", question_id="twins") for _ in range(10)]
    outcomes = probe.outcomes(probe.ask(*twins)).values()
    assert Counter(outcome["source"] for outcome in outcomes)["llm"] == 1
    assert len({outcome["llm_answer"] for outcome in outcomes}) == 1
    assert len({(outcome["verdict"], outcome["score"]) for outcome in outcomes}) == 1


def test_a_later_repeat_of_an_accepted_question_is_answered_without_the_model(probe: Probe) -> None:
    # About 10 % of questions are never accepted: of five, some is.
    first = [question(f"Is number {number} repeated?") for number in range(5)]
    outcomes = probe.outcomes(probe.ask(*first))
    accepted = [asked for asked in first if outcomes[asked["message_id"]]["accepted"]]
    again = [question(asked["title"], question_id=asked["question_id"]) for asked in accepted]
    repeats = probe.outcomes(probe.ask(*again)).values()
    assert repeats
    assert {(outcome["source"], outcome["attempts"]) for outcome in repeats} <= {("cache", 0), ("mongodb", 0)}


def test_records_without_keys_are_as_good(probe: Probe) -> None:
    asked = probe.ask(*(question(f"Has number {number} a key?") for number in range(20)), key=None)
    assert len(probe.outcomes(asked)) == 20


def test_submitting_the_job_again_leaves_the_running_one_alone(stack: Stack) -> None:
    def running() -> list[tuple[str, int]]:
        jobs = WEB.get(stack.endpoints["FLINK_URL"] + "/jobs/overview").json()["jobs"]
        return [(job["jid"], job["start-time"]) for job in jobs if job["state"] == "RUNNING"]

    before = running()
    assert len(before) == 1
    stack.runtime.stop_part(SUBMIT)
    # As a command may find it that has the job submitted again.
    stack.runtime.stop_part(SUBMIT)
    stack.wait_ready()
    assert "already runs" in stack.runtime.read_log(SUBMIT, 3)
    assert running() == before


def test_a_job_that_is_cancelled_is_submitted_again_and_until_then_the_stack_is_not_ready(
    stack: Stack, probe: Probe
) -> None:
    url = stack.endpoints["FLINK_URL"]
    [job] = Flink(url).running()
    # What a mere link can do, whoever has it followed.
    assert WEB.get(f"{url}/jobs/{job.id}/yarn-cancel").status_code == 202
    eventually(lambda: not stack.runtime.is_ready(submitter(stack)), "a stack that is not ready")
    asked = probe.ask(question("Is this decided by the job that comes after?"))
    eventually(lambda: stack.runtime.is_ready(submitter(stack)), "a stack that is ready again")
    assert len(probe.outcomes(asked)) == 1
    [again] = Flink(url).running()
    assert again.since_ms > job.since_ms
    assert "the job is gone, and is submitted again: canceled" in stack.runtime.read_log(SUBMIT)


def test_topics_that_are_there_are_brought_to_todays_retention_and_keep_what_else_was_set(stack: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]})
    topic = ConfigResource(ConfigResource.Type.TOPIC, "questions_in")

    def create_topics(retention: str) -> tuple[str, str]:
        assert stack.runtime.popen("topics", environment={"TOPIC_RETENTION": retention}, quiet=True).wait(60) == 0
        [described] = admin.describe_configs([topic]).values()
        settings = described.result(timeout=10)
        return settings["retention.ms"].value, settings["min.cleanable.dirty.ratio"].value

    by_hand = ConfigEntry("min.cleanable.dirty.ratio", "0.7", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ConfigResource.Type.TOPIC, "questions_in", incremental_configs=[by_hand])
    admin.incremental_alter_configs([change])[change].result(timeout=10)
    assert create_topics("forever") == ("-1", "0.7")
    assert create_topics("7days") == (str(7 * 24 * 3600 * 1000), "0.7")
    assert "retention.ms from -1 to 604800000" in stack.settings.log("topics").read_text()


def test_what_waits_is_told_with_its_age_until_it_is_done(stack: Stack, probe: Probe) -> None:
    def waiting() -> list[Backlog]:
        found = backlogs(Kafka.of(stack.settings))
        return [backlog for backlog in found if backlog.topic == "llm_requests"]

    probe.settle()
    stack.runtime.stop_part("llm-consumer")
    try:
        asked = probe.ask(*(question(f"How long does number {number} wait?") for number in range(3)))
        eventually(lambda: [backlog.records for backlog in waiting()] == [3], "three records that wait")
        [backlog] = waiting()
        assert 0 < backlog.age_s < 60
        assert (backlog.kept_s, backlog.lost) == (7 * 24 * 3600, 0)
    finally:
        stack.runtime.start_part("llm-consumer")
    probe.outcomes(asked)
    eventually(lambda: waiting() == [], "nothing that waits")


def test_no_page_can_read_what_flink_answers(stack: Stack) -> None:
    url = stack.endpoints["FLINK_URL"] + "/jobs/overview"
    answer = WEB.get(url, headers={"Origin": "http://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] not in ("*", "http://elsewhere.example")


def test_a_second_flink_submit_is_refused_and_the_first_runs_on(stack: Stack) -> None:
    first = submitter(stack)
    assert stack.runtime.popen(SUBMIT, quiet=True).wait(60) == 1
    assert "another flink-submit looks after" in stack.settings.log(SUBMIT).read_text()
    eventually(lambda: stack.runtime.is_ready(submitter(stack)), "a stack that is ready")
    assert (submitter(stack).pid, submitter(stack).started) == (first.pid, first.started)


def test_the_numbers_are_served_with_means_and_percentiles(stack: Stack, probe: Probe) -> None:
    probe.outcomes(probe.ask(question("Is there at least one outcome?")))
    url = stack.endpoints["STORAGE_URL"]
    metrics = WEB.get(url + "/api/metrics").json()
    assert metrics["decided"] > 0
    assert 0 < metrics["score"]["mean"] <= 1
    assert 0 <= metrics["latency_ms"]["p50"] <= metrics["latency_ms"]["p99"]
    for port in ("STORAGE_PORT", "CACHE_PORT", "LLM_PORT"):
        prometheus = WEB.get(stack.settings.url(port) + "/metrics").text
        assert "messages_handled_total" in prometheus


@pytest.mark.parametrize(
    ("service", "setting", "value"),
    [
        ("cache-service", "CACHE_POLICY", "lrv"),
        ("cache-service", "SCORE_THRESHOLD", "1.5"),
        ("storage-service", "MONGODB_URI", "nonsense"),
        ("llm-consumer", "LLM_MODE", "oracle"),
        ("traffic-generator", "TRAFFIC_RATE", "-1"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_at_start(stack: Stack, service: str, setting: str, value: str) -> None:
    started = stack.runtime.popen(service, environment={setting: value}, quiet=True)
    try:
        assert started.wait(30) == 2
    except subprocess.TimeoutExpired:
        started.kill()
        raise
    said = stack.settings.log(service).read_text()[-2000:]
    assert setting in said
    assert value in said or setting == "MONGODB_URI"


def _csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as rows:
        return list(csv.DictReader(rows))


def _asked(stack: Stack, run: str) -> list[str]:
    """The ids of the requests of a run."""
    with (stack.settings.data_collected() / run / "events.csv").open() as file:
        return [row["message_id"] for row in csv.DictReader(file)]


def _times(stack: Stack, run: str) -> dict[str, list[float]]:
    """When each question of a run was due, by its id, in seconds after the first."""
    with (stack.settings.data_collected() / run / "events.csv").open() as file:
        due = [(datetime.fromisoformat(row["scheduled"]), row["question_id"]) for row in csv.DictReader(file)]
    start, times = min(due)[0], defaultdict(list)
    for time, question_id in sorted(due):
        times[question_id].append((time - start).total_seconds())
    return times


def _response(message_id: str, attempts: int, llm_answer: str) -> dict[str, object]:
    asked = question("Whose attempts are these?", message_id=message_id, question_id="mixed-up")
    fields = {name: asked[name] for name in ("message_id", "trace_id", "question_id", "title", "content")}
    reference = "Molecules of air scatter the short waves of blue light."
    answered = {"prompt": "", "llm_answer": llm_answer, "best_answer": reference, "latency_ms": 1}
    return fields | answered | {"attempts": attempts, "produced_at": "2026-01-01T00:00:00Z"}


def _phrases(text: str, words: int = 3) -> set[tuple[str, ...]]:
    """Every run of so many words."""
    split = text.lower().split()
    return set(zip(*(split[start:] for start in range(words)), strict=False))
