"""Questions, asked of a stack whose model's server is a test's own."""

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from benchmarks import dataset
from stack.api import Stack
from stack.runtime import PORT_OF
from tests.model_behaviours import answer
from tests.model_server import Behaviour, Call, ModelServer
from tests.support import WEB, Document, Probe, eventually, question

REPLICAS = ("llm-consumer", "llm-consumer-2")
"""The copies of the part that asks the model."""

SEEDS = count()


class Scene:
    """Questions, asked of a stack, and what its model's server sees of them."""

    def __init__(self, stack: Stack, server: ModelServer, probe: Probe, folder: Path) -> None:
        self.stack, self.server, self.probe, self._folder = stack, server, probe, folder
        self._stored = probe.database["results"].count_documents({})
        self._seen = len(server.log)
        self._answers: dict[str, str] = {}

    def questions(self, number: int) -> list[Document]:
        """Questions that nobody has asked before."""
        seed = next(SEEDS)
        lines = dataset.write(self._folder / f"{seed}.jsonl", number, seed).read_text().splitlines()
        asked = [question(**json.loads(line)) for line in lines]
        self._answers |= {one["title"]: one["best_answer"] for one in asked}
        return asked

    def good(self, latency_s: float = 0.0) -> Behaviour:
        """Answers each of the questions so that it is accepted."""
        return answer(self._answers, latency_s=latency_s)

    def ask(self, number: int) -> list[Document]:
        """Asks so many new questions."""
        asked = self.questions(number)
        self.probe.ask(*asked)
        return asked

    def calls(self) -> list[Call]:
        """What the server has seen of this scene."""
        return self.server.log[self._seen :]

    def outcomes(self, asked: list[Document], errors: Mapping[str, str] | None = None) -> list[Document]:
        """The outcomes, in the order of the questions, of which those with these titles end with these errors."""
        found = self.probe.outcomes([one["message_id"] for one in asked])
        outcomes = [found[one["message_id"]] for one in asked]
        assert {outcome["title"]: outcome["error"]["type"] for outcome in outcomes if outcome["error"]} == (
            errors or {}
        )
        assert {outcome["verdict"] for outcome in outcomes} <= {"accepted", "error"}
        assert self.probe.database["results"].count_documents({}) - self._stored == len(asked)
        eventually(self.probe.metrics_equal_the_results, "metrics that equal the results")
        return outcomes

    def all_is_paid_for_once(self, outcomes: list[Document]) -> None:
        """Every call that the server saw is in one outcome's account."""
        assert sum(outcome["spent"]["calls"] for outcome in outcomes) == len(self.calls())

    def gates(self) -> list[Document]:
        """What each replica says of the model's server."""
        base = self.stack.settings.ports[PORT_OF["llm-consumer"]]
        urls = [f"http://127.0.0.1:{base + copy}/api/model" for copy in range(len(REPLICAS))]
        return [WEB.get(url).raise_for_status().json() for url in urls]

    def are_closed(self, cause: str) -> bool:
        """Whether no replica lets questions through, for this reason."""
        return all((gate["gate"], gate.get("cause")) == ("closed", cause) for gate in self.gates())

    def are_open(self) -> bool:
        """Whether every replica lets questions through."""
        return all(gate["gate"] == "open" for gate in self.gates())
