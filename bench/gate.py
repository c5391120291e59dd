"""How often the gate is wrong: simulated adapters of known worth, and whole months of them, through the real gate.

    python bench/gate.py [--adapters 1000] [--months 500] [--seed 0]

A simulated adapter changes single answers: a wrong one becomes right, and a right one wrong, with chances that are its
kind's, times a strength of its own from 0.5 to 1.5. Its answers go through `evaluate.statistics` and `evaluate.gate` as
a night's do: held-out situations, 240 general items, 97 probes. Shares before are those of the nights in
night_*.json: of held-out situations 5 % where a gain is planted (what is new is not known yet), and 40 % where there
is none, so that chance has something to win and to lose. Health and drift always pass, so that items alone decide.

A month is 30 nights, each on new held-out situations: with no gain at all, with a planted one, and with a planted one
that costs general ability anew each night, judged against the frozen base (as the gate does) or the last champion.
What is lost is counted over all items there might be: those of the gate, looked at each night, come to flatter.

Real adapters are judged by bench/gate_adapters.py.

Writes bench/results/gate.json: counts of verdicts, rates with exact (Clopper-Pearson) 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from journeyman.evaluate.gate import FIRST, Attempts, Evidence, Verdict, judge
from journeyman.evaluate.general import Drift
from journeyman.evaluate.statistics import PairedDifference, clopper_pearson, paired_difference

RESULT = Path(__file__).parent / "results" / "gate.json"
SITUATIONS = (24, 60)  # held out; the committed nights had 18 to 27
GENERAL, PROBES = 240, 97
GENERAL_RIGHT, CLAIMS = 0.8, 0.61
DRIFT = Drift(0.075, 0.1)
NIGHTS = 30

Bits = list[int]
Rates = tuple[float, float]  # that a 0 becomes a 1, and a 1 a 0


@dataclass(frozen=True)
class Kind:
    says: str
    right: float  # of the held-out situations, before
    heldout: Rates
    general: Rates
    probes: Rates  # 1 is a claim to know


UNTOUCHED: Rates = (0.15, 0.0375)  # of general answers 6 % change, as many to the better as to the worse
CAREFUL: Rates = (0.05, 0.6)
KINDS = {
    "identity": Kind("changes nothing", 0.4, (0, 0), (0, 0), (0, 0)),
    "identity, sampled": Kind(
        "changes nothing; every answer drawn anew", 0.4, (0.2, 0.3), UNTOUCHED, (0.2, 0.2 * (1 - CLAIMS) / CLAIMS)
    ),
    "noise": Kind("right answers break more often than wrong ones mend", 0.4, (0.15, 0.35), (0.15, 0.06), (0.2, 0.13)),
    "shuffled labels": Kind("learnt the answers to other questions", 0.4, (0.03, 0.6), (0.1, 0.08), (0.5, 0.05)),
    "retention bomb": Kind("learnt, and lost 10 points of general ability", 0.05, (0.7, 0.05), (0.1, 0.15), CAREFUL),
    "planted, small": Kind("+33 points on held-out situations", 0.05, (0.35, 0.05), UNTOUCHED, CAREFUL),
    "planted, large": Kind("+66 points on held-out situations", 0.05, (0.7, 0.05), UNTOUCHED, CAREFUL),
}
CREEP: Rates = (0.05, 0.03)  # of general answers: 1.4 points are lost in the first such night


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapters", type=int, default=1000, help="of each kind (default: 1000)")
    parser.add_argument("--months", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    begun = time.process_time()
    result = {
        **signed(),
        "setting": {
            "general": GENERAL,
            "probes": PROBES,
            "general_right_before": GENERAL_RIGHT,
            "claims_before": CLAIMS,
        },
        "kinds": [
            simulated(name, kind, situations, args.adapters, random.Random(f"{args.seed}:{name}:{situations}"))
            for name, kind in KINDS.items()
            for situations in SITUATIONS
        ],
        "months": months(args.months, args.seed),
    }
    result["cpu_seconds"] = round(time.process_time() - begun, 1)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def signed() -> dict[str, Any]:
    return {
        "command": " ".join(["python", "bench/gate.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def simulated(name: str, kind: Kind, situations: int, n: int, rng: random.Random) -> dict[str, Any]:
    found = [judge(evidence(kind, situations, rng)) for _ in range(n)]
    row = {"kind": name, **asdict(kind), "situations": situations, **counted(found)}
    print(f"{name}, {situations}: {row['verdicts']}", flush=True)
    return row


def counted(found: Sequence[Verdict]) -> dict[str, Any]:
    """Verdicts, the rate of PROMOTE, and how many each criterion did not let pass."""
    verdicts = Counter(each.verdict for each in found)
    against = Counter(
        reason.partition(" failed")[0].partition(" is open")[0]
        for each in found
        for reason in each.reasons
        if " passed: " not in reason
    )
    return {"verdicts": dict(verdicts), "against": dict(against), "promoted": rate(verdicts["PROMOTE"], len(found))}


def rate(k: int, n: int) -> dict[str, Any]:
    return {"k": k, "n": n, "share": k / n if n else None, "interval": list(clopper_pearson(k, n))}


def evidence(kind: Kind, situations: int, rng: random.Random) -> Evidence:
    """One adapter of a kind, over answers drawn for it."""
    strength = rng.uniform(0.5, 1.5)

    def answers(n: int, share: float, rates: Rates) -> PairedDifference:
        before = some(n, share)
        return paired_difference(before, changed(before, rates, strength, rng))

    return Evidence(
        # Each situation is of a lesson of its own, as a night holds them out.
        gain=answers(situations, kind.right, kind.heldout),
        general=answers(GENERAL, GENERAL_RIGHT, kind.general),
        probes=answers(PROBES, CLAIMS, kind.probes),
        drift=DRIFT,
        health={"simulated": True},
    )


def some(n: int, share: float) -> Bits:
    return [int(i < round(share * n)) for i in range(n)]


def changed(before: Sequence[int], rates: Rates, strength: float, rng: random.Random) -> Bits:
    return [bit ^ (rng.random() < strength * rates[bit]) for bit in before]


def months(n: int, seed: int) -> dict[str, Any]:
    situations = SITUATIONS[0]
    found: dict[str, Any] = {"nights": NIGHTS, "situations": situations}
    for name in ("identity, sampled", "planted, small", "planted, large"):
        rng = random.Random(f"{seed}:month:{name}")
        budget, alone = [], []  # promotions a month: with the error spent over nights; each night by itself
        for _ in range(n):
            promoted = nightly = 0
            for night in range(1, NIGHTS + 1):
                seen = evidence(KINDS[name], situations, rng)
                nightly += judge(seen).verdict == "PROMOTE"
                promoted += judge(seen, Attempts(nights=night, promoted=promoted)).verdict == "PROMOTE"
            budget.append(promoted)
            alone.append(nightly)
        found[name] = {
            way: {"any": rate(sum(map(bool, each)), n), "nights": rate(sum(each), n * NIGHTS)}
            for way, each in (("budget", budget), ("each night alone", alone))
        }
        print(f"months of {name}: {found[name]}", flush=True)
    found["creeping loss"] = {
        name: creep(*way, n // 5, random.Random(f"{seed}:creep"))
        for name, way in {
            "the base, as the gate does": (True, True),
            "the base, each night as if it were the first": (True, False),
            "the last champion": (False, False),
        }.items()
    }
    print(f"creeping loss: {found['creeping loss']}", flush=True)
    return found


def creep(anchored: bool, budget: bool, n: int, rng: random.Random) -> dict[str, Any]:
    """Nights that gain and lose a little general ability each; what is lost at the month's end, over all items that
    there might be, not on the gate's alone."""
    good, lost, promoted = KINDS["planted, large"], [], 0
    base = some(GENERAL, GENERAL_RIGHT)
    for _ in range(n):
        serving, right, times = base, GENERAL_RIGHT, 0
        for night in range(1, NIGHTS + 1):
            candidate = changed(serving, CREEP, 1.0, rng)
            general = paired_difference(base if anchored else serving, candidate)
            seen = replace(evidence(good, SITUATIONS[1], rng), general=general)
            if judge(seen, Attempts(nights=night, promoted=times) if budget else FIRST).verdict == "PROMOTE":
                serving, right, times = candidate, right + (1 - right) * CREEP[0] - right * CREEP[1], times + 1
        promoted += times
        lost.append(GENERAL_RIGHT - right)
    lost.sort()
    return {
        "months": n,
        "promoted": promoted / n,
        "lost": {"mean": sum(lost) / n, "worst": lost[-1]},
        "beyond_margin": rate(sum(each > 0.05 for each in lost), n),
    }


if __name__ == "__main__":
    sys.exit(main())
