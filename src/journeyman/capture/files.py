"""Files of recorded conversations, read and imported.

Each JSON value of a file is a conversation, or a list of conversations (`messages` knows the shapes).

Always holds: a file is read once, from start to end; every conversation that cannot be kept is a Refusal with
its line and the reason, and stops nothing; importing a file again adds nothing.

Knows nothing of what a store is made of.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from journeyman.capture.jsonvalues import NotJson, json_values
from journeyman.capture.messages import UnreadableError, session_from
from journeyman.errors import UsageError
from journeyman.records import Session
from journeyman.store import Store


@dataclass(frozen=True)
class Refusal:
    """A conversation that was not read: the line it starts on, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class FileReport:
    """What one file held."""

    path: str
    sessions: list[Session] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True)
class ImportReport:
    """What one file gave a store: of `read` sessions, `new` were not there yet and `already` were."""

    path: str
    read: int
    new: int
    already: int
    refused: list[Refusal]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def import_files(store: Store, paths: Iterable[str | Path], tenant: str = "") -> list[ImportReport]:
    """Read and keep as the tenant's, one file after the other; nothing is kept if one of them is not there."""
    paths = check_files(paths)
    reports = []
    for path in paths:
        found = read_sessions(path)
        added = store.add_sessions(replace(session, tenant=tenant) for session in found.sessions)
        new = sum(added)
        reports.append(ImportReport(str(path), len(added), new, len(added) - new, found.refused))
    return reports


def check_files(paths: Iterable[str | Path]) -> list[Path]:
    """The paths, if there are such files; UsageError for the first that is not."""
    found = [Path(path) for path in paths]
    for path in found:
        _check(path)
    return found


def read_sessions(path: str | Path) -> FileReport:
    path = Path(path)
    _check(path)
    report = FileReport(str(path))
    try:
        with path.open("rb") as file:
            for line, value in json_values(file):
                _sort(value, line, report)
    except OSError as error:
        raise _unusable(path, error) from error
    return report


def _sort(value: object, line: int, report: FileReport) -> None:
    if isinstance(value, NotJson):
        report.refused.append(Refusal(line, value.reason))
        return
    conversations = value if _is_list_of_conversations(value) else [value]
    for number, conversation in enumerate(conversations, 1):
        where = f"conversation {number}: " if len(conversations) > 1 else ""
        try:
            report.sessions.append(session_from(conversation))
        except UnreadableError as why:
            report.refused.append(Refusal(line, f"{where}{why}"))


def _is_list_of_conversations(value: object) -> TypeGuard[list[object]]:
    # A list that begins with a message is one conversation; so is an empty one.
    return isinstance(value, list) and bool(value) and not (isinstance(value[0], dict) and "role" in value[0])


def _check(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise _unusable(path, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is a folder, not a file", f"name the files in it: {path}/*.jsonl")


def _unusable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot read {path}: {error.strerror or error}", "give files that exist and that this user may read"
    )
