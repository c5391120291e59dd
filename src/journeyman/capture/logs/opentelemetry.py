"""Spans of OpenTelemetry, as its collector's file exporter writes them: OTLP in JSON.

    {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId", "spanId", "attributes", "events", ...}]}]}]}
    {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId", "spanId", "eventName", "body", ...}]}]}]}

A call to a model is a span; what was said stands, by the convention that its instrumentation follows,

    in the attributes gen_ai.system_instructions, gen_ai.input.messages and gen_ai.output.messages, as values or as
    JSON, of the span or of the event gen_ai.client.inference.operation.details;
    up to 1.36, in the events gen_ai.{system,user,assistant,tool}.message and gen_ai.choice, which are log records or,
    as some clients have it, events of the span with the body as JSON in gen_ai.event.content;
    up to 1.27, in the span's events gen_ai.content.prompt and gen_ai.content.completion, as JSON in gen_ai.prompt and
    gen_ai.completion.

Always holds: a span is one call, however many of these say so, and in however many files; what names no span is taken
for a call only if it is a whole one; an agent's span counts only where no call of its trace says what was said.

Sources: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/, https://opentelemetry.io/docs/specs/semconv/gen-ai/,
and https://github.com/open-telemetry/semantic-conventions/blob/v1.36.0/docs/gen-ai/gen-ai-events.md. Knows nothing of
sessions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from journeyman.capture.logs import shapes
from journeyman.capture.logs.calls import Call, Gathered, Place, when
from journeyman.capture.messages import UnreadableError
from journeyman.records import content_hash

_MODELS = ("chat", "generate_content", "text_completion")
_AGENTS = ("invoke_agent", "invoke_workflow")
_OTHERS = ("embeddings", "execute_tool", "create_agent", "retrieval")
_SAID = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
_DETAILS = "gen_ai.client.inference.operation.details"
_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_OLD = {"gen_ai.content.prompt": "gen_ai.prompt", "gen_ai.content.completion": "gen_ai.completion"}
_SILENT = (
    "it says nothing of what was said: let the application record it"
    " (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT), or import the file with its events in the same command"
)
_STRAY = (
    "it names no span, so that nobody can tell which call it belongs to: let the application record traces, or import"
    " logs with one record for each call (gen_ai.client.inference.operation.details)"
)


@dataclass
class _Span:
    place: Place
    trace: str
    id: str
    mark: str  # its id; of a record that names no span, what it holds
    name: str = ""
    started: int = 0
    failed: str = ""  # what went wrong
    seen: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[int, str, Any]] = field(default_factory=list)  # time, name, body

    @property
    def operation(self) -> str:
        return str(self.attributes.get("gen_ai.operation.name") or "")

    @property
    def speaks(self) -> bool:
        return any(self.attributes.get(name) for name in _SAID[1:]) or any(body for _, _, body in self.events)


class OpenTelemetryExport:
    """Spans and log records, from any number of values."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], _Span] = {}

    def takes(self, value: Any) -> bool:
        return isinstance(value, Mapping) and any(
            isinstance(value.get(name), list) for name in ("resourceSpans", "resourceLogs", "resourceMetrics")
        )

    def add(self, value: Any, place: Place) -> None:
        for span in _each(value, "resourceSpans", "scopeSpans", "spans"):
            self._add_span(span, place)
        for record in _each(value, "resourceLogs", "scopeLogs", "logRecords"):
            attributes = _attributes(record)
            name = str(record.get("eventName") or attributes.get("event.name") or "")
            if _is_ours(name):
                time = _number(record.get("timeUnixNano")) or _number(record.get("observedTimeUnixNano"))
                self._event(self._span(record, place), time, name, _plain(record.get("body")), attributes)

    def gathered(self) -> Gathered:
        found = Gathered()
        spans: list[_Span] = []
        for span in self._spans.values():
            if span.events and not (span.id or span.seen):
                found.refused.append((span.place, f"event {span.events[0][1]}: {_STRAY}"))
            elif span.operation not in _OTHERS:
                spans.append(span)
        speaking = {each.trace for each in spans if each.speaks and each.operation not in _AGENTS}
        for span in spans:
            if span.operation in _AGENTS and (span.trace in speaking or not span.speaks):
                continue
            if not span.speaks and span.operation not in _MODELS:  # any other span
                continue
            try:
                found.calls.append(_call(span))
            except UnreadableError as why:
                title = f" ({span.name})" if span.name else ""
                found.refused.append((span.place, f"span {span.id or 'without an id'}{title}: {why}"))
        return found

    def _span(self, value: Mapping[str, Any], place: Place) -> _Span:
        trace, id = _id(value, "traceId"), _id(value, "spanId")
        mark = id or content_hash(value)
        return self._spans.setdefault((trace, mark), _Span(place, trace, id, mark))

    def _add_span(self, value: Mapping[str, Any], place: Place) -> None:
        span = self._span(value, place)
        if span.seen:  # exported twice
            return
        span.seen, span.place = True, place
        span.name, span.started = str(value.get("name") or ""), _number(value.get("startTimeUnixNano"))
        span.attributes = {**span.attributes, **_attributes(value)}
        status = value.get("status")
        if isinstance(status, Mapping) and status.get("code") in (2, "STATUS_CODE_ERROR"):
            span.failed = str(status.get("message") or span.attributes.get("error.type") or "an error")
        for event in value.get("events") or ():
            if isinstance(event, Mapping) and _is_ours(str(event.get("name"))):
                attributes = _attributes(event)
                body = shapes.parsed(attributes.get("gen_ai.event.content"))
                self._event(span, _number(event.get("timeUnixNano")), str(event["name"]), body, attributes)

    def _event(self, span: _Span, time: int, name: str, body: Any, attributes: Mapping[str, Any]) -> None:
        if name == _DETAILS:
            span.attributes = {**attributes, **span.attributes}
            span.started = span.started or time
            return
        for known in ("gen_ai.conversation.id", "session.id", "user.id"):
            if attributes.get(known):
                span.attributes.setdefault(known, attributes[known])
        if name in _OLD:
            body = shapes.parsed(attributes.get(_OLD[name]))
        elif not body:  # its fields may stand as attributes
            body = {field: shapes.parsed(each) for field, each in attributes.items() if "." not in field}
        elif isinstance(body, str):
            body = {"content": body}
        if (time, name, body) not in span.events:
            span.events.append((time, name, body))


