"""The way of the module to where the job runs."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import psutil

import flink_job
from flink_job.fit_scorer import fit, shipped_model
from flink_job.functions import FirstJudge, Record, _guarded
from flink_job.shipping import Build, JudgeToBe


def another_build() -> Build:
    """The same code with other bytes, as after a change: what follows a library's end is not looked at."""
    return Build.of(Build.installed().library() + b"changed")


def test_a_build_is_named_by_its_bytes_and_loaded_once_however_many_ask_at_a_time() -> None:
    build = another_build()
    assert build.hash != Build.installed().hash
    with ThreadPoolExecutor(8) as threads:
        modules = set(threads.map(lambda _: build.load(), range(8)))
    assert len(modules) == 1
    loaded = {mapped.path for mapped in psutil.Process().memory_maps() if f"cotejo_{build.hash}" in mapped.path}
    assert len(loaded) == 1


def test_a_new_build_does_not_meet_the_old_one() -> None:
    old, new = Build.installed().load(), another_build().load()
    assert old.Judge is not new.Judge


def test_the_job_travels_with_its_code_and_its_module_and_meets_no_other(tmp_path: Path) -> None:
    artefact = fit(["The sky is blue."], shipped_model())
    cloudpickle.register_pickle_by_value(flink_job)
    try:
        sent = cloudpickle.dumps(
            FirstJudge("llm_responses", JudgeToBe(another_build(), artefact.compressed(), 0.65, 3))
        )
    finally:
        cloudpickle.unregister_pickle_by_value(flink_job)
    (tmp_path / "function").write_bytes(sent)
    taskmanager = """
import pickle, sys
with open("function", "rb") as file:
    function = pickle.load(file)
print(function._judge_to_be.make().first(None)[0], {"flink_job", "cotejo_native"} & sys.modules.keys())
"""
    ran = subprocess.run([sys.executable, "-c", taskmanager], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "rejected set()\n"


def test_nothing_that_goes_wrong_leaves_a_function_not_even_a_panic() -> None:
    class PanicException(BaseException): ...  # as PyO3 derives it

    def panic() -> None:
        raise PanicException("index out of bounds")

    record = Record(None, None, 0, 0, "")
    assert _guarded(panic, record) == ("rejected", "internal: PanicException: index out of bounds")
    assert _guarded(lambda: 1 // 0, record)[0] == "rejected"  # type: ignore[index]
