"""What models cost, as llm-consumer reads it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from stack.settings import ROOT, SettingError

SHIPPED = ROOT / "services" / "llm-consumer" / "prices.toml"

# What servers add to the name of a model to say which version of it: a date, or `latest`.
_VERSION = re.compile(r"latest|(?=(?:-*\d){4})[\d-]+", re.ASCII)


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens, and when that held."""

    input: Decimal
    output: Decimal
    as_of: str = ""

    def dollars(self, sent: float, received: float) -> float:
        """What so many tokens cost."""
        return (float(self.input) * sent + float(self.output) * received) / 1e6


class Prices:
    """Prices by the name of the model.

    Parameters
    ----------
    models : mapping
        The price of each.
    source : str
        Where they come from.
    """

    def __init__(self, models: Mapping[str, Price], source: str) -> None:
        self._models = models
        self.source = source

    @classmethod
    def load(cls, file: str | None = None) -> "Prices":
        """The prices of a file, or those that come with llm-consumer.

        Raises SettingError for a file that cannot be used.
        """
        path = Path(file) if file else SHIPPED
        try:
            models = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal).get("model", [])
            prices = {model["name"]: _price(model) for model in models}
        except (OSError, ArithmeticError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingError(f"LLM_PRICES={path} cannot be used: {error}") from error
        return cls(prices, file or str(SHIPPED.relative_to(ROOT)))

    @property
    def names(self) -> list[str]:
        """Every model whose price is known."""
        return sorted(self._models)

    def of(self, model: str) -> Price | None:
        """The price of a model, known by its name or by a version of it, such as `gpt-4o-mini-2024-07-18`."""
        ends = [match.start() for match in re.finditer(r"[-:@]", model) if _VERSION.fullmatch(model, match.end())]
        names = [model, *(model[:end] for end in reversed(ends))]
        return next((self._models[name] for name in names if name in self._models), None)


def _price(model: Mapping[str, Any]) -> Price:
    prices = {name: Decimal(model[name]) for name in ("input", "output")}
    for name, price in prices.items():
        if not price.is_finite() or price < 0:
            raise ValueError(f"{model['name']} has {name} = {price}; allowed are dollars per million tokens")
    return Price(**prices, as_of=model.get("as_of", ""))
