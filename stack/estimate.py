"""The command that says what questions will cost: a range, and what it is made of."""

import argparse
import csv
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from flink_job.config import Config, InvalidSettingError
from flink_job.database import Database, NewerDataError
from stack.options import bounded, options
from stack.prices import Prices
from stack.runtime import Runtime
from stack.settings import ROOT, SettingError, Settings

OPTIONS = {"estimate": ("TOTAL", "MODEL")}
"""What the command can be told, as NAME=value."""

DEFAULT_MODEL = "gpt-4o-mini"
SAMPLE = ROOT / "data" / "sample_questions.csv"
PROMPTS = ROOT / "services" / "llm-consumer" / "prompts" / "en"
MOST_READ = 5_000
# Of a hundred questions, how many pass at the first attempt, at the second or third, and never: as OFFLINE_MIX has it.
MIX = (0.7, 0.2, 0.1)
BYTES_PER_TOKEN = (5.0, 3.0)
# What the prompt asks for, in words of a token and a third.
ANSWER_TOKENS = (40 * 4 / 3, 120 * 4 / 3)
BYTES_PER_WORD = 6
ANSWER_BYTES = (40 * BYTES_PER_WORD, 120 * BYTES_PER_WORD)

Document = Mapping[str, Any]
console = Console(highlight=False)


@dataclass(frozen=True)
class Range:
    """A quantity that lies between two values, most likely, and where that comes from."""

    low: float
    high: float
    source: str

    @classmethod
    def of(cls, values: Sequence[float], total: int, source: str) -> "Range":
        """The mean of `total` further values like these, at twice its standard error."""
        mean = statistics.fmean(values)
        spread = statistics.stdev(values) if len(values) > 1 else mean
        error = 2 * spread * math.sqrt(1 / total + 1 / len(values))
        return cls(max(0.0, mean - error), mean + error, f"measured: {source}")

    @classmethod
    def assumed(cls, bounds: tuple[float, float], why: str) -> "Range":
        """What nobody has measured."""
        return cls(*bounds, f"assumed: {why}")


@dataclass(frozen=True)
class Needs:
    """Tokens that a question takes, all attempts together, and what that follows from."""

    sent: tuple[float, float]
    received: tuple[float, float]
    grounds: Mapping[str, Range]


@dataclass(frozen=True)
class Evidence:
    """What is known: the questions, and what became of others."""

    questions: Sequence[Document]
    questions_from: str
    outcomes: Sequence[Document] = ()


