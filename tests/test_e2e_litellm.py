"""A model's server that others wrote: LiteLLM's proxy, whose model says the same to every question."""

import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stack import setup
from stack.api import RUNTIME, Stack
from stack.runtime import begin, end
from stack.setup import TOOLS, Job
from tests.support import WEB, Probe, eventually, question

pytestmark = [
    pytest.mark.skipif(RUNTIME != "native", reason="no container reaches a server outside"),
    pytest.mark.skipif("LITELLM" not in os.environ, reason="half a gigabyte of packages: make test-litellm"),
]

REQUIREMENTS = "tests/fixtures/litellm/requirements.txt"
# Its packages are not those of the stack, and not one of them is built here.
LITELLM = Job(
    "LiteLLM",
    f"""
    {sys.executable} -m venv --clear .tools/litellm
    .tools/venv/bin/uv pip sync --require-hashes --no-build --python .tools/litellm/bin/python {REQUIREMENTS}
    """,
    inputs=(REQUIREMENTS,),
    product="litellm",
)
STARTS_WITHIN_S = 180.0

KEY = "sk-test"
ANSWER = str(question()["best_answer"])
CONFIGURATION = {
    "general_settings": {"master_key": KEY},
    "model_list": [
        {
            "model_name": "small",
            "litellm_params": {"model": "openai/mock", "api_key": "none", "mock_response": ANSWER},
        }
    ],
}
INPUT_TOKENS, OUTPUT_TOKENS = 10, 20
"""What it says of each call that it mocks."""


class Proxy:
    """LiteLLM's proxy, from its start to its end."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._address = f"127.0.0.1:{free.getsockname()[1]}"
        self._log = folder / "litellm.log"
        configuration = folder / "litellm.json"
        # JSON is YAML.
        configuration.write_text(json.dumps(CONFIGURATION))
        host, port = self._address.split(":")
        place = ["--host", host, "--port", port, "--config", str(configuration), "--telemetry", "False"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONUNBUFFERED": "1",
            # It is to fetch nothing, to read no .env, and to reach nobody.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }
        with self._log.open("wb") as log:
            self.process: subprocess.Popen[bytes] = begin(
                [str(TOOLS / "litellm/bin/litellm"), *place], environment, log
            )

    @property
    def url(self) -> str:
        """The address, up to and including the version path."""
        return f"http://{self._address}/v1"

    def is_up(self) -> bool:
        """Whether it answers; fails when it has ended."""
        assert self.process.poll() is None, self._log.read_text()
        try:
            return WEB.get(f"http://{self._address}/health/liveliness").is_success
        except httpx.TransportError:
            return False

    def statuses(self) -> Counter[str]:
        """How often it replied what to a call, as it says itself."""
        return Counter(re.findall(r'"POST /v1/chat/completions HTTP/1.1" (\d+)', self._log.read_text()))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy, which starts while the stack does."""
    setup.LOGS.mkdir(parents=True, exist_ok=True)
    setup.run((LITELLM,))
    proxy = Proxy(tmp_path_factory.mktemp("litellm"))
    yield proxy
    end(proxy.process)


@pytest.fixture(scope="module")
def stack(proxy: Proxy) -> Iterator[Stack]:
    """A stack that asks it."""
    model = {"OPENAI_BASE_URL": proxy.url, "OPENAI_MODEL": "small", "OPENAI_API_KEY": KEY}
    with Stack(env={"LLM_MODE": "openai", **model}) as stack:
        eventually(proxy.is_up, "LiteLLM's proxy", STARTS_WITHIN_S)
        yield stack
    stack.clean()


def test_every_question_is_decided_and_every_call_is_accounted_for(probe: Probe, proxy: Proxy) -> None:
    right = [question(f"Why is the sky blue on day {number}?") for number in range(180)]
    other = "Knead the dough for ten minutes, let it rise twice, and bake it in a hot oven."
    wrong = [question(f"How is loaf {number} made?", best_answer=other) for number in range(20)]
    outcomes = list(probe.outcomes(probe.ask(*right, *wrong)).values())
    assert Counter(outcome["verdict"] for outcome in outcomes) == {"accepted": 180, "exhausted": 20}
    assert {(outcome["source"], outcome["model"], outcome["llm_answer"]) for outcome in outcomes} == {
        ("llm", "small", ANSWER)
    }
    calls = sum(outcome["attempts"] for outcome in outcomes)
    assert calls == 180 + 3 * 20
    assert sum(outcome["spent"]["calls"] for outcome in outcomes) == calls
    assert sum(outcome["spent"]["input_tokens"] for outcome in outcomes) == INPUT_TOKENS * calls
    assert sum(outcome["spent"]["output_tokens"] for outcome in outcomes) == OUTPUT_TOKENS * calls
    eventually(lambda: proxy.statuses() == {"200": calls}, "no other calls in the proxy's log")
    assert probe.metrics_equal_the_results()
