"""The metrics, computed from the results independently of storage-service."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

Document = dict[str, Any]


def sum_up(results: list[Document]) -> Document:
    """The metrics that follow from the results."""

    def count(field: str, value: str) -> int:
        return sum(outcome[field] == value for outcome in results)

    def histogram(values: list[int], bucket: Callable[[int], int]) -> Document:
        return {"sum": sum(values), "count": len(values), "histogram": dict(Counter(str(bucket(v)) for v in values))}

    scores = [round(outcome["score"] * 1e6) for outcome in results if outcome["score"] is not None]
    latencies = [outcome["latency_ms"] for outcome in results if outcome["latency_ms"] is not None]
    usages = [outcome["usage"] for outcome in results if outcome["usage"]]
    return {
        "decided": len(results),
        "accepted": count("verdict", "accepted"),
        "exhausted": count("verdict", "exhausted"),
        "errors": count("verdict", "error"),
        "by_source": dict(Counter(outcome["source"] for outcome in results if outcome["source"])),
        "regenerations": sum(max(0, outcome["attempts"] - 1) for outcome in results),
        "attempts": dict(Counter(str(outcome["attempts"]) for outcome in results)),
        "score": histogram(scores, lambda score: min(score // 50_000 * 5, 95)),
        "latency_ms": histogram(latencies, _latency_bucket),
        "tokens": {
            "input": sum(usage["input_tokens"] for usage in usages),
            "output": sum(usage["output_tokens"] for usage in usages),
        },
        "spent": _spent([outcome["spent"] for outcome in results if outcome.get("spent")]),
    }


def says(metrics: Document, summed: Document) -> bool:
    """Whether a metrics document has these sums."""
    return all(_without_zeros(metrics.get(name, {})) == _without_zeros(summed[name]) for name in summed)


def added(one: Any, other: Any) -> Any:  # noqa: ANN401 - numbers, and mappings of them
    """The sum of two tallies, number by number; names are the same in both."""
    if one is None or other is None:
        return one if other is None else other
    if isinstance(one, Mapping):
        return {name: added(one.get(name), other.get(name)) for name in {**one, **other}}
    return one if isinstance(one, str) else one + other


AMOUNTS = ("calls", "input_tokens", "output_tokens", "nanodollars")


def _spent(bills: list[Document]) -> Document:
    """What all of these come to, in all and by model; fewer than a hundred models are all told apart."""

    def amounts(costs: list[Document]) -> Document:
        return {name: sum(cost[name] for cost in costs) for name in AMOUNTS}

    lines = [line for bill in bills for line in bill.get("by_model") or []]
    models = {line["model"] for line in lines}
    return amounts(bills) | {
        "estimated": sum(bool(bill.get("estimated")) for bill in bills),
        "by_model": {
            hashlib.sha256(model.encode()).hexdigest()[:16]: {"name": model}
            | amounts([line for line in lines if line["model"] == model])
            for model in models
        },
    }


def _without_zeros(value: object) -> object:
    """A number that is 0 says the same as one that is not there."""
    if not isinstance(value, Mapping):
        return value
    kept = {name: _without_zeros(part) for name, part in value.items()}
    return {name: part for name, part in kept.items() if part not in (0, {})}


def _latency_bucket(latency_ms: int) -> int:
    bounds = [0]
    while bounds[-1] < latency_ms:
        bounds.append(bounds[-1] + max(bounds[-1] // 10, 1))
    return bounds[len(list(takewhile(lambda bound: bound < latency_ms, bounds)))]
