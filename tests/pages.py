"""What there is to look at in explorer's pages."""

from dataclasses import dataclass
from urllib.parse import quote

from stack.api import Stack
from tests.support import Document, Probe, eventually, page

SECTIONS = ("", "/questions", "/label", "/compare")
LANGUAGES = ("en", "es")
RUNS, ASKED = ("first", "second"), 60
COLUMNS = "columns=model,cost,tokens,run"
COMPARED = "/compare?" + "&".join(f"run={run}" for run in RUNS)


@dataclass(frozen=True)
class Shown:
    """Two runs of the same questions, and an outcome of the newer one that was not accepted."""

    url: str
    exhausted: Document

    @property
    def case(self) -> str:
        """The page of that outcome."""
        return f"/q/{quote(self.exhausted['_id'])}"

    def address(self, path: str = "", language: str = "en") -> str:
        """The address of a page."""
        return f"{self.url}/{language}{path}"

    def everywhere(self) -> list[str]:
        """Pages of every kind, in both languages."""
        paths = [*SECTIONS, self.case, f"{self.case}?trail=1&full=1", COMPARED, "/q/nobody", "/questions?score_from=2"]
        paths += [f"/questions?{COLUMNS}"]
        return [self.address(path, language) for path in paths for language in LANGUAGES]


def show(stack: Stack) -> Shown:
    """Asks for both runs, and returns when explorer knows all of them."""
    for run in RUNS:
        traffic = {"TRAFFIC_TOTAL": str(ASKED), "TRAFFIC_RATE": "100", "TRAFFIC_POPULARITY": "each"}
        stack.send(**traffic, TRAFFIC_RUN=run, TRAFFIC_SEED="1")
    eventually(lambda: all(listed(stack, f"run={run}") == ASKED for run in RUNS), "a list of both runs")
    with Probe(stack) as probe:
        exhausted = probe.database["results"].find_one({"run": RUNS[1], "verdict": "exhausted"})
    assert exhausted
    return Shown(stack.endpoints["EXPLORER_URL"], exhausted)


def listed(stack: Stack, filters: str) -> int:
    """How many outcomes are listed."""
    return len(page(stack, f"questions.jsonl?{filters}").splitlines())
