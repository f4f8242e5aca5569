"""Ends a stack whose owner has gone: `python -m stack.guard RUNTIME FOLDER`, with a pipe as its input.

The owner holds the other end of the pipe. When it goes, however it goes, the pipe closes.
"""

import os
import signal
import sys
from pathlib import Path

from stack.runtimes import runtime_of
from stack.settings import Settings

if __name__ == "__main__":
    for interruption in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(interruption, signal.SIG_IGN)
    sys.stdin.read()
    runtime_of(sys.argv[1], Settings(Path(sys.argv[2]), environment=os.environ)).kill_all()
