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
sys.path.insert(0, str(Path(__file__).parent / "month"))
import dream_figures
import night_figures
import picture
import rows as month_rows
import table
import world_figures
from cells import percent

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
LEARNING = RESULTS / "learning.jsonl"
PICTURE = ROOT / "docs" / "learning.svg"
MONTH = ROOT / "docs" / "month.svg"
WORKS = {
    "facts": "Facts told in sessions",
    "coffee": "The next call in one business",
    "form": "The form of a reply",
}
CONTESTS = {
    "OPSD": ("SFT replay", "GRPO", "OPSD + GRPO", "proven"),
    "proven": ("SFT replay", "GRPO", "proven + OPSD"),
}
SURE = 0.9  # `journeyman.learn.exposures.SURE`, without torch
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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
        f"- `bench/results/{path.name}` (with commands): {found['model']}, {found['states']} states, "
        f"TRL {found['trl']}, {found['machine']}, {max(cell['date'] for cell in found['cells'])[:10]}"
    )
    return "\n".join([*lines, "", source])


def learning() -> str:
    """A table a kind of work, one row a way to learn; who wins against whom; what the fork says beforehand."""
    rows = table.read(LEARNING)
    reported = [row for row in rows if row["stage"] == "report"]
    found, sure = table.lines(rows), table.forks(rows, SURE)
    lines: list[str] = []
    for work, what in WORKS.items():
        lines += [f"**{what}**", "", table.table(found, work), ""]
        if work in sure:
            lines += [f"At the fork the veteran is sure of the proven reply in {sure[work][0]} of {sure[work][1]}.", ""]
        for row in rows:
            if row["stage"] == "longer" and row["work"] == work:
                right = f"{row['right'].count('1')} of {len(row['right'])}"
                lines += [f"{row['arm']} with four times the time, {row['steps']} steps: {right} right.", ""]
    lines += ["![What was gained against what was kept](learning.svg)", ""]
    lines += ["| | seeds | points | p, one-sided |", "| --- | --- | --- | --- |"]
    for arm, rivals in CONTESTS.items():
        for work, rival, seeds, difference, p in table.contests(reported, arm, rivals):
            lines.append(f"| {work}: {arm} against {rival} | {seeds} | {100 * difference:+.1f} | {p:.3f} |")
    first = reported[0] if reported else {}
    lines += [
        "",
        f"- `bench/results/{LEARNING.name}` (`python bench/learning`): {first.get('model', '')}, "
        f"{first.get('machine', '')}, {first.get('date', '')[:10]}; {first.get('budget', 0):.0f} CPU-seconds a run",
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


def templates() -> str:
    """For each kind of conversation the templates that cannot express it."""
    path = RESULTS / "templates.json"
    found = json.loads(path.read_text())
    families: dict[str, dict[str, str]] = found["families"]
    lines = ["| conversation | templates that express it | an error says that these cannot |", "| --- | --- | --- |"]
    for kind in next(iter(families.values())):
        cannot = [f"`{name}`" for name, said in families.items() if said[kind]]
        lines.append(f"| {kind} | {len(families) - len(cannot)} of {len(families)} | {', '.join(cannot)} |")
    lines += ["", f"- `bench/results/{path.name}` (`{found['command']}`): {found['templates']}, {found['date'][:10]}"]
    return "\n".join(lines)


def pictures() -> dict[Path, str]:
    sizes = picture.months(month_rows.read())
    found = {PICTURE: table.plot(table.lines(table.read(LEARNING)))}
    found[MONTH] = picture.plot(picture.lines(picture.by_people(sizes[0][1])[0][1])) if sizes else ""
    return {path: drawn for path, drawn in found.items() if drawn}


_SPEEDS = ("tokens_per_second", "tokens_per_cpu_second")

TABLES = {
    "serve": serve,
    "gate": night_figures.gate,
    "gate_adapters": night_figures.gate_adapters,
    "fidelity": world_figures.fidelity,
    "grind": world_figures.grind,
    "worlds": world_figures.worlds,
    "rlvr": world_figures.rlvr,
    "search": dream_figures.search,
    "dream_scaling": dream_figures.scaling,
    "situation_scaling": dream_figures.situation_scaling,
    "dream_night": dream_figures.night,
    "night": night_figures.nights,
    "retention": night_figures.retention,
    "tenants": night_figures.tenants,
    "ten_nights": night_figures.ten_nights,
    "templates": templates,
    "train_step": train_step,
    "learning": learning,
    "redaction": redaction,
    "gateway": gateway,
    "why": night_figures.why,
    "month": night_figures.month,
    "week_in_short": night_figures.week_in_short,
    "week": night_figures.week,
}


def filled(text: str) -> str:
    """`text` with every marked table made anew."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]]()}\n{match[3]}"

    return re.sub(r"(<!-- figures:(\w+) -->).*?(<!-- /figures -->)", table, text, flags=re.DOTALL)


def main() -> int:
    stale = [page for page in PAGES if filled(page.read_text()) != page.read_text()]
    drawn = pictures()
    stale += [path for path, image in drawn.items() if not path.is_file() or path.read_text() != image]
    if "--check" in sys.argv[1:]:
        for page in stale:
            print(f"error: {page.relative_to(ROOT)} does not show what bench/results holds", file=sys.stderr)
        if stale:
            print("try: python bench/figures.py", file=sys.stderr)
        return int(bool(stale))
    for page in stale:
        page.write_text(drawn[page] if page in drawn else filled(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
