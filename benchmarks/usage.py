"""What the processes of a stack consume: CPU seconds and memory, by part."""

from dataclasses import dataclass

import psutil

from stack.api import Stack


@dataclass(frozen=True)
class Usage:
    """CPU seconds so far, and resident memory in MiB, of a part with all that it started."""

    cpu_s: float = 0.0
    memory_mib: float = 0.0


def usage(stack: Stack) -> dict[str, Usage]:
    """The usage of every part that runs."""
    return {part.name: _of_tree(part.pid) for part in stack.runtime.parts() if part.running and part.pid}


def _of_tree(pid: int) -> Usage:
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
        times = [process.cpu_times() for process in processes]
        memory = sum(process.memory_info().rss for process in processes)
    except psutil.NoSuchProcess:
        return Usage()
    return Usage(sum(time.user + time.system for time in times), memory / (1 << 20))
