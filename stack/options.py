"""What a command is told on its command line, as NAME=value."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from stack.settings import SettingError

Value = TypeVar("Value")


def options(arguments: argparse.Namespace, allowed: Sequence[str]) -> Mapping[str, str]:
    """What a command is told, by name.

    Raises SettingError for a name that it does not know.
    """
    given = dict(option.partition("=")[::2] for option in arguments.options)
    if unknown := [name for name in given if name not in allowed]:
        raise SettingError(f"{unknown[0]} is unknown; allowed are {', '.join(allowed)}")
    return given


def bounded(name: str, text: str, kind: Callable[[str], Value], low: float, high: float) -> Value:
    """A number within bounds.

    Raises SettingError for what is none.
    """
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= float(str(value)) <= high:
        raise SettingError(f"{name}={text} cannot be used; allowed is a number from {low} to {high}")
    return value