def estimate(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Say what questions will cost, as a range, and what it is made of."""
    given = options(arguments, OPTIONS["estimate"])
    total = bounded("TOTAL", given.get("TOTAL") or "1000", int, 1, 1_000_000_000)
    model = given.get("MODEL") or _model(settings.environment)
    prices = Prices.load(settings.environment.get("LLM_PRICES"))
    price = prices.of(model)
    if price is None:
        raise SettingError(
            f"MODEL={model} has no known price; known are {', '.join(prices.names)}; others: LLM_PRICES=file"
        )
    evidence = _evidence(runtime, settings)
    needs = _measured(evidence, model, total) or _assumed(evidence, total, _max_attempts(settings))
    console.print(f"[bold]{total:,} questions to {model}[/bold]", _table(total, needs, price.dollars), sep="\n")
    console.print("[bold]What that is made of, a question[/bold]", _grounds(needs.grounds), sep="\n")
    console.print(
        f"Prices: ${price.input} and ${price.output} a million tokens sent and received, from {prices.source}"
        f"{f', as of {price.as_of}' if price.as_of else ''}; compare them with your provider's.\n"
        "Questions that the cache answers cost nothing; calls that fail and are repeated may cost more.",
        soft_wrap=True,
    )


def _model(environment: Mapping[str, str]) -> str:
    """The model that answers most questions: the first of a ladder."""
    first, _, rest = (environment.get("LLM_MODELS") or "").partition(",")
    if rest:
        console.print(f"Of the models of LLM_MODELS this is for {first.strip()}; MODEL=… estimates another.")
    return first.strip() or environment.get("OPENAI_MODEL") or DEFAULT_MODEL


def _measured(evidence: Evidence, model: str, total: int) -> Needs | None:
    """What questions to this model took before; None where there are too few."""
    found = [costs[0] for outcome in evidence.outcomes if _is_only(costs := _costs(outcome), model)]
    if len(found) < 2:
        return None
    source = f"{len(found):,} results of {model}"
    calls, sent, received = (
        Range.of([float(cost[name]) for cost in found], total, source)
        for name in ("calls", "input_tokens", "output_tokens")
    )
    grounds = {"calls": calls, "tokens sent": sent, "tokens received": received}
    return Needs((sent.low, sent.high), (received.low, received.high), grounds)


def _assumed(evidence: Evidence, total: int, max_attempts: int) -> Needs:
    """What a question takes by the length of the prompts, and by how often it is asked again."""
    system, again = (len((PROMPTS / f"{name}.txt").read_bytes().strip()) for name in ("system", "again"))
    lengths = [float(_prompt_bytes(question) + system) for question in evidence.questions]
    first = Range.of(lengths, total, f"{len(lengths):,} {evidence.questions_from}, and the prompt in English")
    attempts = _attempts(evidence.outcomes, total, max_attempts)
    per_token = Range.assumed(BYTES_PER_TOKEN, "usual for English; other languages may take more tokens")
    answer = Range.assumed(ANSWER_TOKENS, "the prompt asks for 40 to 120 words; a model that thinks takes far more")

    def sent(first_bytes: float, asked: float, answer_bytes: float, bytes_per_token: float) -> float:
        later = max(0.0, asked - 1) * (first_bytes + again + answer_bytes)
        return (first_bytes + later) / bytes_per_token

    low, high = (
        sent(length, asked, answer_bytes, bytes_per_token)
        for length, asked, answer_bytes, bytes_per_token in (
            (first.low, attempts.low, ANSWER_BYTES[0], per_token.low),
            (first.high, attempts.high, ANSWER_BYTES[1], per_token.high),
        )
    )
    grounds = {
        "bytes of the first prompt": first,
        "attempts": attempts,
        "bytes a token": per_token,
        "tokens received an attempt": answer,
    }
    return Needs((low, high), (attempts.low * answer.low, attempts.high * answer.high), grounds)


def _attempts(outcomes: Sequence[Document], total: int, max_attempts: int) -> Range:
    """How often a question is asked."""
    counted = [float(outcome["attempts"]) for outcome in outcomes if outcome.get("source") == "llm"]
    if len(counted) > 1:
        models = sorted({str(outcome.get("model")) for outcome in outcomes if outcome.get("source") == "llm"})
        return Range.of(counted, total, f"{len(counted):,} results of {', '.join(models)}")
    at_once, later, never = MIX
    low, high = (at_once + later * min(asked, max_attempts) + never * max_attempts for asked in (2, 3))
    return Range.assumed((low, high), f"70 % pass at once, 20 % later, 10 % never, of at most {max_attempts} attempts")


def _evidence(runtime: Runtime, settings: Settings) -> Evidence:
    """What the stack knows, where one answers, else the sample."""
    if runtime.is_up() or not settings.runs("mongo"):
        endpoints = settings.endpoints()
        try:
            with Known(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"]) as known:
                if questions := known.questions(MOST_READ):
                    return Evidence(questions, "questions of the stack", known.outcomes(MOST_READ))
        except NewerDataError:
            raise
        except PyMongoError as error:
            console.print(f"MongoDB does not answer, so the sample is taken: {error}")
    return Evidence(_sample(), f"questions of {SAMPLE.relative_to(ROOT)}")


class Known(Database):
    """Questions and outcomes. Every method can fail as `pymongo` does."""

    def questions(self, most: int) -> list[Document]:
        """So many questions; ids are hashes, so the first in their order are a random sample."""
        fields = {"title": 1, "content": 1}
        return list(self._database["questions"].find({}, fields).sort("_id").limit(most))

    def outcomes(self, most: int) -> list[Document]:
        """So many outcomes for which a model was asked."""
        fields = {"source": 1, "attempts": 1, "model": 1, "spent": 1}
        return list(self._database["results"].find({"source": "llm"}, fields).limit(most))


def _sample() -> list[Document]:
    with SAMPLE.open(newline="", encoding="utf-8") as lines:
        return [{"title": title, "content": content} for _, title, content, _ in csv.reader(lines)]


def _prompt_bytes(question: Document) -> int:
    """The bytes of a question in its template, whose lines are left out where there is nothing to put in."""
    length = 0
    for line in (PROMPTS / "question.txt").read_text("utf-8").strip().splitlines():
        filled = line
        for name in ("title", "content"):
            value = question.get(name) or ""
            filled = filled.replace(f"{{{name}}}", value)
            if f"{{{name}}}" in line and not value:
                filled = ""
        length += len(filled.encode()) + 1
    return length


def _costs(outcome: Document) -> list[Document]:
    by_model: list[Document] = (outcome.get("spent") or {}).get("by_model") or []
    return by_model


def _is_only(costs: Sequence[Document], model: str) -> bool:
    return len(costs) == 1 and costs[0]["model"] == model


def _table(total: int, needs: Needs, price: Callable[[float, float], float]) -> Table:
    table = Table("", "at least", "at most", box=None, header_style="bold")
    sent, received = ([total * tokens for tokens in bounds] for bounds in (needs.sent, needs.received))
    table.add_row("tokens sent", *(f"{tokens:,.0f}" for tokens in sent))
    table.add_row("tokens received", *(f"{tokens:,.0f}" for tokens in received))
    table.add_row("dollars", *(_dollars(price(*tokens)) for tokens in zip(sent, received, strict=True)))
    return table


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def _grounds(grounds: Mapping[str, Range]) -> Table:
    table = Table("", "from", "to", "because", box=None, header_style="bold")
    for name, bounds in grounds.items():
        table.add_row(
            name, *(f"{bound:,.2f}".removesuffix(".00") for bound in (bounds.low, bounds.high)), bounds.source
        )
    return table


def _max_attempts(settings: Settings) -> int:
    try:
        return Config.from_environment(settings.environment).max_attempts
    except InvalidSettingError as error:
        raise SettingError(str(error)) from error
