"""What OpenAI's API gives back of calls that were made, and logs of requests with their responses.

    stored completions   {"object": "chat.completion", "id", "choices", "metadata", ...}, alone or in a page
                         {"object": "list", "data": [...]}; what was asked comes in pages of messages, each named
                         "<the completion's id>-<number>", or is added to the completion as "messages"
    stored responses     {"object": "response", ...} to which "input" was added
    batches              a line {"custom_id", "method", "url", "body"} of the input file, and a line
                         {"custom_id", "response": {"status_code", "body"}, "error"} of the output file
    logs                 {"request": {...}, "response": {...}}: the bodies, or {"body": ...} around them, as objects or
                         as text; a response may be the text of a stream

Always holds: a request and its response are read as the gateway reads them; pieces of one call may come in any order
and from any file; a page that was left out is missed by name.

Sources: https://platform.openai.com/docs/api-reference/chat/list, .../chat/getMessages, .../batch/request-input and
.../batch/request-output. Knows nothing of sessions.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from journeyman.capture import replies
from journeyman.capture.logs import shapes
from journeyman.capture.logs.calls import Call, Gathered, Place, when
from journeyman.capture.messages import UnreadableError
from journeyman.records import content_hash

_OF_RESPONSES = ("input", "instructions", "previous_response_id", "conversation")
_MISSING = "import the file with {} in the same command"


class OpenAILogs:
    """Completions, batches and logs, from any number of values."""

    def __init__(self) -> None:
        self._found = Gathered()
        self._completions: dict[str, tuple[Place, Mapping[str, Any]]] = {}
        self._messages: defaultdict[str, dict[int, tuple[Place, Any]]] = defaultdict(dict)
        self._asked: defaultdict[str, list[tuple[Place, Mapping[str, Any]]]] = defaultdict(list)  # by custom_id
        self._answered: defaultdict[str, list[tuple[Place, Mapping[str, Any]]]] = defaultdict(list)

    def takes(self, value: Any) -> bool:
        if not isinstance(value, Mapping):
            return False
        return (
            value.get("object") in ("chat.completion", "response")
            or (value.get("object") == "list" and isinstance(value.get("data"), list))
            or ("custom_id" in value and ("body" in value or "response" in value))
            or ("request" in value and "response" in value)
        )

    def add(self, value: Any, place: Place) -> None:
        if value.get("object") == "list":
            for each in value["data"]:
                if isinstance(each, Mapping):
                    self._add_item(each, place)
        elif value.get("object") == "chat.completion":
            self._completions.setdefault(str(value.get("id")), (place, value))
        elif value.get("object") == "response":
            self._pair(f"response {value.get('id')}", place, value, value)
        elif "custom_id" in value:
            lines = self._asked if "body" in value else self._answered
            lines[str(value["custom_id"])].append((place, value))
        else:
            request, response = _body(value["request"]), _body(value["response"])
            self._pair(f"line {place.line}", place, request, response, value)

    def gathered(self) -> Gathered:
        for id, (place, completion) in self._completions.items():
            asked = completion.get("messages")
            if asked is None and (numbered := self._messages.pop(id, None)):
                asked = [_stored(numbered[number][1]) for number in sorted(numbered)]
            request = {**completion, "messages": asked, "user": completion.get("input_user")}
            name = f"completion {id}"
            if not asked:
                self._refuse(place, name, f"what was asked is not in it; {_MISSING.format('its messages')}")
            else:
                self._pair(name, place, request, completion)
        for id, numbered in self._messages.items():
            place = next(iter(numbered.values()))[0]
            self._refuse(place, f"the messages of {id}", _MISSING.format("the completion"))
        for id in [*self._asked, *(each for each in self._answered if each not in self._asked)]:
            self._batch(id, self._asked.get(id, []), self._answered.get(id, []))
        return self._found

    def _add_item(self, item: Mapping[str, Any], place: Place) -> None:
        completion, _, number = str(item.get("id") or "").rpartition("-")
        if self.takes(item):
            self.add(item, place)
        elif "role" in item and completion and number.isdecimal():
            self._messages[completion][int(number)] = (place, item)
        else:
            self._refuse(place, f"item {item.get('id')}", "it is neither a completion nor a message of one")

    def _batch(
        self, id: str, asked: list[tuple[Place, Mapping[str, Any]]], answered: list[tuple[Place, Mapping[str, Any]]]
    ) -> None:
        name = f"request {id}"
        place = (asked or answered)[0][0]
        if not asked or not answered:
            self._refuse(place, name, _MISSING.format("the batch's answers" if asked else "the batch's requests"))
        elif any(each != lines[0][1] for lines in (asked, answered) for _, each in lines):
            self._refuse(place, name, "two requests of this name: import one batch at a time")
        else:
            error, response = answered[0][1].get("error"), answered[0][1].get("response")
            failed = isinstance(error, Mapping) and not response
            self._pair(name, place, _body(asked[0][1]), {"error": error} if failed else _body(response))

    def _pair(
        self, name: str, place: Place, request: Any, response: Any, around: Mapping[str, Any] | None = None
    ) -> None:
        try:
            self._found.calls.append(_call(name, place, request, response, around or {}))
        except UnreadableError as why:
            self._refuse(place, name, str(why))

    def _refuse(self, place: Place, name: str, why: str) -> None:
        self._found.refused.append((place, f"{name}: {why}"))


def _call(name: str, place: Place, request: Any, response: Any, around: Mapping[str, Any]) -> Call:
    if not isinstance(request, Mapping):
        raise UnreadableError("the request is no object")
    reply = _read(response)
    value = response if isinstance(response, Mapping) else {}
    if reply.message is None:
        error = value.get("error")
        if error:
            message = error.get("message") if isinstance(error, Mapping) else error
            raise UnreadableError(f"there is no answer: the call failed ({message or error})")
        raise UnreadableError("there is no answer in the response")
    metadata = request.get("metadata")
    session = metadata.get("session_id") if isinstance(metadata, Mapping) else None
    user = request.get("user")
    began = value.get("created") or value.get("created_at") or around.get("created_at") or around.get("timestamp")
    id = reply.details.get("id") or reply.details.get("response_id")
    if around:  # of a log, in which nothing else need tell a call from others: lines move when it is rolled
        mark = content_hash([request, response])
        name, id = f"{name} ({mark})", id or mark
    if isinstance(request.get("messages"), list):
        asked: dict[str, Any] = {"messages": request["messages"]}
    elif "input" in request:
        asked = {key: request[key] for key in _OF_RESPONSES if request.get(key) is not None}
    else:
        raise UnreadableError("the request has neither 'messages' nor 'input'")
    return Call(
        place=place,
        name=f"{name} ({id})" if id and str(id) not in name else name,
        request=asked,
        reply=reply.message,
        session=session if isinstance(session, str) else "",
        group=str(id or ""),
        user=user if isinstance(user, str) else "",
        started_at=when(began),
        response_id=str(reply.details.get("response_id") or ""),
    )


def _read(response: Any) -> replies.Reply:
    if isinstance(response, str):
        return replies.of_stream(response.encode(errors="replace") + b"\n\n")
    return replies.of_object(json.dumps(response).encode())


def _body(value: Any) -> Any:
    """A body, from what may stand around it, and read if it is JSON text."""
    value = shapes.parsed(value)
    if isinstance(value, Mapping) and "body" in value:
        return shapes.parsed(value["body"])
    return value


def _stored(message: Any) -> Any:
    """A stored message: its parts, if it was given in parts."""
    return {**message, "content": message["content_parts"]} if message.get("content_parts") else message
