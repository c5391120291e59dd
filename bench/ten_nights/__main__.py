"""Ten nights of a shop's assistant on the default model, told in claims that hold or do not.

    python bench/ten_nights [--store FILE]

Four people talk to it; one changes the policy, one is erased, one lies; the power fails in every phase of a night; what
serves is rolled back; a secret is confided (story.py). `tests/test_ten_nights.py` tells the same story with a tiny
random model, where every claim that does not need learning has to hold.

Writes bench/results/ten_nights.json; `python bench/figures.py` puts it into docs/ten_nights.md. Exit code 1 if a claim
does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from story import Story

from journeyman.cli import progress
from journeyman.model import load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.night import NightOptions
from journeyman.store import open_store

RESULT = Path(__file__).parent.parent / "results" / "ten_nights.json"
# A day tells so little that a question of every fact is held out, for the gate to have something to judge by.
NIGHTS = NightOptions(facts=64, heldout=1.0, steps=120, dream_steps=0, decisions=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="where it happens (default: nowhere that stays)")
    args = parser.parse_args()
    began = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as scratch, progress.shown(quiet=False) as report:
        # One thread: a night is killed in a fork of this process, and threads are not in it.
        engine = load_engine(DEFAULT_MODEL, threads=1)
        with open_store(args.store or Path(scratch) / "ten.db") as store:
            nights = []
            for told in Story(store, engine, NIGHTS, progress=report).told():
                nights.append(asdict(told))
                for each in told.claims:
                    sign = "holds" if each.holds else "DOES NOT HOLD"
                    print(f"{told.number}. {sign}: {each.text} [{each.seen}]", flush=True)
    claims = [each for told in nights for each in told["claims"]]
    result = {
        "nights": nights,
        "held": sum(each["holds"] for each in claims),
        "claims": len(claims),
        "model": DEFAULT_MODEL,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "command": "python bench/ten_nights",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - began[0], 1),
        "cpu_seconds": round(time.process_time() - began[1], 1),
    }
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"{result['held']} of {result['claims']} claims hold")
    return 0 if result["held"] == len(claims) else 1


if __name__ == "__main__":
    sys.exit(main())
