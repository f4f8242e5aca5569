"""Lines of progress, one a step: redrawn in place on a terminal, plain elsewhere."""

import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
REMIND_AFTER_S = 20.0


@dataclass
class _Step:
    name: str
    started: float = field(default_factory=time.monotonic)
    took: float | None = None
    mark: str = ""
    note: str = ""
    reminded: float = field(default_factory=time.monotonic)


class Steps:
    """Shows steps that run side by side; use it as a context, and `tick` it often."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._steps: dict[str, _Step] = {}
        self._drawn = 0

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_: object) -> None:
        self.tick()

    def begin(self, name: str) -> None:
        """A step starts."""
        if name not in self._steps:
            self._steps[name] = _Step(name)
            self._say(f"  … {name}")

    def note(self, name: str, text: str) -> None:
        """What a step is doing now; a plain log hears of it only now and then."""
        step = self._steps[name]
        step.note = text
        if time.monotonic() - step.reminded > REMIND_AFTER_S:
            step.reminded = time.monotonic()
            self._say(f"  … {name}: {time.monotonic() - step.started:.0f} s: {text}")

    def done(self, name: str, note: str = "") -> None:
        """A step ended well."""
        self._end(name, "✓", note)

    def failed(self, name: str, note: str = "") -> None:
        """A step ended badly."""
        self._end(name, "✗", note)

    def is_begun(self, name: str) -> bool:
        """Whether there is such a step."""
        return name in self._steps

    def tick(self) -> None:
        """Redraws the lines where they can be redrawn."""
        if not self._live:
            return
        width = shutil.get_terminal_size().columns
        now = time.monotonic()
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        lines = [f"\x1b[2K{_line(step, now)[:width]}\n" for step in self._steps.values()]
        self._out.write(up + "".join(lines))
        self._out.flush()
        self._drawn = len(lines)

    def _end(self, name: str, mark: str, note: str) -> None:
        self.begin(name)
        step = self._steps[name]
        if step.took is None:
            step.took, step.mark, step.note = time.monotonic() - step.started, mark, note
            self._say(_line(step, 0))

    def _say(self, line: str) -> None:
        if not self._live:
            print(line.rstrip(), file=self._out, flush=True)


def _line(step: _Step, now: float) -> str:
    elapsed = now - step.started if step.took is None else step.took
    mark = step.mark or SPINNER[int(now * 10) % len(SPINNER)]
    return f"  {mark} {step.name:<18}{elapsed:6.1f} s  {step.note}"
