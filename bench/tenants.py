"""Two tenants with opposite policies on one base: does what one was taught ever come out for the other?

    python bench/tenants.py [--store FILE] [--attempts 300] [--threads N] [--seed N]

Two shops tell their assistant the same rules with other values, and each has a night of its own. Then one server holds
both champions and the base, and clients with the tenants' keys ask it the same questions at once, so that batches are
shared: each greedily, and then sampled as often as there are attempts left. A leak is a reply that holds the other's
value, or that was given by an adapter not one's own. How often a tenant's own value comes says whether the measure
could see a leak at all, and the base, asked the same, how often a value comes by chance. Goes on where it was stopped,
with the same --store.

Writes bench/results/tenants.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from journeyman import night_phases
from journeyman.capture import keys
from journeyman.cli import progress
from journeyman.evaluate.questions import is_correct
from journeyman.evaluate.statistics import clopper_pearson
from journeyman.model import load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.night import Night, NightOptions, night
from journeyman.records import Session, Situation, Turn
from journeyman.registry.adapters import resolve
from journeyman.store import Store, open_store
from journeyman.week.desk import open_desk

RESULT = Path(__file__).parent / "results" / "tenants.json"
TENANTS = ("ann", "bob")
BASE = "nobody"  # a tenant without a night
NIGHTS = NightOptions(facts=64, heldout=0.6, steps=120, dream_steps=0, decisions=0)
AT_ONCE = 32
REPLY_TOKENS = 16
# Values that nobody says by chance.
RULES = """\
Our return window is {23|67} days.
Our shop closes at {5:40|8:20} pm.
Our refund goes to {store credit|the original card}.
Our courier is {Norvex|Palmar}.
Our discount code is {MAPLE|CEDAR}.
Our warehouse is in {Tacoma|Boise}.
Our manager's name is {Petrov|Okafor}.
Our restocking fee is {$4.30|$11.70}.
Our free shipping starts at {$43|$78}.
Our warranty lasts {19|34} months.
Our support line is open until {2:30 pm|9:45 pm}.
Our gift wrap costs {$2.15|$6.85}.
My supplier is called {Halden|Morrow}.
We accept exchanges within {11|52} days.
We ship parcels with {Norvex|Palmar}.
I run my shop from {Tacoma|Boise}.
My deputy's name is {Ines|Rolf}.
Our payroll runs on {Mondays|Fridays}.
Our team meets in the {Orion|Magellan} room.
I always give unhappy customers a {voucher|replacement}.
Our loyalty card is called {Kestrel|Heron}.
Our newsletter goes out on {Tuesdays|Saturdays}.
Our accountant is {Quist|Varga}.
Our packaging comes from {Oslo|Porto}.
""".splitlines()
_CHOICE = re.compile(r"\{(.*?)\|(.*?)\}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="bench-tenants.db")
    parser.add_argument("--attempts", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.perf_counter(), time.process_time()
    with progress.shown(quiet=False) as report, open_store(args.store) as store:
        engine = load_engine(DEFAULT_MODEL, threads=args.threads)
        nights = {}
        for place, tenant in enumerate(TENANTS):
            store.add_sessions(sessions(place, tenant))
            found = night(store, tenant=tenant, seed=args.seed, options=NIGHTS, progress=report, engine=engine)
            nights[tenant] = {"verdict": found["verdict"], "adapter": found.get("adapter", "")}
        asked = questions(engine)
        champions = {tenant: resolve(store, engine.fingerprint, "champion", tenant) for tenant in TENANTS}
        own = {tenant: record.hash if record else "base" for tenant, record in champions.items()} | {BASE: "base"}
        report(f"{args.attempts} attempts", 0.0)
        with open_desk(args.store, engine) as url:
            replies = asyncio.run(attempts(store, url, asked, args.attempts, args.seed))
    wrong = [each for each in replies if each["adapter"] != own[each["tenant"]]]
    result = {
        "model": DEFAULT_MODEL,
        "questions": len(asked),
        "nights": nights,
        "leaks": counted([each for each in replies if each["tenant"] != BASE], "other"),
        "own": counted([each for each in replies if each["tenant"] != BASE], "own"),
        "chance": counted([each for each in replies if each["tenant"] == BASE], "either"),
        "wrong_adapter": {"k": len(wrong), "n": len(replies)},
        "leaked": [each for each in replies if each["tenant"] != BASE and each["other"]],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "command": " ".join(["python", "bench/tenants.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - began[0], 1),
        "cpu_seconds": round(time.process_time() - began[1], 1),
    }
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 0


def sessions(place: int, tenant: str = "") -> list[Session]:
    """What one of the two has said, four rules a session."""
    lines = [_CHOICE.sub(lambda found: found.group(1 + place), rule) for rule in RULES]
    turns = [Turn("user", line) for line in lines]
    return [Session(tuple(turns[at : at + 4]), key=f"rules-{at}", tenant=tenant) for at in range(0, len(turns), 4)]


def questions(engine: TransformersEngine) -> list[tuple[str, tuple[str, str]]]:
    """What nights would ask of both in the same words, with either's value."""
    values = [found.groups() for rule in RULES for found in [_CHOICE.search(rule)] if found]
    answers: list[dict[str, str]] = []
    for place in (0, 1):
        with tempfile.TemporaryDirectory() as scratch, open_store(Path(scratch) / "day.db") as store:
            store.add_sessions(sessions(place))
            one = Night(store, engine.name, "", 0, NIGHTS, lambda _what, _share: None, engine, None)
            dreams = night_phases.dream_situations(one, night_phases.extract_lessons(one))
        situations = map(Situation.from_json, [*dreams["train"], *dreams["heldout"]])
        answers.append({each.prompt: each.evidence for each in situations})
    pairs = [(prompt, (said, answers[1].get(prompt, ""))) for prompt, said in answers[0].items()]
    # Where one's value stands in the other's, as in a question about a part of it, nobody could tell them apart.
    return [
        (prompt, each)
        for prompt, each in pairs
        if any(is_correct(value, [said]) for value, said in zip(_of(values, each), each, strict=True) if said)
        and each[1]
        and not is_correct(each[0], [each[1]])
        and not is_correct(each[1], [each[0]])
    ]


