"""Files beside the store: written whole, and removed whole.

Always holds: who looks finds the file or the directory as it was or as it is to be, never a part.

Knows nothing of what is in them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put `text` at `path` in one rename: a reader finds the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def remove_whole(directory: Path) -> None:
    """Take a directory away under a name that nobody looks for (`.new-`: what is swept), and then remove it."""
    gone = directory.with_name(f".new-{directory.name}")
    if directory.exists():
        shutil.rmtree(gone, ignore_errors=True)
        directory.rename(gone)
    if gone.exists():
        shutil.rmtree(gone)
