"""What this machine lacks to build and run Cotejo, and how to get it: `python3.11 -m stack.doctor`.

Plain Python: it runs before any package is installed.
"""

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from stack.runtime import PORT_OF, choose_runtime, is_remembered
from stack.settings import ROOT, Settings, StackError

TOOLS_BYTES = 6 << 30
RUN_BYTES = 1 << 30
MODEL_TIMEOUT_S = 10
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `remedy` is empty where all is well."""

    name: str
    found: str
    remedy: str = ""


def version(*command: str) -> tuple[int, ...] | None:
    """The first version number that a command prints, or None where it does not run."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", result.stdout + result.stderr)
    return tuple(int(number) for number in match.groups("0")) if match else None


def _at_least(name: str, wanted: tuple[int, ...], remedy: str, *command: str) -> Finding:
    found = version(*command)
    text = ".".join(map(str, found)) if found else "not found"
    return Finding(name, text, "" if found and found >= wanted else remedy)


def _present(name: str, remedy: str, is_there: bool) -> Finding:
    return Finding(name, "found" if is_there else "not found", "" if is_there else remedy)


def _command(name: str, package: str) -> Finding:
    return _present(name, f"apt install {package}", shutil.which(name) is not None)


def _library(name: str, package: str) -> Finding:
    known = subprocess.run(["pkg-config", "--exists", name], check=False) if shutil.which("pkg-config") else None
    return _present(f"{name} (headers)", f"apt install pkg-config {package}", bool(known and known.returncode == 0))


def python() -> Iterator[Finding]:
    """What the commands themselves need, on either runtime."""
    yield Finding(
        "Python 3.11",
        ".".join(map(str, sys.version_info[:3])),
        "" if sys.version_info[:2] == (3, 11) else "apt install python3.11, or make PYTHON=/path/to/python3.11",
    )
    has_venv = all(importlib.util.find_spec(module) for module in ("venv", "ensurepip"))
    yield _present("Python venv", "apt install python3.11-venv", has_venv)


def rust() -> Iterator[Finding]:
    """What compiling needs."""
    remedy = "install Rust 1.95 or newer by rustup"
    yield _at_least("cargo >= 1.95", (1, 95), remedy, "cargo", "--version")
    yield _command("gcc", "build-essential")


def tools() -> Iterator[Finding]:
    """What building and running without containers needs."""
    yield from rust()
    java = Path(os.environ["JAVA_HOME"], "bin/java") if "JAVA_HOME" in os.environ else "java"
    yield _at_least("Java >= 17", (17,), "apt install openjdk-17-jdk-headless", str(java), "-version")
    yield _command("mvn", "maven")
    yield _command("make", "build-essential")
    yield _command("pkg-config", "pkg-config")
    yield _library("openssl", "libssl-dev")
    yield _library("zlib", "zlib1g-dev")


def room(settings: Settings) -> Iterator[Finding]:
    """Whether there is a place to build and to run."""
    built = (ROOT / "target/release").exists() and (ROOT / ".tools").exists()
    yield _space("disk for building", ROOT, RUN_BYTES if built else TOOLS_BYTES, "free some space")
    yield writable(settings)
    yield _space("disk for running", settings.run_dir, RUN_BYTES, "free some space, or set COTEJO_RUN_DIR")


def writable(settings: Settings) -> Finding:
    """Whether the run folder can be written."""
    probe = settings.run_dir / ".probe"
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        remedy = f"COTEJO_RUN_DIR={settings.run_dir} must be a folder that can be written"
        return Finding("run folder", f"{error.strerror}", remedy)
    return Finding("run folder", str(settings.run_dir))


def _space(name: str, folder: Path, wanted: int, remedy: str) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB free at {folder}"
    return Finding(name, text, "" if free >= wanted else f"{remedy}: {wanted / (1 << 30):.0f} GiB are needed")