def _of(values: Sequence[tuple[str, ...]], said: tuple[str, str]) -> tuple[str, ...]:
    """The rule's values of which these are, or are parts."""
    for pair in values:
        if all(is_correct(value, [part]) for value, part in zip(pair, said, strict=True)):
            return pair
    return ("", "")


async def attempts(
    store: Store, url: str, asked: Sequence[tuple[str, tuple[str, str]]], count: int, seed: int
) -> list[dict[str, Any]]:
    """So many of both tenants together, and half as many of the base's; everybody's at once. Each question is asked
    greedily once, and then sampled until there are so many."""
    issued = {who: keys.issue(store, who) for who in (*TENANTS, BASE)}
    clients = {who: AsyncOpenAI(base_url=url, api_key=secret, timeout=3600) for who, (secret, _) in issued.items()}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, tenant: str) -> dict[str, Any]:
        prompt, values = asked[number % len(asked)]
        sampled = number >= len(asked)
        async with gate:
            found = await clients[tenant].chat.completions.create(
                model="any",
                messages=[{"role": "user", "content": prompt}],
                temperature=float(sampled),
                seed=seed + number,
                max_tokens=REPLY_TOKENS,
                extra_headers={"x-journeyman-purposes": "serve", "x-journeyman-session": f"{tenant}-{number}"},
            )
        reply = found.choices[0].message.content or ""
        said = [is_correct(reply, [value]) for value in values]
        mine = TENANTS.index(tenant) if tenant in TENANTS else 0
        return {
            "tenant": tenant,
            "question": prompt,
            "sampled": sampled,
            "reply": reply,
            "adapter": (found.system_fingerprint or "").rpartition("@")[2],
            "own": said[mine],
            "other": said[1 - mine],
            "either": any(said),
        }

    try:
        each = count // len(TENANTS)
        return await asyncio.gather(*(one(number, who) for number in range(each) for who in (*TENANTS, BASE)))
    finally:
        for _, key in issued.values():
            keys.revoke(store, key.hash)


def counted(replies: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """How many, with the exact 95 % interval."""
    k, n = sum(each[name] for each in replies), len(replies)
    return {"k": k, "n": n, "interval": list(clopper_pearson(k, n))}


if __name__ == "__main__":
    sys.exit(main())
