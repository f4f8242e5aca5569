"""A table of a TOML file, with words for whatever in it cannot be used."""

from collections.abc import Iterable, Iterator
from typing import Any

from stack.settings import SettingError


class Table:
    """A table from which every key has to be taken.

    Every method raises SettingError with the key, its value, and what is allowed.
    """

    def __init__(self, name: str, said: object) -> None:
        self._name = name
        if not isinstance(said, dict):
            raise SettingError(f"{name}={said} cannot be used; allowed is a table")
        self._said: dict[str, Any] = said
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._taken.add(key)
        return key in self._said

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)

    def path(self, key: str) -> str:
        """How messages name a key."""
        return f"{self._name}.{key}" if self._name else key

    def value(self, key: str) -> Any:  # noqa: ANN401 - whatever TOML has
        """Whatever a key has."""
        if key not in self:
            raise SettingError(f"{self.path(key)} is missing")
        return self._said[key]

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self.value(key)
        if not isinstance(value, str) or not value:
            raise SettingError(f"{self.path(key)}={value} cannot be used; allowed is a text")
        return value

    def number(self, key: str, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.value(key)
        if type(value) is not int or not low <= value <= high:
            raise SettingError(f"{self.path(key)}={value} cannot be used; allowed is a whole number, {low} to {high}")
        return value

    def numbers(self, key: str, low: int, high: int) -> list[int]:
        """Different whole numbers within bounds, at least one."""
        values = self.list(key)
        is_right = all(type(value) is int and low <= value <= high for value in values)
        if not values or not is_right or len(set(values)) < len(values):
            allowed = f"different whole numbers, {low} to {high}"
            raise SettingError(f"{self.path(key)}={values} cannot be used; allowed are {allowed}")
        return values

    def list(self, key: str) -> list[Any]:
        """A list; an empty one only where the key is missing."""
        value = self.value(key) if key in self else []
        if not isinstance(value, list) or (not value and key in self._said):
            raise SettingError(f"{self.path(key)}={value} cannot be used; allowed is a list of values")
        return value

    def table(self, key: str) -> "Table":
        """A table within this one."""
        return Table(self.path(key), self.value(key))

    def chosen(self, key: str, value: str, allowed: Iterable[str]) -> str:
        """One of those that are allowed."""
        if value not in allowed:
            raise SettingError(f"{self.path(key)}={value} cannot be used; allowed are {', '.join(allowed)}")
        return value

    def end(self) -> None:
        """Raises SettingError for a key that nobody has asked for."""
        if unknown := [key for key in self._said if key not in self._taken]:
            allowed = ", ".join(sorted(self._taken)) or "none"
            raise SettingError(f"{self.path(unknown[0])} is unknown; allowed are {allowed}")
