"""The state of the machine: without it, a figure cannot be put beside another."""

import hashlib
import time
from dataclasses import dataclass

import psutil

REFERENCE_BYTES = 64 << 20


@dataclass(frozen=True)
class Machine:
    """How the machine was while something was measured.

    `reference_ms` is what hashing 64 MiB took just before, `steal_percent` the share of its CPU time that a host gave
    to others meanwhile, and `busy_percent` the share in which it worked.
    """

    reference_ms: float
    steal_percent: float
    busy_percent: float


class Watch:
    """Watches the machine from its making to `look`."""

    def __init__(self) -> None:
        self._reference_ms = _reference_ms()
        self._before = psutil.cpu_times()

    def look(self) -> Machine:
        """The machine since then."""
        now = psutil.cpu_times()
        spent = {name: getattr(now, name) - getattr(self._before, name) for name in now._fields}
        # What guests took is in the users' time already.
        total = sum(seconds for name, seconds in spent.items() if not name.startswith("guest"))
        idle = spent["idle"] + spent.get("iowait", 0)
        steal = spent.get("steal", 0)
        return Machine(
            self._reference_ms, round(100 * steal / total, 1), round(100 * (total - idle - steal) / total, 1)
        )


def _reference_ms() -> float:
    data = bytes(REFERENCE_BYTES)
    started = time.perf_counter()
    hashlib.sha256(data).digest()
    return round(1000 * (time.perf_counter() - started), 1)
