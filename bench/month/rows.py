"""The rows of bench/results/month.jsonl: one an arm and night, added whole.

Always holds: a row that is there is never written again; a line that was cut off is not read.

Knows the rows' fields, not what they mean.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent.parent / "results" / "month.jsonl"
NAMED = ("person", "arm", "seed", "night", "nights", "facts", "steps", "rows")

Row = dict[str, Any]


def read(path: Path = RESULT) -> list[Row]:
    found: list[Row] = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def add(path: Path, row: Row) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def name(row: Row) -> tuple[Any, ...]:
    """What a row is of."""
    return tuple(row[each] for each in NAMED)


def slug(arm: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in arm)


def folder(row: Row) -> str:
    """Where an arm keeps its adapters."""
    size = "-".join(str(row[each]) for each in ("nights", "facts", "steps", "rows"))
    return f"{row['person']}-{row['seed']}-{size}-{slug(row['arm'])}"


def said(row: Row) -> str:
    """In a line of text."""
    shares = " ".join(f"{100 * sum(each) / max(1, len(each)):.0f}" for each in row["scores"].values())
    return (
        f"{row['person']}, {row['arm']}, night {row['night']} of {row['nights']}: {shares} "
        f"({row['cpu_seconds']:.0f} CPU-s, of these {row['learning_cpu_seconds']:.0f} to learn)"
    )
