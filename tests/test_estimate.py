"""What questions will cost is said as a range, with what is measured in it and what is assumed."""

import argparse
import io
from typing import Any

import pytest
from rich.console import Console

from stack import estimate
from stack.estimate import Evidence
from stack.prices import Price, Prices
from stack.settings import SettingError, Settings


class Stopped:
    """A runtime of which nothing runs."""

    def is_up(self) -> bool:
        return False


def run(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str] | None = None, **given: str) -> str:
    output = io.StringIO()
    monkeypatch.setattr(estimate, "console", Console(file=output, width=200, highlight=False))
    options = [f"{name}={value}" for name, value in given.items()]
    settings = Settings.from_environment(environment or {})
    estimate.estimate(Stopped(), settings, argparse.Namespace(options=options))  # type: ignore[arg-type]
    return output.getvalue()


def row(shown: str, name: str) -> list[float]:
    """The first row of a table that begins so."""
    line = next(line.strip() for line in shown.splitlines() if line.strip().startswith(name))
    return [float(cell.strip("$").replace(",", "")) for cell in line.removeprefix(name).split()[:2]]


def outcome(model: str, attempts: int, sent: int, received: int) -> dict[str, Any]:
    cost = {"model": model, "calls": attempts, "input_tokens": sent, "output_tokens": received, "nanodollars": 1}
    return {"source": "llm", "attempts": attempts, "model": model, "spent": {"by_model": [cost]}}


def test_without_a_stack_the_sample_is_measured_and_the_rest_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(monkeypatch)
    assert "1,000 questions to gpt-4o-mini" in shown
    assert "measured: 336 questions of data/sample_questions.csv" in shown
    assert "assumed: 70 % pass at once" in shown
    assert "as of" in shown
    assert row(shown, "attempts") == pytest.approx([1.4, 1.6])
    low, high = row(shown, "dollars")
    sent, received = row(shown, "tokens sent"), row(shown, "tokens received")
    assert low == pytest.approx((0.15 * sent[0] + 0.6 * received[0]) / 1e6, abs=1e-4)
    assert high == pytest.approx((0.15 * sent[1] + 0.6 * received[1]) / 1e6, abs=1e-4)
    assert 0 < low < high < 1


def test_twice_the_questions_cost_about_twice_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    once, twice = (row(run(monkeypatch, TOTAL=total), "dollars")[0] for total in ("10000", "20000"))
    assert twice == pytest.approx(2 * once, rel=0.02)


def test_what_such_questions_took_before_is_taken_for_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = [outcome("gpt-4o-mini", 1 + number % 2, 100, 200) for number in range(50)]
    outcomes.append(outcome("gpt-4o", 3, 10**6, 10**6))
    monkeypatch.setattr(estimate, "_evidence", lambda *_: Evidence([], "nowhere", outcomes))
    shown = run(monkeypatch, TOTAL="1000")
    assert "measured: 50 results of gpt-4o-mini" in shown
    assert "assumed" not in shown
    assert row(shown, "tokens sent") == [100_000, 100_000]
    assert row(shown, "dollars") == pytest.approx([0.135, 0.135])
    low, high = row(shown, "calls")
    assert low < 1.5 < high


def test_how_often_other_models_were_asked_again_is_better_than_an_assumption(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = [{"source": "llm", "attempts": 2, "model": "offline", "spent": None}] * 9
    questions = [{"title": "Why?", "content": ""}] * 9
    monkeypatch.setattr(estimate, "_evidence", lambda *_: Evidence(questions, "questions", outcomes))
    shown = run(monkeypatch)
    assert row(shown, "attempts") == [2, 2]
    assert "measured: 9 results of offline" in shown


def test_an_unknown_model_is_named_with_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match=r"MODEL=unheard-of has no known price; known are .*gpt-4o-mini"):
        run(monkeypatch, MODEL="unheard-of")
    with pytest.raises(SettingError, match="TOTAL=0 cannot be used"):
        run(monkeypatch, TOTAL="0")


def test_a_model_is_known_by_its_versions_and_no_other_model_is_taken_for_it() -> None:
    prices = Prices({name: Price(1, 1) for name in ("gpt-5", "gpt-5-mini")}, "here")  # type: ignore[arg-type]
    for model in ("gpt-5", "gpt-5-2025-08-07", "gpt-5:latest", "gpt-5@20250807"):
        assert prices.of(model), model
    for model in ("gpt-5-pro", "gpt-5-5", "gpt-50", "gpt", "gpt-5-", "gpt-5-pro-2025-01-01"):
        assert prices.of(model) is None, model


@pytest.mark.parametrize("price", ["-1", "nan", "inf", '"much"'])
def test_a_price_that_cannot_be_used_is_refused(price: str, tmp_path: Any) -> None:  # noqa: ANN401
    file = tmp_path / "prices.toml"
    file.write_text(f'[[model]]\nname = "a"\ninput = {price}\noutput = 1\n')
    with pytest.raises(SettingError, match="LLM_PRICES="):
        Prices.load(str(file))
