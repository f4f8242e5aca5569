"""The two runtimes, by their names."""

from stack.compose import ComposeRuntime
from stack.native import NativeRuntime
from stack.runtime import Runtime
from stack.settings import Settings


def runtime_of(name: str, settings: Settings) -> Runtime:
    """The runtime of that name, for one stack."""
    return ComposeRuntime(settings) if name == "compose" else NativeRuntime(settings)
