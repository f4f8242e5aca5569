import csv
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from experiments import page, simulation, simulation_page
from experiments.plan import INTERVALS, Experiment, read
from experiments.series import Document, Job
from experiments.trial import columns, jobs
from report.tests.support import outcome

TEXT = """
title = "Is <b>more</b> better?"
seeds = [1, 2]
measures = ["accepted", "latency_p99"]
[grid]
MAX_ATTEMPTS = [1, 3]
CACHE_POLICY = ["lru", "fifo"]
[chart]
measure = "accepted"
over = "MAX_ATTEMPTS"
lines = "CACHE_POLICY"
[simulation]
seeds = [1, 2]
questions = 1000
requests = 1000
warm_up = 100
policies = ["lru", "fifo"]
sizes = [10, 100]
exponents = [0, 0.7, 1.3]
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    file = tmp_path / "tried.toml"
    file.write_text(TEXT)
    return read(file)


def done(job: Job, **more: object) -> Document:
    """What a run with so many attempts found: more of them, more accepted."""
    good = 20 + 20 * int(job.definition["settings"]["MAX_ATTEMPTS"]) + job.definition["seed"]
    outcomes = (outcome(number, 0.9 if number < good else 0.2) for number in range(100))
    return {
        "run": job.run,
        "definition": job.definition,
        "build": "abc",
        "machine": {"reference_ms": 44.0, "steal_percent": 1.0, "busy_percent": 50.0},
        "asked": 100,
        "seconds": 9.9,
        "simulated": None,
        "agreement": None,
        "outcomes": columns(outcomes),
        **more,
    }


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_a_page_says_which_cell_is_best_and_every_figure_is_in_a_file(experiment: Experiment) -> None:
    found = page.gather(experiment, [(job, done(job)) for job in jobs(experiment)], None)
    made = page.files(experiment, found, [], "now")
    assert "Accepted: from 41.5 % (" in made["report.html"]
    assert "for 1-lru, to 81.5 % (" in made["report.html"]
    assert "&lt;b&gt;more" in made["report.html"]
    cells = {(row["cell"], row["measure"]): row for row in rows(made["cells.csv"])}
    assert len(cells) == 8
    best = cells["3-fifo", "accepted"]
    assert (best["MAX_ATTEMPTS"], best["CACHE_POLICY"], best["seeds"]) == ("3", "fifo", "2")
    low, middle, high = (float(best[name]) for name in ("low", "value", "high"))
    assert middle == pytest.approx(0.815)
    assert low < middle < high
    assert {row["run"] for row in rows(made["runs.csv"])} == {job.run for job in jobs(experiment)}
    assert "builds" not in made["report.html"]
    assert made["chart.svg"].count("<polyline") == 2
    assert made["chart.svg"].count("<polygon") == 2


def test_intervals_are_over_seeds_alone_where_the_file_says_so(experiment: Experiment) -> None:
    wanted = [(job, done(job)) for job in jobs(experiment)]
    over = {way: page.gather(replace(experiment, intervals=way), wanted, None) for way in INTERVALS}
    drawn, students = (over[way][0].figures["accepted"] for way in INTERVALS)
    assert drawn.value == students.value == pytest.approx(0.415)
    # Two seeds with 41 and 42 of 100: Student's quantile is 12.7.
    assert students.high - students.low == pytest.approx(2 * 12.706 * 0.005, rel=0.001)
    assert drawn.high - drawn.low == pytest.approx(2 * 1.96 * 0.049, rel=0.2)


def test_runs_of_two_builds_are_not_compared_in_silence(experiment: Experiment) -> None:
    wanted = [(job, done(job, build="ab"[job.definition["seed"] - 1])) for job in jobs(experiment)]
    made = page.files(experiment, page.gather(experiment, wanted, None), [], "now")
    assert "These runs are of 2 builds" in made["report.html"]


def test_what_was_simulated_or_labelled_has_a_column(experiment: Experiment) -> None:
    more = {"simulated": {"questions": 100, "hits": 25}, "agreement": {"agree": 9, "labels": 10}}
    found = page.gather(experiment, [(job, done(job, **more)) for job in jobs(experiment)], None)
    grid = page.table(experiment, found)
    assert grid.names[-2:] == ["from memory, simulated", "agrees with labels"]
    assert grid.rows[0][-2:] == ["25.0 % (25.0 to 25.0)", "90 % (60 to 98; 9 of 10)"]


def test_simulated_caches_are_on_one_plot_with_ches_approximation(experiment: Experiment) -> None:
    assert experiment.simulation is not None
    wanted = simulation.jobs(experiment, experiment.simulation)
    section = simulation_page.section(experiment.simulation, [(job, simulation.do(job)) for job in wanted])
    made = page.files(experiment, [], [section], "now")
    lines = re.findall('class="(\\w+) curve"', made["simulation.svg"])
    # A panel for each popularity, and the key.
    assert [lines.count(look) for look in ("first", "fourth", "mark")] == [4, 4, 4]
    found = {(row["popularity"], row["policy"], row["size"]): row for row in rows(made["simulation.csv"])}
    assert len(found) == 12
    assert float(found["uniform", "lru", "100"]["Che's_approximation,_%"]) == pytest.approx(10, abs=0.1)
    assert found["Zipf 1.3", "fifo", "10"]["Che's_approximation,_%"] == ""
    low, middle, high = (float(found["Zipf 0.7", "lru", "100"][name]) for name in ("low", "hit_rate,_%", "high"))
    assert low <= middle <= high
