"""The tables of nights, for bench/figures.py: what they were worth, by week and by month, and what the gate lets by.

Always holds: every figure comes from a file in bench/results, whose machine, date and command stand below the table.

Knows the files' fields, not how they were measured.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "month"))
import picture
import rows as month_rows
from cells import percent

from journeyman.evaluate.statistics import clopper_pearson

RESULTS = Path(__file__).parent / "results"


def nights() -> str:
    """One row a log: closed book before, after, ceiling; general ability; what it cost."""
    lines = [
        "| log | questions | before | after, each seed | median | sessions in prompt | general ability "
        "| claims to know the unknown | verdicts | a night |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    sources = []
    for path in sorted(RESULTS.glob("night_*.json")):
        found = json.loads(path.read_text())
        runs: list[dict[str, Any]] = found["runs"]
        general = [run["general"] for run in runs if run["general"].get("n")]
        probes = [run["probes"] for run in runs if run["probes"].get("n")]
        lines.append(
            f"| {path.stem.removeprefix('night_')} | {found['questions']} | {percent(found['before'])} "
            f"| {', '.join(percent(run['after']) for run in runs)} | **{percent(found['median_after'])}** "
            f"| {percent(found['ceiling'])} "
            f"| {_mean(general, 'before')} → {_mean(general, 'after')} "
            f"| {_mean(probes, 'before')} → {_mean(probes, 'after')} | {', '.join(run['verdict'] for run in runs)} "
            f"| {sum(run['seconds'] for run in runs) / len(runs) / 60:.1f} min |"
        )
        sources.append(f"`bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}")
    return "\n".join([*lines, "", *(f"- {source}" for source in sources)])


def retention() -> str:
    """One row a suite: base and adapter on the same public items."""
    blocks = []
    for path in sorted(RESULTS.glob("retention_*.json")):
        found = json.loads(path.read_text())
        rows = [*found["suites"].items(), ("pooled", found["pooled"])]
        lines = ["| suite | items | base | adapter | difference (95 % interval) |", "| --- | --- | --- | --- | --- |"]
        for name, row in rows:
            low, high = row["interval"]
            lines.append(
                f"| {name} | {row['n']} | {100 * row['before']:.1f} % | {100 * row['after']:.1f} % "
                f"| {100 * row['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) |"
            )
        source = f"- `bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}"
        blocks.append("\n".join([*lines, "", source]))
    return "\n\n".join(blocks)


def _mean(rows: list[dict[str, Any]], key: str) -> str:
    return f"{100 * sum(row[key] for row in rows) / len(rows):.1f} %" if rows else "–"


def gate() -> str:
    """How often simulated adapters of each kind pass, what stands against them, and what months come to."""
    path = RESULTS / "gate.json"
    found = json.loads(path.read_text())
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for row in found["kinds"]:
        rows.setdefault(row["kind"], {})[row["situations"]] = row
    sizes = sorted({row["situations"] for row in found["kinds"]})

    def rate(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{100 * row['share']:.1f} % ({100 * low:.1f}–{100 * high:.1f})"

    lines = [
        f"| adapters | what they do | {' | '.join(f'promoted, {size} held out' for size in sizes)} "
        f"| verdicts, {sizes[0]} held out | what did not pass there |",
        "| --- " * (len(sizes) + 4) + "|",
    ]
    for name, row in rows.items():
        first = row[sizes[0]]
        verdicts, against = (
            ", ".join(f"{what} {count:,}" for what, count in sorted(first[field].items(), key=lambda each: -each[1]))
            for field in ("verdicts", "against")
        )
        rates = " | ".join(rate(row[size]["promoted"]) for size in sizes)
        lines.append(f"| {name} | {first['says']} | {rates} | {verdicts} | {against} |")
    months = found["months"]
    lines += [
        "",
        f"| {months['nights']} nights, {months['situations']} held out each | months with a promotion "
        "| nights promoted | the same, each night judged as if it were the first |",
        "| --- | --- | --- | --- |",
    ]
    for name in rows:
        if name in months:
            budget, alone = months[name]["budget"], months[name]["each night alone"]
            lines.append(
                f"| {name} | {rate(budget['any'])} | {percent(budget['nights']['share'])} "
                f"| {rate(alone['any'])}, {percent(alone['nights']['share'])} |"
            )
    lines += [
        "",
        f"| {months['nights']} nights that each lose general ability | promoted | lost, mean | lost, worst month "
        "| months that lose more than 5 points |",
        "| --- | --- | --- | --- | --- |",
    ]
    for anchor, row in months["creeping loss"].items():
        lines.append(
            f"| judged against {anchor} | {row['promoted']:.1f} nights | {100 * row['lost']['mean']:.1f} points "
            f"| {100 * row['lost']['worst']:.1f} points | {rate(row['beyond_margin'])} |"
        )
    lines += ["", f"- `bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}"]
    return "\n".join(lines)


def gate_adapters() -> str:
    """A row for each kind of real adapter: how often it was promoted, and what it gained and lost."""
    path = RESULTS / "gate_adapters.jsonl"
    if not path.is_file():
        return "Not measured yet: `python bench/gate_adapters.py`."
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [
        "| real adapters | number | promoted | held-out work right, mean: before, after "
        "| general ability, mean: before, after |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        promoted = sum(row["verdict"] == "PROMOTE" for row in own)
        low, high = clopper_pearson(promoted, len(own))
        share = f"{percent(promoted / len(own))} ({100 * low:.1f}–{100 * high:.1f})"
        means = [
            ", ".join(percent(sum(row[what][side] for row in own) / len(own)) for side in (0, 1))
            for what in ("heldout", "general")
        ]
        lines.append(f"| {kind} | {len(own)} | {share} | {means[0]} | {means[1]} |")
    last = rows[-1]
    lines += ["", f"- `bench/results/{path.name}`: {last['model']}, {last['machine']}, {last['date'][:10]}"]
    return "\n".join(lines)


def why() -> str:
    """What influence names beside what retraining shows."""
    path = RESULTS / "why.json"
    found = json.loads(path.read_text())
    low, high = found["cause_named_interval"]
    cost = [max(each["cost_of_leaving_out_nats"]) for each in found["questions"]]
    return "\n".join(
        [
            "| lessons | questions | the cause came first | by chance | rank correlation, mean "
            "| cost of leaving out the cause, median | CPU time: retraining, asking |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            f"| {found['lessons']} | {found['caused_n']} "
            f"| {found['cause_named']} of {found['caused_n']} ({100 * low:.0f}–{100 * high:.0f} %) "
            f"| {percent(found['by_chance'])} | {found['rank_correlation_mean']:.2f} "
            f"| {sorted(cost)[len(cost) // 2]:.0f} nats "
            f"| {found['retraining_cpu_seconds']:.0f} s, {found['asking_cpu_seconds']:.0f} s |",
            "",
            f"- `bench/results/{path.name}` (with its command): {found['model']}, {found['machine']}, {found['date']}",
        ]
    )


def month() -> str:
    """A table for each size of a month and the people of it, and the default against its rivals."""
    rows = month_rows.read()
    blocks: list[str] = []
    groups = [(size, *group) for size, of_size in picture.months(rows) for group in picture.by_people(of_size)]
    for size, people, mine in groups:
        found = picture.lines(mine)
        arms = [*dict.fromkeys(row["arm"] for row in mine)]
        command = ["python", "bench/month", "--people", *people, "--nights", str(size["nights"]), "--arms", *arms]
        blocks.append(
            f"{_so_far(size['nights'], picture.reached(mine))} of {', '.join(people)}; a night: {size['facts']} facts, "
            f"{size['steps']} updates of {size['rows']} rows."
        )
        blocks.append(f"```sh\n{shlex.join(command)}\n```")
        blocks += ["\n".join(picture.table(found)), "\n".join(picture.contests(found))]
    last = rows[-1] if rows else {}
    source = (
        f"- `bench/results/{month_rows.RESULT.name}`: {last.get('model', '')}, {last.get('machine', '')}, "
        f"{last.get('date', '')[:10]}"
    )
    return "\n\n".join([block for block in blocks if block] + [source])


def _so_far(nights: int, reached: int) -> str:
    return f"{nights} nights" if nights == reached else f"The first {reached} of {nights} nights"


def week() -> str:
    """A row a day: who served how many right, general ability, and the night after it."""
    path = RESULTS / "week.json"
    if not path.exists():
        return "Not measured yet: `python bench/week.py` does."
    found = json.loads(path.read_text())

    def share(day: dict[str, Any], who: str) -> str:
        low, high = day[who]["interval"]
        return f"{percent(day[who]['share'])} ({100 * low:.0f}–{100 * high:.0f})"

    lines = [
        "| day | it learns | reminded | as it is | general ability | the night after: verdict | practised, corrected "
        "| held out: before, after |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for day in found["days"]:
        night, general = day["night"], day["general"]
        decided = night.get("decisions") or {}
        held = decided.get("heldout") or {}
        lines.append(
            f"| {day['day']}{', policy changes' if day['day'] == found['change'] else ''} "
            f"| **{share(day, 'assistant')}** "
            f"| {share(day, 'reminded')} | {share(day, 'frozen')} "
            f"| {100 * general['share']:.1f} % | {night.get('verdict', '–')} "
            + (f"| {decided['train']}, {decided['corrected']} " if decided else "| – ")
            + (f"| {percent(held['before'])}, {percent(held['after'])} of {held['n']} |" if held else "| – |")
        )
    lines.append("")
    for who, name in (("frozen", "the model as it is"), ("reminded", "the model reminded of its corrections")):
        if against := found["rivals"][who]:
            low, high = against["interval"]
            lines.append(
                f"Against {name}, on the {against['n']} customers after the first day: "
                f"{100 * against['difference']:+.0f} points (95 % interval {100 * low:+.0f} to "
                f"{100 * high:+.0f}, clustered by day)."
            )
            lines.append("")
    nights = [day["night"]["cpu_seconds"] for day in found["days"] if day["night"]]
    days = [day["cpu_seconds"] for day in found["days"]]
    lines.append(
        f"- `bench/results/{path.name}` (with its command): {found['count']} customers a day, Wilson intervals; "
        f"{found['cpu_seconds'] / 60:.0f} minutes of CPU ({sum(days) / len(days) / 60:.1f} a day, "
        f"{sum(nights) / max(1, len(nights)) / 60:.1f} a night); {found['machine']}, {found['date'][:10]}"
    )
    return "\n".join(lines)


def week_in_short() -> str:
    """One row an assistant: who served how many right, day by day."""
    path = RESULTS / "week.json"
    if not path.exists():
        return "Not measured yet: `python bench/week.py` does."
    found = json.loads(path.read_text())
    days = found["days"]
    heads = [f"day {each['day']}{', policy changes' if each['day'] == found['change'] else ''}" for each in days]
    lines = [f"| served right | {' | '.join(heads)} |", f"| --- |{' --- |' * len(days)}"]
    for who, name in (("assistant", "it learns"), ("frozen", "as it is"), ("reminded", "corrections in its prompt")):
        lines.append(f"| {name} | {' | '.join(percent(day[who]['share']) for day in days)} |")
    over = {who: found["rivals"][who] for who in ("frozen", "reminded")}
    told = [
        f"{100 * each['difference']:+.0f} points ({100 * each['interval'][0]:+.0f} to {100 * each['interval'][1]:+.0f})"
        for each in over.values()
    ]
    return "\n".join(
        [
            *lines,
            "",
            f"- `bench/results/{path.name}` (with its command): {found['count']} customers a day, none met twice; over "
            f"all days after the first {told[0]} against the model as it is and {told[1]} against the one with its "
            f"corrections in its prompt, 95 % intervals; {found['machine']}, {found['date'][:10]}, "
            f"{found['cpu_seconds'] / 60:.0f} "
            "minutes of CPU",
        ]
    )


def tenants() -> str:
    """What two tenants with opposite policies were told of each other's, and of their own."""
    path = RESULTS / "tenants.json"
    if not path.exists():
        return "Not measured yet: `python bench/tenants.py` does."
    found = json.loads(path.read_text())

    def row(what: str, name: str) -> str:
        k, n = found[name]["k"], found[name]["n"]
        low, high = found[name]["interval"]
        return f"| {what} | {k} of {n} | {100 * low:.1f} to {100 * high:.1f} % |"

    lines = [
        "| replies that hold | | 95 % interval |",
        "| --- | --- | --- |",
        row("the other tenant's value", "leaks"),
        row("one's own value", "own"),
        row("either, of the model without a night", "chance"),
        "",
        f"Two tenants, {found['questions']} questions that both are asked and whose answers differ; verdicts of their "
        f"nights: {', '.join(each['verdict'] for each in found['nights'].values())}. Replies that another adapter than "
        f"the asker's gave: {found['wrong_adapter']['k']} of {found['wrong_adapter']['n']}.",
        "",
        f"- `bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}, "
        f"{found['cpu_seconds'] / 60:.0f} minutes of CPU",
    ]
    return "\n".join(lines)


def ten_nights() -> str:
    """The story's nights, each with its claims and what was seen."""
    path = RESULTS / "ten_nights.json"
    if not path.exists():
        return "Not measured yet: `python bench/ten_nights` does."
    found = json.loads(path.read_text())
    lines = [f"{found['held']} of {found['claims']} claims hold.", ""]
    for told in found["nights"]:
        verdict = f" ({told['verdict']})" if told["verdict"] else ""
        lines += [f"**{told['number']}. {told['title']}**{verdict}: {told['what']}", ""]
        for claim in told["claims"]:
            seen = f" ({claim['seen']})" if claim["seen"] else ""
            lines.append(f"- {'holds' if claim['holds'] else '**does not hold**'}: {claim['text']}{seen}")
        lines.append("")
    lines.append(
        f"- `bench/results/{path.name}` (`{found['command']}`): {found['model']}, {found['machine']}, "
        f"{found['date'][:10]}, {found['cpu_seconds'] / 60:.0f} minutes of CPU"
    )
    return "\n".join(lines)
