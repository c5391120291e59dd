"""A week on the job, as `journeyman week` lives it: who is served right, by day, and what it costs.

    python bench/week.py [--days N] [--customers N] [--seed N] [--store FILE] [--threads N]

Goes on where it was stopped, with the same --store. Writes bench/results/week.json: the week's result with customers'
screens left out, except for the first of each day.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from journeyman.cli import progress
from journeyman.model import load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.week.days import week

RESULT = Path(__file__).parent / "results" / "week.json"
SHOWN = 6  # customers of each day that are written down


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--customers", type=int, default=36)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", default="bench-week.db")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    with progress.shown(quiet=False) as report:
        engine = load_engine(DEFAULT_MODEL, threads=args.threads)
        result = week(args.store, days=args.days, count=args.customers, seed=args.seed, engine=engine, progress=report)
    for day in result["days"]:
        day["kinds"] = {
            kind: {
                who: [sum(found), len(found)]
                for who in day["items"][0]["right"]
                if (found := [item["right"][who] for item in day["items"] if item["kind"] == kind])
            }
            for kind in dict.fromkeys(item["kind"] for item in day["items"])
        }
        day["items"] = day["items"][:SHOWN]
        day["night"].pop("report", None)
    result |= {"command": " ".join(["python", "bench/week.py", *sys.argv[1:]]), "load": os.getloadavg()[0]}
    for name in ("page", "store"):
        del result[name]
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