def _call(span: _Span) -> Call:
    if not span.speaks:
        raise UnreadableError(f"the call failed ({span.failed})" if span.failed else _SILENT)
    instructions, asked, given = (_json(span, name) for name in _SAID)
    if asked is not None or given is not None:
        messages = shapes.conversation(asked)
        if instructions and not (messages and messages[0]["role"] in ("system", "developer")):
            messages = [*shapes.messages({"role": "system", "parts": _parts(instructions)}), *messages]
    else:
        messages, given = _of_events(span)
    if not given:
        raise UnreadableError(f"there is no answer{f': the call failed ({span.failed})' if span.failed else ''}")
    known = span.attributes
    began = span.started or min((time for time, _, _ in span.events if time), default=0)
    return Call(
        place=span.place,
        name=f"span {span.trace}:{span.mark}",
        request={"messages": messages},
        reply=shapes.answer(given),
        session=str(known.get("gen_ai.conversation.id") or known.get("session.id") or ""),
        group=span.trace,
        user=str(known.get("user.id") or known.get("enduser.id") or ""),
        started_at=when(began // 1000 / 1e6) if 0 < began < 2**64 else "",
    )


def _of_events(span: _Span) -> tuple[list[dict[str, Any]], Any]:
    """What was said, and the first choice, from the span's events."""
    messages: list[dict[str, Any]] = []
    choice: Any = None
    for _, name, body in sorted(span.events, key=lambda event: event[0]):
        if name == "gen_ai.content.prompt":
            messages += shapes.conversation(body)
        elif name == "gen_ai.content.completion":
            choice = choice or body
        elif name == "gen_ai.choice":
            if isinstance(body, Mapping) and body.get("index") in (0, None, "0") and choice is None:
                message = body.get("message")
                calls = {"tool_calls": body["tool_calls"]} if body.get("tool_calls") else {}
                said = message if isinstance(message, Mapping) else {"content": message or body.get("content")}
                choice = {"role": "assistant", **calls, **{key: each for key, each in said.items() if each is not None}}
        elif isinstance(body, Mapping):
            id = {"tool_call_id": body["id"]} if name == "gen_ai.tool.message" and body.get("id") else {}
            messages += shapes.messages({"role": _ROLES[name], **id, **body})
        else:
            raise UnreadableError(f"its event {name} is empty; {_SILENT}")
    return messages, choice


def _json(span: _Span, name: str) -> Any:
    """An attribute that is a value, or JSON."""
    given = span.attributes.get(name)
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(
            f"its {name} is no JSON, as if it had been cut off: raise OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
        ) from error


def _parts(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _is_ours(name: str) -> bool:
    return name in _ROLES or name in _OLD or name in ("gen_ai.choice", _DETAILS)


def _each(value: Mapping[str, Any], *path: str) -> Iterator[Mapping[str, Any]]:
    """The objects at the end of a path of lists."""
    found = value.get(path[0])
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping):
            yield from _each(each, *path[1:]) if len(path) > 1 else (each,)


def _attributes(value: Mapping[str, Any]) -> dict[str, Any]:
    return {str(each.get("key")): _plain(each.get("value")) for each in _each(value, "attributes")}


def _plain(value: Any) -> Any:
    """What an AnyValue of OTLP is."""
    if not isinstance(value, Mapping):
        return None
    for kind, each in value.items():
        if kind == "intValue":
            return _number(each)
        if kind == "arrayValue":
            return [_plain(item) for item in _mapping(each).get("values") or ()]
        if kind == "kvlistValue":
            return {str(item.get("key")): _plain(item.get("value")) for item in _each(_mapping(each), "values")}
        return each
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _id(value: Mapping[str, Any], name: str) -> str:
    """An id; one of zeros stands for none."""
    given = str(value.get(name) or "")
    return given if given.strip("0") else ""


def _number(value: Any) -> int:
    """64 bits are written as text in JSON."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0
