"""The scenarios: what is measured, in which stack, and how often."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.figures import Figures
from benchmarks.floor import floor
from benchmarks.measure import Bench

BURST = 20_000
SLOW_BURST = 6_400
CACHED = 5_000
"""Few enough for the answers in memory (CACHE_SIZE)."""


@dataclass(frozen=True)
class Scenario:
    """One thing to measure, `rounds` times, in a stack with the settings of `environment`."""

    name: str
    says: str
    run: Callable[[Bench], Figures]
    rounds: int = 3
    environment: Mapping[str, str] = field(default_factory=dict)


def _distinct(bench: Bench) -> Figures:
    return bench.burst(bench.unmet(BURST), BURST)


def _zipf(bench: Bench) -> Figures:
    return bench.burst(bench.unmet(CACHED), BURST, TRAFFIC_POPULARITY="zipf")


def _repeats(bench: Bench) -> Figures:
    return bench.burst(bench.answered(CACHED), BURST)


def _failing(bench: Bench) -> Figures:
    return bench.burst(bench.unmet(BURST // 4), BURST // 4)


def _full(bench: Bench) -> Figures:
    bench.fill(1_000_000)
    return _distinct(bench)


def _slow_model(bench: Bench) -> Figures:
    return bench.burst(bench.unmet(SLOW_BURST), SLOW_BURST)


# Every answer passes, so that a question is one call.
SLOW_MODEL = {"OFFLINE_LATENCY": "200ms", "LLM_CONCURRENCY": "64", "OFFLINE_MIX": "100/0/0", "OFFLINE_TRAPS": "0"}
TWICE = {f"SCALE_{part}": "2" for part in ("CACHE_SERVICE", "LLM_CONSUMER", "STORAGE_SERVICE", "TASKMANAGER")}
PARALLEL = {"FLINK_PARALLELISM": "4"}

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("distinct", "20,000 distinct questions, all at once", _distinct),
        Scenario("zipf", "20,000 questions at once, of 5,000 new ones by Zipf", _zipf),
        Scenario("repeats", "20,000 repeats of answered questions, all at once", _repeats),
        Scenario("calm", "10 questions a second for two minutes", lambda bench: bench.steady(10, 120), 1),
        Scenario("busy", "50 questions a second for a minute", lambda bench: bench.steady(50, 60), 1),
        Scenario("sustained", "five minutes with a backlog of distinct questions", lambda b: b.sustained(300), 1),
        Scenario("floor", "Kafka and MongoDB alone, for the same records", lambda bench: floor(bench, BURST), 1),
        Scenario("million", "distinct, with a million results stored", _full),
        Scenario(
            "failing", "5,000 at once, every answer fails, asked three times", _failing, 3, {"OFFLINE_MIX": "0/0/100"}
        ),
        Scenario("model", "6,400 at once, calls of 200 ms, 64 at once: 320/s at most", _slow_model, 3, SLOW_MODEL),
        Scenario(
            "partitions", "distinct, 12 partitions a topic instead of 3", _distinct, 3, {"TOPIC_PARTITIONS": "12"}
        ),
        Scenario("copies", "distinct, each service and the TaskManager twice", _distinct, 3, TWICE | PARALLEL),
    )
}


def chosen(names: str) -> list[Scenario]:
    """The scenarios that a comma-separated list names, in their order here; all for an empty one.

    Raises ArgumentTypeError for a name that is none.
    """
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if unknown := wanted - SCENARIOS.keys():
        raise ArgumentTypeError(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    return [scenario for name, scenario in SCENARIOS.items() if not wanted or name in wanted]
