"""How a command ends when it cannot go on.

Always holds: whatever was raised, a person reads `error:` and `try:`, and a program that asked for JSON finds one
object on stdout; a traceback is printed for a defect of ours alone, and only under JOURNEYMAN_DEBUG=1.

Does not know which command was running.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import traceback
from contextlib import suppress

from journeyman.errors import Interrupted, JourneymanError, MissingExtraError, StoreError, TrainingError

DEBUG = "JOURNEYMAN_DEBUG"
# What the extra "train" brings; some of them need others of them only when a model is loaded.
TRAIN_MODULES = "torch|transformers|peft|safetensors|numpy|gguf|sentencepiece|tokenizers|huggingface_hub|accelerate"
_EXTRAS = {
    "train": re.compile(rf"\b({TRAIN_MODULES})\b", re.IGNORECASE),
    "serve": re.compile(r"\b(aiohttp|uvicorn|httptools|uvloop)\b", re.IGNORECASE),
    "erase": re.compile(r"\b(cryptography)\b", re.IGNORECASE),
    "postgres": re.compile(r"\b(psycopg)\b", re.IGNORECASE),
    "mcp": re.compile(r"\b(mcp)\b"),
}
_NO_MEMORY = re.compile(r"can't allocate memory|out of memory", re.IGNORECASE)


def understood(error: BaseException) -> JourneymanError | None:
    """The same failure as an error that a user can act on; None if it is a defect."""
    if isinstance(error, JourneymanError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted(
            "stopped on request: everything that was committed stays",
            "run the same command again: a night continues after what was committed",
        )
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        return TrainingError(
            "there is not enough memory for this", "close other programs, or use a smaller model or fewer --steps"
        )
    if isinstance(error, ImportError):
        for extra, modules in _EXTRAS.items():
            if found := modules.search(error.name or str(error)):
                return MissingExtraError(
                    f"this needs {found[1].lower()}, which is not installed", f'pip install "journeyman[{extra}]"'
                )
    if isinstance(error, OSError):
        return _understood_os_error(error)
    return None


def _understood_os_error(error: OSError) -> JourneymanError | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" for {error.filename}" if error.filename else ""
        return StoreError(
            f"there is no space left on the disk{place}",
            "free some space and run the same command again: what was committed is kept",
        )
    if error.filename and error.strerror:
        return JourneymanError(
            f"cannot use {error.filename}: {error.strerror.lower()}", "check the path and its permissions"
        )
    return None


def explained(error: BaseException) -> JourneymanError:
    """The same failure as an error for a user, whatever it was."""
    if known := understood(error):
        return known
    if os.environ.get(DEBUG) == "1":
        traceback.print_exception(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return JourneymanError(
        f"this is a defect of Journeyman ({what})", f"report it, with what the same command prints under {DEBUG}=1"
    )


def report(error: BaseException, as_json: bool) -> int:
    """Tell the user; the exit code."""
    known = explained(error)
    with suppress(OSError):
        print(f"error: {known.message}\ntry: {known.remedy}", file=sys.stderr, flush=True)
    if as_json:
        with suppress(OSError):
            print(json.dumps({"error": known.message, "remedy": known.remedy}))
    return finish(known.exit_code)


def finish(code: int) -> int:
    """`code`, after making sure that nothing is left to be written, and to fail, when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # a replaced stdout may have no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code
