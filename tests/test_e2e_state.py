"""What the job remembers lies on disk, and leaves it again by itself."""

import base64
import json
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from rich.console import Console
from rich.progress import track
from rich.table import Table

from flink_job.flink_rest import Flink
from stack.api import Stack
from tests.support import WEB, Probe, message


class Load(NamedTuple):
    """So many answers fail in each second, and expire after a while."""

    a_second: int
    seconds: int
    ttl_s: int
    answer_bytes: int


A_LITTLE = Load(a_second=200, seconds=24, ttl_s=3, answer_bytes=2000)
TWO_MILLION = Load(a_second=2500, seconds=800, ttl_s=60, answer_bytes=200)


class Checkpoint(NamedTuple):
    """How much a checkpoint holds, and how long it took."""

    bytes: int
    milliseconds: int


def checkpoint(stack: Stack) -> Checkpoint:
    """The newest."""
    [job] = Flink(stack.endpoints["FLINK_URL"]).running()
    told = WEB.get(f"{stack.endpoints['FLINK_URL']}/jobs/{job.id}/checkpoints").raise_for_status().json()
    newest = told["latest"]["completed"] or {"state_size": 0, "end_to_end_duration": 0}
    return Checkpoint(newest["state_size"], newest["end_to_end_duration"])


def fail(probe: Probe, load: Load) -> None:
    """Answers that the job must remember; no two have anything in common that could be compressed away."""
    answers = (base64.b64encode(os.urandom(load.answer_bytes * 3 // 4)).decode() for _ in range(load.a_second))
    responses = (message("llm_responses", llm_answer=answer) for answer in answers)
    probe.write("llm_responses", *(json.dumps(response).encode() for response in responses))


def checkpoints_under(load: Load, stack: Stack) -> Iterator[Checkpoint]:
    """The newest checkpoint after each second."""
    with Probe(stack) as probe:
        for _ in track(range(load.seconds), "Answers that fail"):
            next_at = time.monotonic() + 1
            fail(probe, load)
            yield checkpoint(stack)
            time.sleep(max(0, next_at - time.monotonic()))
        assert probe.dead_letters() == {}


def show(load: Load, checkpoints: list[Checkpoint]) -> None:
    table = Table("failed so far", "state, MB", "checkpoint, ms", title="State and checkpoints over time")
    for second in range(load.seconds // 20, load.seconds + 1, load.seconds // 20):
        size, took = checkpoints[second - 1]
        table.add_row(f"{second * load.a_second:,}", f"{size / 1e6:.1f}", str(took))
    Console().print(table)


@pytest.mark.parametrize("load", [A_LITTLE, pytest.param(TWO_MILLION, marks=pytest.mark.long)])
def test_what_has_expired_leaves_the_disk(load: Load) -> None:
    stack = Stack(env={"STATE_TTL": f"{load.ttl_s}s", "CHECKPOINT_INTERVAL": f"{max(1, load.ttl_s // 6)}s"})
    with stack:
        # Nobody asks again, so that time alone ends what the job remembers.
        for part in ("cache-service", "llm-consumer"):
            stack.runtime.stop_part(part)
        checkpoints = list(checkpoints_under(load, stack))
    stack.clean()
    show(load, checkpoints)
    sizes, written = [told.bytes for told in checkpoints], load.a_second * load.seconds * load.answer_bytes
    assert max(sizes) > load.a_second * load.ttl_s * load.answer_bytes / 2, "what has not expired is there"
    assert max(sizes) < written / 2, "what has expired is still there"
