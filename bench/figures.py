"""Write the tables of README.md and of docs/ from the committed results.

    python bench/figures.py [--check]

Always holds: every figure between the markers `<!-- figures:NAME -->` and `<!-- /figures -->` comes from a JSON file in
bench/results; `--check` says (exit 1) whether the tables are what the files give.

Knows the files' fields, not how they were measured; each names its machine, date and command.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "learning"))
import table

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
LEARNING = RESULTS / "learning.jsonl"
PICTURE = ROOT / "docs" / "learning.svg"
RIVALS = ("SFT replay", "GRPO", "OPSD + GRPO", "proven", "OPSD, placebo")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


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


def train_step() -> str:
    """One row a cell: our step and TRL's on the same work."""
    path = RESULTS / "train_step.json"
    found = json.loads(path.read_text())
    lines = [
        "| context | answers | ours, tokens/s | TRL, tokens/s | speed | CPU time | ours, memory | TRL, memory "
        "| our update, of the GEMM rate |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in found["cells"]:
        ours, trl = cell["ours"], cell["trl"]
        lines.append(
            f"| {cell['context']} | {cell['answer']} | {ours['tokens'] / ours['seconds']:.1f} "
            f"| {trl['tokens'] / trl['seconds']:.1f} | × {cell['speed_ratio']:.1f} | × {cell['cpu_ratio']:.1f} "
            f"| {ours['peak_memory_gib']:.1f} GiB | {trl['peak_memory_gib']:.1f} GiB "
            f"| {percent(ours['update_share_of_gemm_rate'])} |"
        )
    source = (
        f"- `bench/results/{path.name}` (with its command): {found['model']}, {found['states']} states, "
        f"TRL {found['trl']}, {found['machine']}, {found['date'][:10]}"
    )
    return "\n".join([*lines, "", source])


def learning() -> str:
    """One row an arm and kind of work, and who wins against whom."""
    rows = [row for row in table.read(LEARNING) if row["stage"] == "report"]
    lines = [table.table(table.lines(rows)), "", "![What was gained against what was kept](learning.svg)", ""]
    for work, rival, seeds, difference, p in table.contests(rows, "OPSD", RIVALS):
        lines.append(f"- {work}: OPSD against {rival}: {100 * difference:+.1f} points over {seeds} seeds, p = {p:.3f}")
    first = rows[0] if rows else {}
    lines.append(
        f"- `bench/results/{LEARNING.name}` (`python bench/learning`): {first.get('model', '')}, "
        f"{first.get('machine', '')}, {first.get('date', '')[:10]}; {first.get('budget', 0):.0f} s of learning a run"
    )
    return "\n".join(lines)


def worlds() -> str:
    """Episodes a second by side and cores, forks by size, and episodes at once."""
    path = RESULTS / "world.json"
    found = json.loads(path.read_text())
    sides: dict[str, dict[int, dict[str, Any]]] = {}
    for row in found["episodes"]:
        sides.setdefault(row["side"], {})[row["cores"]] = row
    lines = ["| episodes of 20 calls | 1 core | 2 cores | tool calls, 2 cores |", "| --- | --- | --- | --- |"]
    for side, rows in sides.items():
        cells = [f"{rows[cores]['episodes_s']:,.0f}/s" if cores in rows else "" for cores in (1, 2)]
        lines.append(f"| {side} | {' | '.join(cells)} | {rows[2]['calls_s']:,}/s |")
    columns = {
        "fork": "world_fork_us",
        "and a write": "fork_and_write_us",
        "and its digest": "fork_write_and_digest_us",
        "SQLite, savepoint and write": "sqlite_savepoint_write_rollback_us",
        "SQLite, image": "sqlite_image_fork_us",
        "deepcopy": "deepcopy_us",
    }
    lines += ["", f"| state | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for row in found["fork"]:
        lines.append(f"| {row['size']} | " + " | ".join(f"{row[name]:,.1f} µs" for name in columns.values()) + " |")
    live = found["live"]
    lines += [
        "",
        f"{live['episodes']:,} live episodes, each after 20 calls and ready to fork at any of them, took "
        f"{live['megabytes']:,.0f} MB: {live['kilobytes_each']:.1f} kB each.",
        "",
        f"- `bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}; load "
        f"{found['load']['before']:.1f} before and {found['load']['after']:.1f} after. Savepoints and deepcopy judge "
        "no episode and keep no digest.",
    ]
    return "\n".join(lines)


def grind() -> str:
    """What was found, one row a target; those of reasoning-gym that are in order are only counted."""
    path = RESULTS / "grind_audit.json"
    found = json.loads(path.read_text())
    rows: dict[str, dict[str, Any]] = found["rows"]
    lines = ["| target | verdict | binds | all that fail: share that holds (n) |", "| --- | --- | --- | --- |"]
    counts = {"grindable": 0, "not grindable": 0, "undecided": 0}
    for name, row in sorted(rows.items()):
        failed = [check for check in row.get("checks", ()) if check["passed"] is False]
        decided = row["verdict"] == "grindable" or bool(failed)
        if name.startswith("reasoning-gym:"):
            counts[row["verdict"] if decided else "undecided"] += 1
            if not failed:
                continue
        said = ", ".join(
            f"{check['id']} {check['value']:.2f} ({check['n']})" if check["value"] is not None else check["id"]
            for check in failed
        )
        verdict = row["verdict"] if decided else "nothing fails"
        binds = row["binding"] if failed else f"{row['binding']} not tested" if row["binding"] else ""
        lines.append(f"| `{name.removeprefix('python:bench/')}` | {verdict} | {binds} | {said} |")
    lines += [
        "",
        f"Of {sum(counts.values())} generators of reasoning-gym, {counts['grindable']} are grindable, "
        f"{counts['not grindable']} are not, and for {counts['undecided']} the time was not enough.",
        "",
        f"- `bench/results/{path.name}` (with its command): {found['machine']}, "
        f"{max((row['date'] for row in rows.values()), default='')[:10]}",
    ]
    return "\n".join(lines)


def rlvr() -> str:
    """One row a seed: reward by step, groups without a difference, and success on held-out tasks."""
    path = RESULTS / "rlvr.json"
    found = json.loads(path.read_text())
    runs: list[dict[str, Any]] = found["runs"]
    options = found["options"]

    def share(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{percent(row['share'])} ({100 * low:.0f}–{100 * high:.0f})"

    def steps(rewards: list[float]) -> str:
        return " ".join(f"{reward:.2f}" for reward in rewards)

    def difference(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{100 * row['difference']:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})"

    lines = [
        "| | reward of each step | groups without a difference | sampled | points | greedy | points |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| base | | | {share(found['before']['sampled'])} | | {share(found['before']['greedy'])} | |",
    ]
    for run in runs:
        silent = sum(step["zero_variance"] for step in run["steps"]) / len(run["steps"])
        cells = [f"{share(run['after'][way])} | {difference(run['difference'][way])}" for way in ("sampled", "greedy")]
        lines.append(
            f"| seed {run['seed']} | {steps([step['reward'] for step in run['steps']])} | {percent(silent)} "
            f"| {' | '.join(cells)} |"
        )
    lines.append(
        f"| mean | {steps(found['reward'])} | {percent(sum(found['zero_variance']) / len(found['zero_variance']))} "
        + "".join(
            f"| {percent(sum(run['after'][way]['share'] for run in runs) / len(runs))} "
            f"| {100 * sum(run['difference'][way]['difference'] for run in runs) / len(runs):+.0f} "
            for way in ("sampled", "greedy")
        )
        + "|"
    )
    half = options["steps"] // 2
    lines += [
        "",
        f"| reward of practice, all seeds | steps 1–{half} | steps {half + 1}–{options['steps']} |",
        "| --- | --- | --- |",
    ]
    for kind in sorted(options["families"]):
        parts = [
            [step["kinds"][kind] for run in runs for step in run["steps"][part] if kind in step["kinds"]]
            for part in (slice(half), slice(half, None))
        ]
        shown = " | ".join(f"{sum(part) / len(part):.2f} ({len(part)} steps)" if part else "–" for part in parts)
        lines.append(f"| `{kind}` | {shown} |")
    lines += [
        "",
        f"- `bench/results/{path.name}` (with its command, and what was written before and after): {found['model']}, "
        f"{options['steps']} steps of {options['tasks']} tasks, {options['group']} tries each; {options['held_out']} "
        f"tasks held out; {sum(run['cpu_seconds'] for run in runs) / len(runs) / 60:.1f} CPU-minutes of practice a "
        f"seed; {found['machine']}, {found['date'][:10]}",
    ]
    return "\n".join(lines)


def redaction() -> str:
    """What redaction costs, and how the libraries compare that could do it."""
    path = RESULTS / "redaction.json"
    found = json.loads(path.read_text())
    lines = ["| what is redacted | CPU, ms |", "| --- | --- |"]
    lines += [f"| {name} | {value:.2f} |" for name, value in found["cpu_ms"].items()]
    lines += [
        "",
        "| library | to install | to import | CPU, ms a 10 kB | found of planted: secrets, cards, e-mail "
        "| finds in ordinary code and chats, a MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in found["libraries"].items():
        share = ", ".join(f"{each['found']}/{each['of']}" for each in row["planted"].values())
        lines.append(
            f"| {name} | {row['megabytes']:.0f} MB | {row['import_seconds']:.2f} s | {row['cpu_ms_10kb']:.2f} "
            f"| {share} | {row['ordinary_finds_mb']:.1f} |"
        )
    return "\n".join(
        [*lines, "", f"- `bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}"]
    )


def gateway() -> str:
    """One row a gateway and way of answering, at each number of clients; and what survived kill -9."""
    path = RESULTS / "gateway.json"
    found = json.loads(path.read_text())
    cells: list[dict[str, Any]] = found["cells"]
    clients = list(dict.fromkeys(cell["clients"] for cell in cells))
    columns = " / ".join(map(str, clients))
    lines = [
        f"| gateway | answers | CPU-ms a request, {columns} clients | added p50, ms | added p99, ms | requests/s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]

    def row(name: str, mode: str, field: str, digits: int) -> str:
        values = {cell["clients"]: cell.get(field) for cell in cells if (cell["gateway"], cell["mode"]) == (name, mode)}
        return " / ".join("–" if values[each] is None else f"{values[each]:.{digits}f}" for each in clients)

    for name in dict.fromkeys(cell["gateway"] for cell in cells):
        for mode in dict.fromkeys(cell["mode"] for cell in cells):
            cpu = "–" if name == "none" else row(name, mode, "cpu_ms", 2)
            lines.append(
                f"| {name} | {mode} | {cpu} | {row(name, mode, 'added_p50_ms', 1)} "
                f"| {row(name, mode, 'added_p99_ms', 1)} | {row(name, mode, 'per_second', 0)} |"
            )
    lines += [
        "",
        "Answers that a client had received whole when the gateway was killed (`kill -9`), and what was kept:",
        "",
    ]
    lines += [f"- {each['gateway']} ({each['what']}): {each['kept']} of {each['answered']}" for each in found["killed"]]
    lines += [
        "",
        f"- `bench/results/{path.name}` (with its command): {', '.join(found['packages'])}, {found['machine']}, "
        f"{found['date'][:10]}; {found['busy_with_others']:.1f} cores were busy with something else, and "
        f"a step of a loop in Python took {found['loop_ns']:.0f} ns",
    ]
    return "\n".join(lines)


def serve() -> str:
    """One row a server: tokens a second, and a CPU-second, at each number of chats; and what the machine allows."""
    path = RESULTS / "serve.json"
    found = json.loads(path.read_text())
    sides: dict[str, dict[str, dict[str, float]]] = found["sides"]
    chats = list(sides["journeyman"])
    columns = " / ".join(chats)
    lines = [f"| server | tokens/s, {columns} chats | tokens a CPU-second |", "| --- | --- | --- |"]
    for name, cells in sides.items():
        if "failed" in cells:
            lines.append(f"| {name} | did not run here | |")
            continue
        cell = [" / ".join(f"{cells[each][field]:.1f}" for each in chats) for field in _SPEEDS]
        lines.append(f"| {name} | {' | '.join(cell)} |")
    limits = found["limits"]
    reads = limits["bytes_per_second"] / (4 * limits["weights"])
    return "\n".join(
        [
            *lines,
            "",
            f"Reading all weights once a token, this machine could make {reads:.0f} tokens a second for one chat, and "
            f"{limits['flops_per_second'] / (2 * limits['weights']):.0f} however many chat; both without the prompts.",
            "",
            f"- `bench/results/{path.name}` (with its command): {found['model'].rpartition('-')[0]}, answers of "
            f"{found['tokens']} tokens, {found['machine']}, {found['date'][:10]}",
        ]
    )


def fidelity() -> str:
    """One row a log and number of sessions: induced world against cache, on sessions not learnt from."""
    path = RESULTS / "fidelity.json"
    lines = [
        "| log | sessions learnt from | exact | wrong, of what is answered | exact-match cache, exact "
        "| induction, CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    sources = []
    for name, found in sorted((json.loads(path.read_text()) if path.is_file() else {}).items()):
        for row in found["rows"]:
            lines.append(
                f"| {name} | {row['n']} | {100 * row['exact']:.1f} % | {100 * row['wrong_when_answered']:.1f} % "
                f"| {100 * row['cache_exact']:.1f} % | {row['induction_cpu_s']:.0f} s |"
            )
        sources.append(
            f"- `bench/results/{path.name}`, {name} (with its command): {found['machine']}, {found['date'][:10]}"
        )
    return "\n".join([*lines, "", *sources])


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
    if real := found.get("real", {}).get("kinds"):
        lines += ["", "| real adapters | number | promoted |", "| --- | --- | --- |"]
        lines += [f"| {row['kind']} | {row['promoted']['n']} | {rate(row['promoted'])} |" for row in real]
    lines += ["", f"- `bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}"]
    return "\n".join(lines)


_SPEEDS = ("tokens_per_second", "tokens_per_cpu_second")

TABLES = {
    "serve": serve,
    "gate": gate,
    "fidelity": fidelity,
    "grind": grind,
    "worlds": worlds,
    "rlvr": rlvr,
    "night": nights,
    "retention": retention,
    "train_step": train_step,
    "learning": learning,
    "redaction": redaction,
    "gateway": gateway,
}


def filled(text: str) -> str:
    """`text` with every marked table made anew."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]]()}\n{match[3]}"

    return re.sub(r"(<!-- figures:(\w+) -->).*?(<!-- /figures -->)", table, text, flags=re.DOTALL)


def main() -> int:
    stale = [page for page in PAGES if filled(page.read_text()) != page.read_text()]
    picture = table.plot(table.lines(table.read(LEARNING)))
    if picture and (not PICTURE.is_file() or PICTURE.read_text() != picture):
        stale.append(PICTURE)
    if "--check" in sys.argv[1:]:
        for page in stale:
            print(f"error: {page.relative_to(ROOT)} does not show what bench/results holds", file=sys.stderr)
        if stale:
            print("try: python bench/figures.py", file=sys.stderr)
        return int(bool(stale))
    for page in stale:
        page.write_text(picture if page == PICTURE else filled(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
