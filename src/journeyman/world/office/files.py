"""Files: what they say, where they lie, and who may read them.

Always holds: a name is used once in a folder; only who owns a file gives others a right to it.

Knows the office's tables and people.
"""

from __future__ import annotations

from typing import Annotated

from journeyman.world.context import Context
from journeyman.world.office.people import Found, PersonId, Text, me
from journeyman.world.office.tables import FILES, SHARES, File, Right, Share
from journeyman.world.outcome import Conflict, Refused
from journeyman.world.tools import read, write

FileId = Annotated[str, FILES]


@read
def list_files(here: Context, folder: str = "") -> list[Found]:
    """Files without their text, of one folder or of all.

    Args:
        folder: the folder's name
    """
    rows = here.find(FILES, folder=folder) if folder else here.each(FILES)
    return [{"id": row.id, "folder": row.folder, "name": row.name, "owner": row.owner} for row in rows]


@read
def read_file(here: Context, file: FileId) -> Found:
    """A file, and with whom it is shared.

    Args:
        file: the file's id, as in D-12
    """
    shared = [{"person": row.person, "right": row.right} for row in here.find(SHARES, file=file)]
    return {**here.get(FILES, file)._asdict(), "shared": shared}


@write
def create_file(here: Context, folder: str, name: str, text: Text) -> Found:
    """Make a file of yours.

    Args:
        folder: where it goes
        name: its name, used once in a folder
        text: what it says
    """
    _unused(here, folder, name)
    file = File(here.new_id("D"), folder.strip(), name.strip(), me(here), text)
    return here.add(FILES, file)._asdict()


@write
def append_to_file(here: Context, file: FileId, line: Text) -> Found:
    """Add a line at the end of a file.

    Args:
        file: the file's id
        line: what is added
    """
    found = here.get(FILES, file)
    return here.put(FILES, found._replace(text=f"{found.text.rstrip()}\n{line}"))._asdict()


@write
def move_file(here: Context, file: FileId, folder: str) -> Found:
    """Move a file into another folder.

    Args:
        file: the file's id
        folder: where it goes
    """
    found = here.get(FILES, file)
    _unused(here, folder, found.name)
    return here.put(FILES, found._replace(folder=folder.strip()))._asdict()


@write
def share_file(here: Context, file: FileId, person: PersonId, right: Right = "read") -> Found:
    """Give somebody a right to a file of yours.

    Args:
        file: the file's id
        person: the person's id
        right: what they may do
    """
    _check_mine(here, file)
    return here.put(SHARES, Share(f"{file}:{person}", file, person, right))._asdict()


@write
def unshare_file(here: Context, file: FileId, person: PersonId) -> Found:
    """Take a person's right to a file of yours away.

    Args:
        file: the file's id
        person: the person's id
    """
    _check_mine(here, file)
    here.remove(SHARES, f"{file}:{person}")
    return {"file": file, "person": person, "right": None}


def _check_mine(here: Context, file: str) -> None:
    if here.get(FILES, file).owner != me(here):
        raise Refused(f"{file} belongs to somebody else")


def _unused(here: Context, folder: str, name: str) -> None:
    if any(row.name == name.strip() for row in here.find(FILES, folder=folder.strip())):
        raise Conflict(f"{folder} has a file {name!r} already")
