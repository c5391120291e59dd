"""Public suites as they come: an item in which two choices are the same cannot be answered, and is left out.

Knows files of items; `evaluate.general` reads them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from journeyman.evaluate.general import Item, load_suite


def load(path: Path) -> list[Item]:
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.strip() and _answerable(line)]
    with tempfile.TemporaryDirectory() as scratch:
        (file := Path(scratch) / path.name).write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        return load_suite(file)


def _answerable(line: str) -> bool:
    choices = json.loads(line).get("choices") or []
    return len(set(choices)) == len(choices)
