"""Does an adapter cost general ability? The same public items, answered by the base with and without it.

    python bench/retention.py --data DIR --adapter DIR [--model MODEL] [--cache DIR]

DIR of the data holds arc_easy, blimp, lambada, piqa and wikidata as JSONL; `bench/public_suites.py`
knows their formats and how each is scored. All zero-shot, on raw text. Writes
bench/results/retention_TAG.json and prints a table.

Always holds: differences are paired item by item; base results come from the cache only for the same model,
the same items and the same scoring.

Does not know: whether the adapter learned anything, or whether it has seen these items.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import public_suites

from journeyman.errors import JourneymanError, UsageError
from journeyman.evaluate.general import Item, run_suite
from journeyman.evaluate.statistics import PairedDifference, noninferiority, paired_difference
from journeyman.model import Engine, load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.records import content_hash

SUITES = ("arc_easy", "blimp", "lambada", "piqa", "wikidata")
RESULTS = Path(__file__).parent / "results"
SUITE_MARGIN, POOLED_MARGIN = 0.05, 0.02
SCORING = 1  # raise it when a change in scoring makes cached base results wrong


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        suites = load_suites(options.data, options.limit)
        engine = load_engine(options.model, threads=options.threads)
        adapter = engine.load_adapter(options.adapter)
        started = time.monotonic()
        before, after = {}, {}
        for name, items in suites.items():
            before[name] = base_answers(engine, items, options.cache)
            after[name] = run_suite(engine, items, adapter).correct
            print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    except JourneymanError as error:
        print(f"error: {error.message}\ntry: {error.remedy}", file=sys.stderr)
        return error.exit_code
    tag = options.tag or re.sub(r"[^\w.-]+", "-", options.adapter.resolve().name)
    result = {
        **compare(before, after),
        "tag": tag,
        "model": options.model,
        "fingerprint": engine.fingerprint,
        "adapter": options.adapter.name,
        "seconds": round(time.monotonic() - started, 1),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "command": f"python bench/retention.py --data {options.data.name} --adapter {options.adapter.name}"
        + f" --tag {tag} --model {options.model}"
        + (f" --limit {options.limit}" if options.limit else ""),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"retention_{tag}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))
    print(f"written to {path}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with " + ", ".join(SUITES))
    parser.add_argument("--adapter", type=Path, required=True, help="folder in PEFT format")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name or folder of the base model")
    parser.add_argument("--cache", type=Path, help="folder for base results that several adapters share")
    parser.add_argument("--tag", help="name of the result file (default: the adapter's folder)")
    parser.add_argument("--limit", type=int, help="only the first LIMIT items of each suite")
    parser.add_argument("--threads", type=int, help="CPU threads")
    return parser.parse_args(arguments)


def load_suites(folder: Path, limit: int | None = None) -> dict[str, list[Item]]:
    missing = [name for name in SUITES if not (folder / f"{name}.jsonl").is_file()]
    if missing:
        raise UsageError(
            f"{folder} lacks {', '.join(f'{name}.jsonl' for name in missing)}",
            "pass the folder of the retention suites with --data; they are not part of this project",
        )
    return {name: public_suites.load(folder / f"{name}.jsonl")[:limit] for name in SUITES}


def base_answers(engine: Engine, items: Sequence[Item], folder: Path | None) -> list[bool]:
    """Which items the base gets right, from the cache in `folder` where it has them."""
    if folder is None:
        return run_suite(engine, items, None).correct
    texts = [[item.prompt, item.choices, item.gold, item.chat] for item in items]
    path = folder / f"{content_hash([engine.fingerprint, SCORING, texts], 32)}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    found = run_suite(engine, items, None).correct
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")  # another run may read at any time
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(path)
    return found


def compare(before: Mapping[str, list[bool]], after: Mapping[str, list[bool]]) -> dict[str, Any]:
    """Each suite on its own, and all items pooled."""
    rows = {name: _row(before[name], after[name], SUITE_MARGIN) for name in before}
    first, second = ([right for name in before for right in side[name]] for side in (before, after))
    return {"suites": rows, "pooled": _row(first, second, POOLED_MARGIN)}


def _row(before: list[bool], after: list[bool], margin: float) -> dict[str, Any]:
    found: PairedDifference = paired_difference(before, after)
    return {
        **found.to_json(),
        "drop": (found.losses - found.wins) / max(1, found.n),
        "drop_interval": [-found.interval[1], -found.interval[0]],
        "margin": margin,
        "noninferiority_p": noninferiority(before, after, margin),
    }


def table(result: Mapping[str, Any]) -> str:
    lines = ["suite      items    base  adapter  points   95 % interval   p(loss >= margin)"]
    for name, row in {**result["suites"], "pooled": result["pooled"]}.items():
        low, high = (100 * bound for bound in row["interval"])
        lines.append(
            f"{name:<10}{row['n']:>6}{row['before']:>8.3f}{row['after']:>9.3f}"
            f"{100 * row['difference']:>+8.1f}   {f'{low:+.1f} to {high:+.1f}':<16}"
            f"{row['noninferiority_p']:.4f} (margin {100 * row['margin']:g})"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