def ports(settings: Settings) -> Iterator[Finding]:
    """Whether the ports of a stack that is not running yet are free."""
    services = {port: service for service, port in PORT_OF.items()}
    for name, first in settings.ports.items():
        if not settings.runs(services.get(name, "")):
            continue
        for port in range(first, first + settings.copies(services.get(name, ""))):
            free = _is_free(port)
            remedy = "" if free else f"free port {port}, or choose another: {name}=…"
            yield Finding(name, f"{port} {'is free' if free else 'is in use'}", remedy)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def model(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Whether the server of a real model takes the key and knows the model; one without a list of models may."""
    if environ.get("LLM_MODE") not in ("openai", "record"):
        return
    base = (environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1").rstrip("/")
    where = urlsplit(base)
    name = f"model at {where.hostname}"
    if where.scheme not in ("http", "https"):
        yield Finding(name, "no URL", "OPENAI_BASE_URL must begin with http:// or https://")
        return
    try:
        headers = _headers(environ)
    except (OSError, ValueError) as error:
        yield Finding(name, str(error), "see to OPENAI_API_KEY, OPENAI_API_KEY_FILE and LLM_EXTRA_HEADERS")
        return
    wanted = [part.strip() for part in (environ.get("LLM_MODELS") or environ.get("OPENAI_MODEL") or "").split(",")]
    yield _look_at_models(name, f"{base}/models", headers, wanted, is_local=where.hostname in LOCAL)


def _headers(environ: Mapping[str, str]) -> dict[str, str]:
    """The key and the further headers, as llm-consumer sends them; raises OSError or ValueError, telling none."""
    headers = {}
    file = environ.get("OPENAI_API_KEY_FILE")
    key = environ.get("OPENAI_API_KEY") or (Path(file).expanduser().read_text().strip() if file else "")
    if not key.isprintable():
        raise ValueError("the key holds a character that no header may have")
    if key:
        headers["Authorization"] = f"Bearer {key}"
    try:
        more = json.loads(environ.get("LLM_EXTRA_HEADERS") or "{}")
        return headers | {str(name): str(value) for name, value in more.items()}
    except (ValueError, AttributeError):
        raise ValueError("LLM_EXTRA_HEADERS is no JSON object") from None


def _look_at_models(name: str, url: str, headers: dict[str, str], wanted: list[str], *, is_local: bool) -> Finding:
    """What a server says that is asked for its models."""
    opener = build_opener(*([ProxyHandler({})] if is_local else []))
    try:
        # It is the user's own address, and a key goes there anyway.
        with opener.open(Request(url, headers=headers), timeout=MODEL_TIMEOUT_S) as reply:  # noqa: S310
            known = {entry.get("id") for entry in json.load(reply)["data"]}
    except HTTPError as error:
        refused = error.code in (401, 403)
        return Finding(
            name, f"HTTP {error.code}", "see to the key: OPENAI_API_KEY, OPENAI_API_KEY_FILE" if refused else ""
        )
    except (OSError, HTTPException) as error:
        return Finding(name, f"{getattr(error, 'reason', error)}", "see to OPENAI_BASE_URL, or start the server")
    except (ValueError, LookupError, TypeError, AttributeError):
        return Finding(name, "answers, without a list of models")
    unknown = [part for part in wanted if part not in known]
    if not unknown:
        return Finding(name, "knows key and model")
    remedy = "see to OPENAI_MODEL or LLM_MODELS; it has " + ", ".join(sorted(map(str, known))[:10])
    return Finding(name, f"does not list {unknown[0]!r}", remedy)


def missing(findings: Iterator[Finding]) -> list[str]:
    """What has to be mended, one line each."""
    return [f"{finding.name}: {finding.found}; {finding.remedy}" for finding in findings if finding.remedy]


def check(*findings: Finding) -> None:
    """Raises StackError where a stack cannot start."""
    if problems := missing(iter(findings)):
        raise StackError("The stack cannot start here:\n  " + "\n  ".join(dict.fromkeys(problems)))


def main() -> None:
    """Prints what was looked at; the exit code is 1 where something has to be mended."""
    settings = Settings.from_environment()
    native = choose_runtime(settings) == "native"
    findings = [*python(), *(tools() if native else ()), *room(settings), *model()]
    if not is_remembered(settings):
        findings += ports(settings)
    for finding in findings:
        print(f"  {'✗' if finding.remedy else '✓'} {finding.name:<24} {finding.found}")
        if finding.remedy:
            print(" " * 29 + finding.remedy)
    sys.exit(1 if missing(iter(findings)) else 0)


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"\n{error}")
