"""Ends a stack whose owner has gone: `python -m stack.guard FOLDER`, with a pipe as its input.

The owner holds the other end of the pipe. When it goes, however it goes, the pipe closes.
"""

import signal
import sys
from pathlib import Path

from stack.native import NativeRuntime
from stack.settings import Settings

if __name__ == "__main__":
    for interruption in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(interruption, signal.SIG_IGN)
    sys.stdin.read()
    NativeRuntime(Settings(Path(sys.argv[1]))).kill_all()
