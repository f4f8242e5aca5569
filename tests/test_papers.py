"""The papers say what is true: what they name exists, and the two READMEs say the same."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reference import markdown
from calibration.sitting import WHAT_COUNTS
from flink_job.config import Config
from stack.checks import PROGRAMS
from stack.settings import PORTS, ROOT, SCALES, Settings

OURS = [entry for entry in ROOT.iterdir() if entry.name[0] != "." and entry.name != "target"]
FILES = [path for entry in OURS for path in (entry, *entry.rglob("*")) if path.is_file()]
PAPERS = sorted(path for path in FILES if path.suffix == ".md")
README, LEEME, ARCHITECTURE = (ROOT / name for name in ("README.md", "LEEME.md", "ARCHITECTURE.md"))

BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


def blocks(paper: Path) -> list[str]:
    """The code blocks, without comments."""
    return [re.sub(r" *# .*", "", block) for block in BLOCK.findall(paper.read_text())]


def prose(paper: Path) -> str:
    return BLOCK.sub("", paper.read_text())


def spans(paper: Path) -> list[str]:
    """The short pieces of code within the prose."""
    return SPAN.findall(prose(paper))


def rows(paper: Path, heading: str) -> list[list[str]]:
    """The cells of every table row under a heading, but for the table's own."""
    _, _, text = prose(paper).partition(f"\n## {heading}\n")
    lines = text.partition("\n## ")[0].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert len(table) > 1, f"{paper.name} has no table under {heading}"
    return table[1:]


@cache
def defaults() -> Mapping[str, set[str | None]]:
    """Every setting there is, with its default in each part that has it."""
    described: list[dict[str, Any]] = Config.described()
    for binary in PROGRAMS:
        command = (ROOT / "target/release" / binary, "--print-settings")
        described += json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    described += [{"name": name, "default": str(port)} for name, port in PORTS.items()]
    described += [{"name": name, "default": "1"} for name in SCALES.values()]
    script = (ROOT / "jobmanager/start.sh").read_text()
    described += [
        {"name": name, "default": default}
        for name, default in re.findall(r"\{(\w+_MEMORY|JVM_OPTIONS):-(\w*)\}", script)
    ]
    run_dir = Settings.from_environment({}).run_dir.relative_to(ROOT)
    found: defaultdict[str, set[str | None]] = defaultdict(set, COTEJO_RUN_DIR={str(run_dir)})
    for setting in described:
        found[setting["name"]].add(setting["default"])
    return found


def test_what_counts_when_labelling_is_said_alike_on_a_terminal_and_on_the_page() -> None:
    source = (ROOT / "services/explorer/src/pages/label/case.rs").read_text()
    assert " ".join(WHAT_COUNTS.split()) in re.sub(r"\\\n\s*", "", source)


def test_both_readmes_have_the_same_headings_one_to_one() -> None:
    levels = [re.findall(r"^(#+) ", prose(paper), re.MULTILINE) for paper in (README, LEEME)]
    assert levels[0] == levels[1]


def test_both_readmes_have_the_same_commands_and_output() -> None:
    assert blocks(README) == blocks(LEEME)
    assert set(spans(README)) == set(spans(LEEME))


@pytest.mark.parametrize("paper", [README, LEEME], ids=lambda paper: paper.name)
def test_the_figures_of_a_readme_are_those_of_the_reference_run(paper: Path) -> None:
    headings = ("| scenario", "| CPU", "| ---")
    measured = [line for line in markdown().splitlines() if line and not line.startswith(headings)]
    assert [line for line in measured if line not in paper.read_text().splitlines()] == []


def test_both_readmes_have_the_same_settings_and_defaults() -> None:
    tables = rows(README, "Settings"), rows(LEEME, "Ajustes")
    assert [row[:2] for row in tables[0]] == [row[:2] for row in tables[1]]


def test_every_setting_in_the_readme_is_real_and_has_the_stated_default() -> None:
    for names, stated, _ in rows(README, "Settings"):
        named = SPAN.findall(names)
        assert [name for name in named if name not in defaults()] == []
        if stated:
            values = stated.removesuffix(", …").replace("`", "").split(", ")
            assert [defaults()[name] for name in named] == [{value} for value in values]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
class TestEveryPaper:
    def test_its_make_targets_exist(self, paper: Path) -> None:
        targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        code = "\n".join([*blocks(paper), *spans(paper)])
        assert [name for name in re.findall(r"\bmake ([a-z][a-z0-9-]*)", code) if name not in targets] == []

    def test_its_links_lead_somewhere(self, paper: Path) -> None:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose(paper)) + re.findall(
            r'src(?:set)?="([^"]+)"', prose(paper)
        )
        assert [link for link in links if not (paper.parent / link).exists()] == []

    def test_the_code_that_it_names_exists(self, paper: Path) -> None:
        named = [span for span in spans(paper) if re.fullmatch(r"[\w./-]+\.(rs|py|yml|conf)", span)]
        assert [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in FILES)] == []


def test_every_promise_names_a_test_and_every_such_test_exists() -> None:
    code = "\n".join(path.read_text() for path in FILES if path.suffix in {".rs", ".py"})
    tests = set(re.findall(r"\b(?:fn|def) (\w+)\(", code))
    for promise, _, proof in rows(ARCHITECTURE, "Promises"):
        named = [span for span in SPAN.findall(proof) if re.fullmatch(r"\w+", span)]
        assert named, promise
        assert [name for name in named if name not in tests] == []
