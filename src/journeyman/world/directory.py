"""Files of one directory that change together: all of them are new, or none is, whenever the writer is stopped.

    with replacing(Path("world"), gone=("imitated.json",)) as new:
        new("tasks.jsonl").write_text(text)          # beside the old one, until the block ends well
    settled(Path("world"))                           # a reader's first step: what had begun is brought to its end

What is new lies beside what is there. Then one list of it is written, as a whole; from there on the change is certain,
and whoever comes next finishes it if the writer could not.

Always holds: before the list is there nothing has changed; after it nothing of the old is read any more. One writer at
a time; readers may come at any time.

Knows files; nothing of what is in them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_LIST = ".replacing.json"


@contextmanager
def replacing(directory: Path, gone: Sequence[str] = ()) -> Iterator[Callable[[str], Path]]:
    """Gives the path to write a file's new text to, by its name. `gone`: names of files that are to be no more, where
    nothing is written for them. OSError if it cannot be done; the old files are there then."""
    directory.mkdir(parents=True, exist_ok=True)
    settled(directory)
    names: list[str] = []

    def new(name: str) -> Path:
        names.append(name)
        return _beside(directory, name)

    try:
        yield new
        for name in names:
            flushed(_beside(directory, name))
        partial = directory / f"{_LIST}.{os.getpid()}"
        partial.write_text(json.dumps({"new": names, "gone": [each for each in gone if each not in names]}))
        flushed(partial)
        partial.replace(directory / _LIST)
    except BaseException:
        left = [*(_beside(directory, name) for name in names), directory / f"{_LIST}.{os.getpid()}"]
        for path in () if (directory / _LIST).exists() else left:  # what is listed is certain
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    settled(directory)


def settled(directory: Path) -> None:
    """Finish a change that had begun. OSError if it cannot be finished."""
    listed = directory / _LIST
    try:
        found = json.loads(listed.read_text())
    except FileNotFoundError:
        return
    for name in found["new"]:
        with suppress(FileNotFoundError):  # it was done already
            _beside(directory, name).replace(directory / name)
    for name in found["gone"]:
        (directory / name).unlink(missing_ok=True)
    with suppress(OSError):  # what was renamed is on the disk before the list is gone
        flushed(directory)
    listed.unlink(missing_ok=True)


def _beside(directory: Path, name: str) -> Path:
    return directory / f".new-{name}"


def flushed(path: Path) -> None:
    """See to it that a file, or a directory's list of files, is on the disk. OSError if it cannot be."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
