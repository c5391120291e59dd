"""The program as people start it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any


def start(*words: object, code: str = "", **options: Any) -> subprocess.Popen[str]:
    """The real program (or this code) in a process of its own, that hears Ctrl-C even where this one was started deaf
    to it."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    what = ["-c", code] if code else ["-m", "journeyman"]
    return subprocess.Popen([sys.executable, *what, *map(str, words)], **options)
