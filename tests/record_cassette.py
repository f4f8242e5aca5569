"""Records `fixtures/cassette.jsonl` anew: `python -m tests.record_cassette`.

The tests' own server plays the model: it answers every third question off the point at first, and with the reference
when it is asked again.
"""

import csv

from stack.api import Stack
from stack.settings import ROOT
from tests.model_behaviours import answer
from tests.model_server import Call, ModelServer, Reply
from tests.test_e2e_cassette import CASSETTE, RUN

OFF_THE_POINT = "That is hard to say, and people disagree about it."


def _answers() -> dict[str, str]:
    with next(iter(sorted((ROOT / "data").glob("*.csv")))).open() as file:
        return {row[1]: row[3] for row in csv.reader(file)}


def main() -> None:
    """Asks the questions of the tests' run, and leaves what was answered in the cassette."""
    references = answer(_answers())

    def behave(call: Call) -> Reply:
        is_first = "That answer was not good enough" not in call.text
        return answer(default=OFF_THE_POINT)(call) if is_first and len(call.text) % 3 == 0 else references(call)

    CASSETTE.unlink(missing_ok=True)
    with ModelServer(behave) as server:
        record = {"LLM_MODE": "record", "LLM_CASSETTE": str(CASSETTE), "OPENAI_BASE_URL": server.url}
        with Stack(env=record | {"OPENAI_MODEL": "gpt-4o-mini"}) as stack:
            stack.send(**RUN)
        stack.clean()
    print(f"{len(CASSETTE.read_text().splitlines())} answers in {CASSETTE}")


if __name__ == "__main__":
    main()
