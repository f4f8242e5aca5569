"""Takes the pictures of README.md, of a stack of its own: `make screenshots`."""

import sys
import threading
import time
from urllib.parse import quote

from stack.api import Stack
from stack.settings import ROOT
from tests.browser import MISSING, Browser, browser
from tests.support import Document, Probe

PICTURES = ROOT / "docs" / "pictures"
SIZE = (1120, 720)
TRAFFIC = {
    "TRAFFIC_DURATION": "4m",
    "TRAFFIC_PROFILE": "day",
    "TRAFFIC_RATE": "40",
    "TRAFFIC_RUN": "demo",
    "TRAFFIC_SEED": "1",
}
NOON_S = 160
"""When the day of the run has most to show."""
LIVE_S = 8
"""By then the live figures and their lines have come."""


def take(window: Browser, name: str, url: str) -> None:
    """Two pictures of a page, in light and in dark."""
    window.open(url)
    time.sleep(LIVE_S)
    for scheme in ("light", "dark"):
        window.scheme(scheme)
        file = PICTURES / f"{name}-{scheme}.png"
        file.write_bytes(window.picture())
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB")


def half_right(probe: Probe) -> Document:
    """An outcome that has something to see: three attempts, and the best of them neither good nor useless."""
    wanted = {"verdict": "exhausted", "source": "llm", "score": {"$gt": 0.2, "$lt": 0.6}}
    return max(probe.database["results"].find(wanted), key=lambda outcome: (outcome["attempts"], outcome["_id"]))


def main() -> None:
    """Asks questions for some minutes, and looks."""
    if MISSING:
        sys.exit(MISSING)
    PICTURES.mkdir(exist_ok=True)
    with Stack() as stack, browser() as window, Probe(stack) as probe:
        url = stack.endpoints["EXPLORER_URL"]
        window.size(*SIZE)
        # explorer sleeps until somebody looks.
        window.open(f"{url}/en")
        asking = threading.Thread(target=stack.send, kwargs=TRAFFIC)
        asking.start()
        time.sleep(NOON_S)
        take(window, "now", f"{url}/en")
        asking.join()
        take(window, "questions", f"{url}/en/questions?run=demo")
        take(window, "question", f"{url}/en/q/{quote(half_right(probe)['_id'])}")
    stack.clean()


if __name__ == "__main__":
    main()
