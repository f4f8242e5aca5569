"""In which order a native stack comes up."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from stack.bring_up import bring_up
from stack.runtime import IMPORT, SUBMIT, Part
from stack.settings import Settings
from stack.steps import Steps

TOPICS = "topics"


class Starting:
    """Parts of which the one-shots end, and the others are ready, at the look that is told."""

    def __init__(self, folder: Path, ends: dict[str, int], done: tuple[str, ...] = ()) -> None:
        self.settings = Settings(folder)
        self.log: list[str] = []
        self._ends, self._done, self._looks = ends, set(done), 0

    def parts(self) -> list[Part]:
        self._looks += 1
        return list(self._parts())

    def _parts(self) -> Iterator[Part]:
        for name in (TOPICS, IMPORT, SUBMIT):
            ended = name in self._done or (name in self.log and self._looks >= self._ends[name])
            if ended and name not in self._done:
                self._done.add(name)
                self.log.append(f"{name} is done")
            is_running = name in self.log and (name == SUBMIT or not ended)
            yield Part(name, 1, is_running, "running", exit_code=0 if ended and name != SUBMIT else None)

    def is_ready(self, part: Part) -> bool:
        return part.name in self._done

    def read_log(self, part: str, lines: int | None = None) -> str:
        return f"{part}: {lines}"

    def start_part(self, name: str) -> None:
        self.log.append(name)

    def stop_part(self, name: str) -> None:
        raise NotImplementedError(name)


def run(stack: Starting) -> list[str]:
    with Steps(StringIO()) as steps:
        bring_up(stack, steps)
    return stack.log


def test_topics_and_questions_are_made_side_by_side_and_the_job_is_submitted_once_all_questions_are_there(
    tmp_path: Path,
) -> None:
    log = run(Starting(tmp_path, {TOPICS: 5, IMPORT: 3, SUBMIT: 7}))
    assert set(log[:2]) == {TOPICS, IMPORT}
    assert log[2:] == [f"{IMPORT} is done", SUBMIT, f"{TOPICS} is done", f"{SUBMIT} is done"]


def test_what_was_made_before_is_not_made_again(tmp_path: Path) -> None:
    assert run(Starting(tmp_path, {SUBMIT: 4}, done=(TOPICS, IMPORT))) == [SUBMIT, f"{SUBMIT} is done"]
