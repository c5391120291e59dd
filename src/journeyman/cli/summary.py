"""A night's result in a terminal: the verdict, what changed, what it cost, and where things lie.

Always holds: any part of a result may be missing, and is then left out.

Knows the shape of a result (see `web.report`), not what the figures mean.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from journeyman.cli import common
from journeyman.cli.common import DEFAULT_STORE
from journeyman.model.source import DEFAULT_MODEL
from journeyman.web.values import counted, number, part, percent, rows, seconds, small, text, whole

Result = Mapping[str, Any]

_COLOURS = {"PROMOTE": "bold green", "REJECT": "bold red", "INSUFFICIENT": "bold yellow"}
_MEANING = {
    "PROMOTE": "the adapter is in service",
    "REJECT": "the model in service is unchanged",
    "INSUFFICIENT": "too little evidence; the model in service is unchanged",
    "NOTHING_TO_LEARN": "the model in service is unchanged",
}


def show_night(console: Console, result: Result) -> None:
    show_verdict(console, result)
    show_left_out(console, result)
    show_changes(console, result)
    show_costs(console, rows(result, "phases"), number(result.get("seconds")))


def show_verdict(console: Console, result: Result) -> None:
    verdict = text(result.get("verdict"))
    told = verdict.replace("_", " ")
    console.print(f"{told}: {_MEANING[verdict]}" if verdict in _MEANING else told, style=_COLOURS.get(verdict, "bold"))
    for reason in result.get("reasons") or []:
        console.print(f"  - {reason}")
    if result.get("repeated"):
        console.print("  (this night was run before: these are its results)")


def show_left_out(console: Console, result: Result) -> None:
    """What the night did not take anybody's word for, in a line."""
    counts = [f"{whole(n)} {why}" for why, n in part(result, "set_aside").items() if number(n)]
    if found := rows(result, "contradictions"):
        counts.append(f"contradictions between users: {len(found)} (journeyman report shows them)")
    if counts:
        console.print(f"set aside: {'; '.join(counts)}")


def show_changes(console: Console, result: Result) -> None:
    """Before and after, of everything that the night measured."""
    table = Table("", *_right("before", "after", "of"), box=None, pad_edge=False)
    for name, label, noun in (
        ("heldout", "held-out situations right", "situation"),
        ("earlier", "questions of earlier nights right", "question"),
        ("general", "general ability", "item"),
        ("tasks", "held-out tasks done, in the dreamed world", "task"),
        ("decisions", "held-out decisions right", "decision"),
        ("probes", "claims to know what nobody said", "question"),
    ):
        found = part(part(result, name), "heldout") if name in ("tasks", "decisions") else part(result, name)
        if number(found.get("before")) is not None and number(found.get("after")) is not None:
            table.add_row(label, percent(found["before"], 1), percent(found["after"], 1), counted(found.get("n"), noun))
    drift = number(part(result, "drift").get("kl"))
    if drift is not None:
        table.add_row("drift from the base, nats a token", "0", small(drift), "")
    if table.row_count:
        console.print()
        console.print(table)


def show_costs(console: Console, phases: list[Mapping[str, Any]], took: float | None) -> None:
    """Seconds and tokens by phase; `took` is the wall time of all of it."""
    if not phases:
        return
    table = Table("phase", *_right("seconds", "CPU", "tokens"), box=None, pad_edge=False)
    for phase in phases:
        spent = (seconds(phase.get("seconds")), seconds(phase.get("cpu_seconds")))
        table.add_row(text(phase.get("name")), *spent, whole(phase.get("tokens")))
    sums = {key: sum(number(p.get(key)) or 0.0 for p in phases) for key in ("seconds", "cpu_seconds", "tokens")}
    total = seconds(sums["seconds"] if took is None else took)
    table.add_row("all", total, seconds(sums["cpu_seconds"]), whole(sums["tokens"]), style="bold")
    console.print()
    console.print(table)


def show_places(console: Console, result: Result, store: str, model: str, question: str = "…") -> None:
    """Where the adapter and the page lie, and what to do with them."""
    console.print()
    for label, name in (("adapter", "adapter_path"), ("page", "report")):
        if place := text(result.get(name)):
            console.print(f"{label:<8} {place}")
    where = "" if store == DEFAULT_STORE else f" --store {shlex.quote(store)}"
    if tenant := text(result.get("tenant")):
        where += f" --tenant {shlex.quote(tenant)}"
    program = common.program()
    if result.get("report"):
        console.print(f"{'look':<8} {program} report{where}")
    if adapter := text(result.get("adapter")):
        # A candidate that was not promoted can be asked by its hash only.
        which = "" if result.get("verdict") == "PROMOTE" else f" --adapter {adapter}"
        over = "" if model == DEFAULT_MODEL else f" --model {shlex.quote(model)}"
        console.print(f'{"ask":<8} {program} ask "{question}"{where}{over}{which}')
    if adapter and result.get("verdict") == "INSUFFICIENT":  # users may tell what held-out work is too little for
        console.print(f"{'try':<8} {program} adapters try {adapter}{where}")


def _right(*names: str) -> list[Any]:
    return [Column(name, justify="right", no_wrap=True) for name in names]
