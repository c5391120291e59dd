"""Files of items: one JSON object a line.

Always holds: the first line that is no JSON object, and a file without any, is an error that names the file
and the line. An evaluation that skips what it cannot read would compare different items from one day to the
next.

Knows nothing of what the objects mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from journeyman.capture.jsonvalues import NotJson, json_values
from journeyman.errors import InputError, UsageError

Line = tuple[str, int, dict[str, Any]]  # where ("FILE, line 3"), the line's number, its object


def read_objects(path: str | Path) -> list[Line]:
    try:
        return list(_objects(Path(path)))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {path}: {reason}", "check the path and its permissions") from error


def _objects(path: Path) -> Iterator[Line]:
    found = False
    with path.open("rb") as file:
        for number, value in json_values(file):
            where = f"{path}, line {number}"
            if isinstance(value, NotJson):
                raise InputError(f"{where}: {value.reason}", "write one JSON object on each line")
            if not isinstance(value, dict):
                raise InputError(f"{where}: this is no JSON object", "write one JSON object on each line")
            found = True
            yield where, number, value
    if not found:
        raise InputError(f"{path} holds no items", "write one JSON object on each line")
