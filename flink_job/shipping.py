"""The Rust module `cotejo_native` (its sources are in `native/`), on its way to where the job runs.

It travels as bytes with the job's functions, and is loaded under a name that tells its build: Python never loads a
module anew, and a TaskManager outlives many jobs.
"""

import hashlib
import sys
import zlib
from dataclasses import dataclass
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cotejo_native import Judge

MODULE = "cotejo_native"


@dataclass(frozen=True)
class Build:
    """One build of the module."""

    hash: str
    """Names it: equal for equal bytes."""
    compressed: bytes
    """The shared library, packed."""

    @classmethod
    def of(cls, library: bytes) -> "Build":
        """The build that a shared library is."""
        return cls(hashlib.sha256(library).hexdigest()[:16], zlib.compress(library))

    @classmethod
    def installed(cls) -> "Build":
        """The build that this Python has.

        Raises
        ------
        FileNotFoundError
            It has none.
        """
        found = find_spec(f"{MODULE}.{MODULE}") if find_spec(MODULE) else None
        if found is None or found.origin is None:
            raise FileNotFoundError(f"{sys.executable} has no {MODULE}: `make setup` builds it")
        return cls.of(Path(found.origin).read_bytes())

    def library(self) -> bytes:
        """The shared library."""
        return zlib.decompress(self.compressed)

    def load(self) -> ModuleType:
        """The module of this build; loaded once in a process, however often it is asked for and by whom."""
        name = f"cotejo_{self.hash}"
        package = sys.modules.setdefault(name, ModuleType(name))
        # Tasks open side by side. A lock of this module's own would be another one in each of them.
        with vars(package).setdefault("lock", Lock()):
            if MODULE not in vars(package):
                setattr(package, MODULE, self._load(f"{name}.{MODULE}"))
        module: ModuleType = getattr(package, MODULE)
        return module

    def _load(self, name: str) -> ModuleType:
        # What is loaded stays so when its file is gone.
        with NamedTemporaryFile(prefix=f"{name}-", suffix=".so") as file:
            file.write(self.library())
            file.flush()
            spec = spec_from_file_location(name, file.name)
            if spec is None or spec.loader is None:
                raise ImportError(f"{file.name} is no module of Python")
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
        return module


@dataclass(frozen=True)
class JudgeToBe:
    """All that a `Judge` is made of; one of Rust cannot travel."""

    build: Build
    artefact: bytes
    """The scoring artefact, compressed."""
    threshold: float
    """The score, in [0, 1], from which an answer is accepted."""
    max_attempts: int
    """How many times a model may be asked."""

    def make(self) -> "Judge":
        """The judge. Those of one artefact share it, in one process."""
        artefact = zlib.decompress(self.artefact).decode()
        judge: Judge = self.build.load().Judge(artefact, self.threshold, self.max_attempts)
        return judge
