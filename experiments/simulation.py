"""The cache alone: the map of cache-service, asked as traffic-generator would ask; and Che's approximation."""

import subprocess
from collections.abc import Sequence
from typing import IO, NamedTuple

import numpy as np
from scipy.optimize import brentq

from experiments.plan import Experiment, Simulation
from experiments.series import Document, Job
from report.outcomes import Floats
from stack.build import digest
from stack.settings import ROOT, StackError

CACHE, TRAFFIC = (str(ROOT / "target/release" / name) for name in ("cache-service", "traffic-generator"))
NO_SETTINGS: dict[str, str] = {}
"""What they are told stands on their command lines: no setting of a stack may change it."""


class Hits(NamedTuple):
    """Of so many questions, so many found their answer in a cache of a policy and a size."""

    policy: str
    size: int
    questions: int
    hits: int


def jobs(experiment: Experiment, simulation: Simulation) -> list[Job]:
    """Every trace: all popularities by one seed, then by the next."""
    same = {
        "questions": simulation.questions,
        "requests": simulation.requests,
        "warm_up": simulation.warm_up,
        "policies": list(simulation.policies),
        "sizes": list(simulation.sizes),
        # They take a minute: what was simulated by other code is simulated anew.
        "build": digest()[:12],
    }
    return [
        Job(f"{experiment.name}-zipf-{exponent:g}-s{seed}", {**same, "exponent": exponent, "seed": seed})
        for seed in simulation.seeds
        for exponent in simulation.exponents
    ]


def do(job: Job) -> Document:
    """Lets one trace through all caches, each of which sees the same questions."""
    said = job.definition
    command = [
        *(TRAFFIC, "--traffic-popularity=zipf", f"--traffic-zipf-exponent={said['exponent']}"),
        *(f"--traffic-total={said['warm_up'] + said['requests']}", f"--traffic-seed={said['seed']}"),
        *("--log-level=warn", "choose", str(said["questions"])),
    ]
    with subprocess.Popen(command, env=NO_SETTINGS, stdout=subprocess.PIPE) as traffic:
        found = _simulate(traffic.stdout, None, said["policies"], said["sizes"], said["warm_up"])
    if traffic.returncode != 0:
        raise StackError(f"traffic-generator failed (exit code {traffic.returncode})")
    return {"caches": found}


def hits(asked: Sequence[str], policies: Sequence[str], sizes: Sequence[int]) -> list[Hits]:
    """What caches that begin empty serve of these questions, each of which has its answer before the next is asked."""
    return _simulate(None, "\n".join(asked), policies, sizes, 0)


def _simulate(
    source: IO[bytes] | None, asked: str | None, policies: Sequence[str], sizes: Sequence[int], warm_up: int
) -> list[Hits]:
    command = [
        *(CACHE, "--log-level=warn", "simulate", f"--policies={','.join(policies)}"),
        *(f"--sizes={','.join(map(str, sizes))}", f"--warm-up={warm_up}"),
    ]
    text = None if asked is None else asked.encode()
    made = subprocess.run(command, env=NO_SETTINGS, stdin=source, input=text, stdout=subprocess.PIPE, check=False)
    if made.returncode != 0:
        raise StackError(f"cache-service failed (exit code {made.returncode})")
    rows = (line.split(",") for line in made.stdout.decode().splitlines()[1:])
    return [Hits(policy, *map(int, numbers)) for policy, *numbers in rows]


def zipf(questions: int, exponent: float) -> Floats:
    """How likely each question is to be the next; uniform, if the exponent is 0."""
    weights = np.arange(1, questions + 1, dtype=float) ** -exponent
    return np.asarray(weights / weights.sum())


def che(popularity: Floats, size: int) -> float:
    """The hit rate of LRU by the approximation of Che, Tung and Wang (2002).

    An answer stays for about the same time, whichever it is: until so many others were asked for as the cache holds. A
    question is a hit if it was asked within that time before.
    """
    if size >= len(popularity):
        return 1.0

    def held(time: float) -> float:
        return float(-np.expm1(-popularity * time).sum())

    most = float(size)
    while held(most) < size:
        most *= 2
    time = brentq(lambda time: held(time) - size, 0.0, most)
    return float(popularity @ -np.expm1(-popularity * time))
