"""Files of recorded conversations, read and imported.

Each JSON value of a file is a conversation, or a list of conversations (`messages` knows the shapes), or what another
program has logged of calls to a model (`logs` knows the formats).

Always holds: a file is read once, from start to end; every conversation that cannot be kept is a Refusal with
its line and the reason, and stops nothing; what can be kept is kept in one transaction, of all files; importing a file
again adds nothing.

Knows nothing of what a store is made of.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from journeyman.capture.jsonvalues import NotJson, json_values
from journeyman.capture.logs import Format, Logs
from journeyman.capture.logs.calls import Place
from journeyman.capture.logs.tables import is_table, rows
from journeyman.capture.messages import UnreadableError, receipts, session_from
from journeyman.errors import UsageError
from journeyman.records import Session
from journeyman.store import Store

_HEADER = 4096  # bytes, in which a table's header ends


@dataclass(frozen=True)
class Refusal:
    """A conversation that was not read: the line it starts on, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class FileReport:
    """What one file held. `receipts`: of the answers in those sessions (by their place) that our own export wrote."""

    path: str
    sessions: list[Session] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    receipts: dict[int, tuple[str, ...]] = field(default_factory=dict)


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


def import_files(
    store: Store, paths: Iterable[str | Path], format: Format = "auto", tenant: str = ""
) -> list[ImportReport]:
    """Read all and keep it as the tenant's in one transaction; nothing is kept if one of them is not there."""
    found = read_files(paths, format)
    captured = {name for _, name in store.captured_sessions(tenant)}

    def others(report: FileReport) -> list[Session]:
        """Without those that the store has as it captured them: this is its own export."""
        return [
            replace(each, tenant=tenant)
            for place, each in enumerate(report.sessions)
            if not (
                each.key in captured
                and (named := set(report.receipts.get(place, ())))
                and len(store.exchanges(tenant=tenant, session=each.key, receipts=named)) == len(named)
            )
        ]

    given = [others(report) for report in found]
    added = iter(store.add_sessions(each for sessions in given for each in sessions))
    reports = []
    for report, sessions in zip(found, given, strict=True):
        new = sum(next(added) for _ in sessions)
        read = len(report.sessions)
        reports.append(ImportReport(report.path, read, new, read - new, report.refused))
    return reports


def check_files(paths: Iterable[str | Path]) -> list[Path]:
    """The paths, if there are such files; UsageError for the first that is not."""
    found = [Path(path) for path in paths]
    for path in found:
        _check(path)
    return found


def read_sessions(path: str | Path) -> FileReport:
    return read_files([path])[0]


def read_files(paths: Iterable[str | Path], format: Format = "auto") -> list[FileReport]:
    """What each file holds. A call that is in pieces in several of them counts to the file with its answer's span,
    completion or request."""
    paths = check_files(paths)
    reports = [FileReport(str(path)) for path in paths]
    logs = Logs(format)
    for number, (path, report) in enumerate(zip(paths, reports, strict=True)):
        try:
            with path.open("rb") as file:
                table = format in ("auto", "langfuse") and is_table(file.peek(_HEADER)[:_HEADER])
                for line, value in rows(file) if table else json_values(file):
                    _sort(value, Place(number, line), report, logs)
        except OSError as error:
            raise _unusable(path, error) from error
    sessions, refused = logs.sessions()
    for place, session in sessions:
        reports[place.file].sessions.append(session)
    for place, reason in refused:
        reports[place.file].refused.append(Refusal(place.line, reason))
    for report in reports:
        report.refused.sort(key=lambda refusal: refusal.line)
    return reports


def _sort(value: object, place: Place, report: FileReport, logs: Logs) -> None:
    if isinstance(value, NotJson):
        report.refused.append(Refusal(place.line, value.reason))
        return
    conversations = value if _is_list_of_conversations(value) else [value]
    for number, conversation in enumerate(conversations, 1):
        where = f"conversation {number}: " if len(conversations) > 1 else ""
        try:
            if not logs.take(conversation, place):
                report.sessions.append(session_from(conversation))
                if given := receipts(conversation):
                    report.receipts[len(report.sessions) - 1] = given
        except UnreadableError as why:
            report.refused.append(Refusal(place.line, f"{where}{why}"))


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
