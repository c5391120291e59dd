"""What Langfuse exports: observations, traces and scores, from its API, its UI or its blob storage.

    observation   {"id", "type": "GENERATION", "traceId", "input", "output", "startTime", "sessionId", "userId", ...}
    trace         {"id", "timestamp", "sessionId", "userId", "input", "output", ...}, perhaps with its "observations"
                  and "scores"; a session with its "traces"
    score         {"name", "value", "stringValue", "dataType", "source", "comment", "traceId", "observationId", ...}

one a line, in a list, in a page {"data": [...]}, or in a table with a header (CSV); in camelCase or, from blob storage,
in snake_case, where input and output are JSON text. In exports of the UI a score is a column of its own.

A generation is a call. A trace stands for one where none of its generations is here. A score becomes a remark of what
it is about, or of the last call of its trace or session: a corrected output the better answer; what is called feedback,
rating or thumbs, is from 0 to 1 and was no evaluator's, a rating, with its comment as the correction if it is low; any
other an outcome, as JSON.

Always holds: the order does not matter, and what is there twice counts once.

Sources: https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields,
https://api.reference.langfuse.com, https://langfuse.com/docs/observability/features/user-feedback and
https://langfuse.com/docs/observability/features/corrections. Knows nothing of sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from journeyman.capture.logs import shapes
from journeyman.capture.logs.calls import Call, Gathered, Place, when
from journeyman.capture.messages import UnreadableError
from journeyman.records import Feedback, Outcome

_TYPES = (
    *("GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"),
)
_OF_TRACES = ("sessionId", "userId", "observations", "bookmarked", "htmlPath", "release")
_RATING = re.compile(r"feedback|rating|thumb", re.IGNORECASE)

Row = Mapping[str, Any]


class LangfuseExport:
    """Observations, traces and scores, from any number of values."""

    def __init__(self) -> None:
        self._generations: dict[str, tuple[Place, Row]] = {}
        self._traces: dict[str, tuple[Place, Row]] = {}
        self._scores: dict[str, tuple[Place, Row]] = {}

    def takes(self, value: Any) -> bool:
        if not isinstance(value, Mapping) or "messages" in value:
            return False
        if _is_page(value):
            return any(self.takes(each) for each in value["data"])
        return _is_observation(value) or _is_score(value) or _is_trace(value) or "trace" in value

    def add(self, value: Any, place: Place) -> None:
        for kind, row in _rows(value):
            id = str(_get(row, "id") or json.dumps(row, sort_keys=True, default=str))
            if kind == "score":
                self._scores[id] = (place, row)
            elif kind == "trace":
                self._traces[id] = (place, {**self._traces.get(id, (place, {}))[1], **row})
            elif str(row["type"]).upper() == "GENERATION":
                self._generations[id] = (place, row)

    def gathered(self) -> Gathered:
        found = Gathered()
        covered = {str(_get(row, "traceId")) for _, row in self._generations.values()}
        alone = {id: each for id, each in self._traces.items() if id not in covered and _asks(each[1])}
        for kind, rows in (("generation", self._generations), ("trace", alone)):
            for id, (place, row) in rows.items():
                try:
                    found.calls.append(self._call(kind, id, place, row))
                except UnreadableError as why:
                    found.refused.append((place, f"{kind} {id}: {why}"))
        found.calls.sort(key=lambda call: call.started_at)
        last = {}
        for call in found.calls:
            last |= {("trace", call.group): call.name, ("session", call.session): call.name}
            last["observation", call.name.removeprefix("generation ")] = call.name
        for id, (place, row) in [*self._scores.items(), *self._columns()]:
            about = (("observation", "observationId"), ("trace", "traceId"), ("session", "sessionId"))
            name = next((last.get((kind, str(_get(row, key)))) for kind, key in about if _get(row, key)), None)
            if name is None:
                found.refused.append((place, f"score {id}: what it is about is not here; import that with it"))
                continue
            remark = _remark(row, name)
            if isinstance(remark, Feedback):
                found.feedback.append(remark)
            else:
                found.outcomes.append(remark)
        return found

    def _call(self, kind: str, id: str, place: Place, row: Row) -> Call:
        trace = id if kind == "trace" else str(_get(row, "traceId") or "")
        around = self._traces.get(trace, (place, {}))[1]
        answer = shapes.parsed(_get(row, "output"))
        if answer in (None, ""):
            why = _get(row, "statusMessage")
            raise UnreadableError(f"there is no answer{f': the call failed ({why})' if why else ''}")
        return Call(
            place=place,
            name=f"{kind} {id}",
            request={"messages": shapes.conversation(shapes.parsed(_get(row, "input")))},
            reply=shapes.answer(answer),
            session=str(_get(row, "sessionId") or _get(around, "sessionId") or ""),
            group=trace,
            user=str(_get(row, "userId") or _get(around, "userId") or ""),
            started_at=when(_get(row, "startTime") or _get(row, "timestamp")),
        )

    def _columns(self) -> Iterator[tuple[str, tuple[Place, Row]]]:
        """The ratings that stand as columns of what they are about."""
        for about, rows in (("observationId", self._generations), ("traceId", self._traces)):
            for id, (place, row) in rows.items():
                for name, value in row.items():
                    values = value if isinstance(value, list) else shapes.parsed(value)
                    numbers = list(map(_number, values if isinstance(values, list) else [values]))
                    if _RATING.search(name) and numbers and numbers[-1] is not None:
                        yield f"{name} of {id}", (place, {"name": name, "value": numbers[-1], about: id})


def _rows(value: Any, around: Row | None = None) -> Iterator[tuple[str, Row]]:
    """What a value holds, each with its kind."""
    if not isinstance(value, Mapping):
        return
    if _is_page(value):
        for each in value["data"]:
            yield from _rows(each)
    elif _is_observation(value):
        yield "observation", {**(around or {}), **_known(value)}
    elif _is_score(value):
        yield "score", {**(around or {}), **_known(value)}
    elif isinstance(value.get("traces"), list):  # a session
        for each in value["traces"]:
            if isinstance(each, Mapping):
                yield from _rows({"sessionId": value.get("id"), **_known(each)})
    else:
        trace = value["trace"] if isinstance(value.get("trace"), Mapping) else value
        if trace.get("id"):
            yield (
                "trace",
                {name: each for name, each in _known(trace).items() if name not in ("observations", "scores")},
            )
        for name in ("observations", "scores"):
            for each in [*_list(value, name), *(_list(trace, name) if trace is not value else ())]:
                yield from _rows(each, {"traceId": trace["id"]} if trace.get("id") else None)


def _remark(row: Row, name: str) -> Feedback | Outcome:
    kind, value, said = _get(row, "dataType"), _number(_get(row, "value")), _get(row, "comment") or ""
    words = _get(row, "stringValue")
    if kind == "CORRECTION":  # the content stands in the one or, in later versions of the API, in the other
        better = words if words not in (None, "") else _get(row, "value")
        return Feedback(name, better=shapes.text(better))
    by_people = _RATING.search(str(_get(row, "name"))) and _get(row, "source") != "EVAL"
    if by_people and value is not None and 0 <= value <= 1:
        if value < 0.5 or not said:
            return Feedback(name, rating=value, correction=str(said))
        return Feedback(name, rating=value, tags=(str(said),))
    kept = {
        "name": _get(row, "name"),
        "value": words if kind in ("CATEGORICAL", "TEXT") and words else _get(row, "value"),
    }
    return Outcome(json.dumps({**kept, "comment": said} if said else kept, sort_keys=True), receipt=name)


def _get(row: Row, name: str) -> Any:
    """A field, by its name in the API or in the tables of the database; an empty cell is none."""
    found = row.get(name)
    found = row.get(_snake(name)) if found in (None, "") else found
    return None if found == "" else found


@cache
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


def _known(row: Row) -> Row:
    return {name: each for name, each in row.items() if each is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = {"True": 1, "true": 1, "False": 0, "false": 0}.get(value, value)
    try:
        return None if value is None or isinstance(value, list | dict) else float(value)
    except (ValueError, OverflowError):
        return None


def _asks(row: Row) -> bool:
    return _get(row, "input") is not None and _get(row, "output") is not None


def _is_page(value: Row) -> bool:
    return isinstance(value.get("data"), list) and "object" not in value


def _is_observation(value: Row) -> bool:
    return (
        str(value.get("type")).upper() in _TYPES
        and "id" in value
        and (_has(value, "traceId") or _has(value, "startTime"))
    )


def _is_score(value: Row) -> bool:
    return "name" in value and "value" in value and _has(value, "dataType")


def _is_trace(value: Row) -> bool:
    if isinstance(value.get("traces"), list) and "id" in value:
        return True
    return "id" in value and "timestamp" in value and any(_has(value, name) for name in _OF_TRACES)


def _has(value: Row, name: str) -> bool:
    return name in value or _snake(name) in value


def _list(value: Row, name: str) -> list[Any]:
    found = shapes.parsed(value.get(name))
    return found if isinstance(found, list) else []
