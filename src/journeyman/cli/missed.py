"""Why a question was missed: no situation covered it, the veteran was wrong there, or training fell short.

Always holds: this is told after the fact, from what a night has committed and the accepted answers; the night never
sees it.

Knows what the phases of a night hand on. A situation covers a question when its evidence holds an accepted answer: by
the letter, so that a common answer ("Friday") may be covered by a situation about something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from journeyman.evaluate.questions import is_correct
from journeyman.records import PhaseRecord, Situation

Traces = list[tuple[str, str]]  # of every situation that was not held out: its evidence, and its route


def traces(phases: Mapping[str, PhaseRecord]) -> Traces:
    """What a night practised; empty if it did not get that far."""
    if "dream situations" not in phases or "measure lift" not in phases:
        return []
    situations = [Situation.from_json(value) for value in phases["dream situations"].output["train"]]
    lifts = phases["measure lift"].output["lifts"]
    return [(s.evidence, lifts[s.id]["route"]) for s in situations if s.evidence and s.id in lifts]


def why(answers: Sequence[str], practised: Iterable[tuple[str, str]]) -> str:
    """One clause for a person."""
    routes = [route for evidence, route in practised if is_correct(evidence, answers)]
    if not routes:
        return "no situation covered it"
    covered = f"{len(routes)} situation{'s' if len(routes) > 1 else ''}"
    if "opsd" in routes:
        return f"training fell short: {covered} covered it"
    if "already known" in routes:
        return f"taken for known already, in {covered} that covered it"
    return f"the veteran was wrong in {covered} that covered it"
