import csv
import json
from pathlib import Path

import pytest

from experiments.plan import Experiment, read
from experiments.trial import check, jobs
from stack.settings import ROOT, SettingError, StackError

SHIPPED = sorted((ROOT / "experiments").glob("*.toml"))
USABLE = """
title = "What of it?"
seeds = [1, 2]
measures = ["accepted"]

[settings]
OFFLINE_TRAPS = 0

[grid]
CACHE_POLICY = ["lru", "lfu"]
CACHE_SIZE = [10, 20]
"""


def written(folder: Path, text: str, name: str = "tried") -> Experiment:
    file = folder / f"{name}.toml"
    file.write_text(text)
    return read(file)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_what_is_shipped_can_be_used_and_takes_at_most_twelve_runs(file: Path) -> None:
    experiment = read(file)
    assert 0 < len(jobs(experiment)) <= 12
    assert (ROOT / "docs" / "findings" / f"{experiment.name}.md").exists()


def test_there_is_something_shipped() -> None:
    assert {file.stem for file in SHIPPED} == {"arrivals", "cache", "threshold"}


def test_the_labels_that_are_shipped_are_those_that_the_judge_is_tested_with() -> None:
    fixture = json.loads((ROOT / "services/judge/tests/fixtures/spanish.json").read_text())
    known = {
        (case["question"], case["reference"], answer, verdict)
        for case in fixture
        for verdict, answers in (("yes", case["accepted"]), ("no", case["rejected"]))
        for answer in answers
    }
    with (ROOT / "experiments" / "labels.csv").open() as file:
        assert {tuple(row.values()) for row in csv.DictReader(file)} == known


def test_a_grid_is_every_combination_and_seeds_come_last(tmp_path: Path) -> None:
    experiment = written(tmp_path, USABLE)
    assert [cell.name for cell in experiment.cells] == ["lru-10", "lru-20", "lfu-10", "lfu-20"]
    assert experiment.cells[1].settings == {"OFFLINE_TRAPS": "0", "CACHE_POLICY": "lru", "CACHE_SIZE": "20"}
    assert [job.name for job in jobs(experiment)][3:5] == ["tried-lfu-20-s1", "tried-lru-10-s2"]


def test_cells_that_are_listed_are_combined_with_the_grid(tmp_path: Path) -> None:
    listed = "[[cells]]\nTRAFFIC_RATE = 10\n[[cells]]\nTRAFFIC_RATE = 20\nTRAFFIC_DISTRIBUTION = 'gamma'\n"
    experiment = written(tmp_path, f"{USABLE}\n{listed}".replace("[10, 20]", "[10]"))
    assert [cell.name for cell in experiment.cells] == ["lru-10-10", "lfu-10-10", "lru-10-20-gamma", "lfu-10-20-gamma"]


def test_a_cell_whose_settings_change_is_another_run_and_the_others_are_the_same(tmp_path: Path) -> None:
    before = {job.name: job.run for job in jobs(written(tmp_path, USABLE))}
    after = {job.name: job.run for job in jobs(written(tmp_path, USABLE.replace("[10, 20]", "[10, 30]")))}
    assert {name for name in before if before[name] == after.get(name)} == {name for name in before if "-10-" in name}
    changed = {job.name: job.run for job in jobs(written(tmp_path, USABLE.replace("TRAPS = 0", "TRAPS = 1")))}
    assert changed.keys() == before.keys()
    assert set(changed.values()).isdisjoint(before.values())


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("seeds = [1, 2]", "seeds = []", ["seeds=[]", "a list of values"]),
        ("seeds = [1, 2]", "seeds = [1, 1]", ["seeds=[1, 1]", "different whole numbers"]),
        ("seeds = [1, 2]", "", ["seeds", "whole numbers"]),
        ("seeds = [1, 2]", 'seeds = "one"', ["seeds=one", "a list"]),
        ("[settings]", "sead = 1\n[settings]", ["sead is unknown", "seeds"]),
        ('["accepted"]', '["best"]', ["measures[0]=best", "memory_hits"]),
        ('measures = ["accepted"]', "", ["measures is missing", "memory_hits"]),
        ("[settings]", '[chart]\nmeasure = "calls"\n[settings]', ["chart.measure=calls", "allowed are accepted"]),
        ("CACHE_SIZE", "CACHE_SIZ", ["grid.CACHE_SIZ=10", "CACHE_SIZE"]),
        ("[10, 20]", "10", ["grid.CACHE_SIZE=10", "a list"]),
        ("[10, 20]", "[10, 10]", ["two cells are called lfu-10", "cells that differ"]),
        ("[10, 20]", "[[10], 20]", ["grid.CACHE_SIZE=[10]", "a text or a number"]),
        ("OFFLINE_TRAPS = 0", "TRAFFIC_SEED = 1", ["settings.TRAFFIC_SEED=1", "`seeds`"]),
        ("OFFLINE_TRAPS = 0", "STORAGE_PORT = 1", ["settings.STORAGE_PORT=1", "no setting"]),
        ("OFFLINE_TRAPS = 0", 'OPENAI_API_KEY = "x"', ["settings.OPENAI_API_KEY", "in the environment"]),
        ("OFFLINE_TRAPS = 0", 'QUESTIONS_FILE = "x"\n[chart]\nmeasure = "accepted"', ["chart.over is missing"]),
        ("[settings]", "questions = 0\n[settings]", ["questions=0", "1 to"]),
        ("[settings]", 'questions = 5\n[settings]\nQUESTIONS_FILE = "x"', ["QUESTIONS_FILE=x", "questions=5"]),
        ("[settings]", 'labels = "nowhere.csv"\n[settings]', ["labels=", "nowhere.csv is no file"]),
        ("[settings]", '[chart]\nmeasure = "accepted"\nover = "CACHE_POLICY"\n[settings]', ["CACHE_POLICY is lru"]),
        ("[settings]", "[simulation]\nseeds = [1]\n[settings]", ["simulation.policies"]),
        ("title", "= title", ["cannot be read", "line 2"]),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name_its_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, parts: list[str]
) -> None:
    assert old in USABLE
    with pytest.raises(SettingError) as refused:
        written(tmp_path, USABLE.replace(old, new))
    assert [part for part in ["tried.toml", *parts] if part not in str(refused.value)] == [], refused.value


def test_the_settings_of_a_cell_are_checked_by_the_programs_that_have_them(tmp_path: Path) -> None:
    check(written(tmp_path, USABLE))
    with pytest.raises(StackError, match=r"(?s)Cell mru-10: cache-service .*'mru'.*lru, lfu, fifo"):
        check(written(tmp_path, USABLE.replace('"lfu"', '"mru"')))
