"""An OpenAI-compatible engine that says what the last message asks for, and fails as it asks for: over real HTTP.

"say WORDS"   those words           "call NAME"   a call of that tool
"nonce"       a word that it never says again
"each WORDS"  those words, and in further choices (n) their number after them
"fail 429"    that status           "hang"        nothing, for long
"busy"        every second time 429, else as "nonce"
"moody WORDS" in turn: the words, 429, 500, the connection reset, half an answer, a chunk that is none, nothing for long
"break"       half an answer, then the connection is cut; streamed, half of the events
"wait MS WORDS"  the words, after so long (streamed: between the words)
    "crlf WORDS"  streamed with CRLF    "open WORDS"   streamed, and the connection stays open
    "parts WORDS" streamed, a list of parts first      "half"  half of a surrogate pair

/v1/responses knows "say", "call", "hang", "break" and, beyond these, "limit WORDS" (incomplete) and "fail" (failed).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import threading
from typing import Any

from aiohttp import web


class Engine:
    """Runs in a thread of its own; `asked` counts the chats that reached it."""

    def __init__(self) -> None:
        self.asked = 0
        self.moods = itertools.cycle(("say", "429", "say", "500", "say", "reset", "break", "say", "garble", "hang"))
        self.url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Engine:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        self._loop.run_forever()
        for task in (left := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(runner.cleanup())

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "me"}]}
        )

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        value = await request.json()
        wish, _, rest = _wished(value.get("input")).partition(" ")
        if wish == "hang":
            await asyncio.sleep(3600)
        whole = response(f"resp_{self.asked}", wish, rest)
        if not value.get("stream"):
            return web.json_response(whole)
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        for number, event in enumerate(response_events(whole)):
            if wish == "break" and event["type"].endswith(".delta") and event.get("delta") != rest.split(" ")[0]:
                assert request.transport
                request.transport.abort()
                return stream
            data = json.dumps({**event, "sequence_number": number})
            await stream.write(f"event: {event['type']}\ndata: {data}\n\n".encode())
            await asyncio.sleep(0)
        return stream

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        value = await request.json()
        last = value["messages"][-1] if value["messages"] else None
        wish, _, rest = str(last.get("content") if isinstance(last, dict) else last).partition(" ")
        if wish == "fail":
            headers = {"retry-after": "7", "x-should-retry": "false", "x-request-id": "q1", "x-internal": "secret"}
            return web.json_response({"error": {"message": "no", "type": "x"}}, status=int(rest), headers=headers)
        pause = 0.0
        if wish == "moody":
            wish, pause = next(self.moods), 0.02
        if wish in ("429", "500"):
            return web.json_response({"error": {"message": "no", "type": "x"}}, status=int(wish))
        if wish == "reset":
            assert request.transport
            request.transport.abort()
            return web.Response()
        if wish == "busy" and self.asked % 2:
            return web.json_response({"error": {"message": "busy", "type": "x"}}, status=429)
        if wish in ("nonce", "busy"):
            rest = f"nonce-{secrets.token_hex(8)}"
        if wish == "half":
            rest = "half \ud800 x"
        if wish == "hang":
            await asyncio.sleep(3600)
        if wish == "wait":
            milliseconds, _, rest = rest.partition(" ")
            pause = int(milliseconds) / 1000
        if value.get("stream"):
            return await self._stream(request, wish, rest, pause, value.get("n") or 1 if wish == "each" else 1)
        await asyncio.sleep(pause)
        body = json.dumps(_whole(wish, rest, value)).encode()
        if wish == "garble":
            return await _garbled(request, "application/json", body[: len(body) // 2])
        if wish == "break":
            response = web.StreamResponse(
                headers={"content-type": "application/json", "content-length": str(len(body))}
            )
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            assert request.transport
            request.transport.abort()
            return response
        return web.Response(body=body, content_type="application/json")

    async def _stream(self, request: web.Request, wish: str, rest: str, pause: float, n: int = 1) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        end = b"\r\n\r\n" if wish == "crlf" else b"\n\n"
        deltas = _deltas(wish, rest)
        if wish == "parts":
            deltas[0] = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]}
        if wish == "crlf":
            pause = 0.2
        for number, delta in enumerate(deltas):
            if wish == "break" and number == 2:
                assert request.transport
                request.transport.abort()
                return response
            if wish == "garble" and number == 2:
                assert request.transport
                request.transport.write(b"zz\r\nno chunk\r\n")
                return response
            await response.write(_event({"index": 0, "delta": delta, "finish_reason": None}, end))
            await asyncio.sleep(pause)
        for index in range(1, n):
            for delta in _deltas(wish, f"{rest} {index}"):
                await response.write(_event({"index": index, "delta": delta, "finish_reason": None}, end))
            await response.write(_event({"index": index, "delta": {}, "finish_reason": "stop"}, end))
        ending = "tool_calls" if wish == "call" else "stop"
        await response.write(_event({"index": 0, "delta": {}, "finish_reason": ending}, end))
        await response.write(b"data: [DONE]" + end)
        if wish == "open":
            await asyncio.sleep(3600)
        return response


async def _garbled(request: web.Request, kind: str, begun: bytes) -> web.StreamResponse:
    """So much of an answer, and then a chunk that is none."""
    response = web.StreamResponse(headers={"content-type": kind})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(begun)
    assert request.transport
    request.transport.write(b"zz\r\nno chunk\r\n")
    return response


def _event(choice: dict[str, Any], end: bytes) -> bytes:
    value = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(value).encode() + end


def _deltas(wish: str, rest: str) -> list[dict[str, Any]]:
    if wish == "call":
        function = {"name": rest, "arguments": ""}
        pieces = [{"index": 0, "id": "c1", "type": "function", "function": function}]
        more = [{"index": 0, "function": {"arguments": part}} for part in ('{"a"', ": 1}")]
        return [
            {"role": "assistant", "content": None, "tool_calls": pieces},
            *({"tool_calls": [part]} for part in more),
        ]
    words = rest.split(" ")
    return [{"role": "assistant", "content": ""}] + [
        {"content": word if not number else f" {word}"} for number, word in enumerate(words)
    ]


def _whole(wish: str, rest: str, value: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": rest, "refusal": None}
    if wish == "call":
        call = {"id": "c1", "type": "function", "function": {"name": rest, "arguments": '{"a": 1}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    messages = [
        {**message, "content": f"{rest} {index}"} if wish == "each" and index else message
        for index in range(value.get("n") or 1)
    ]
    choices = [
        {"index": index, "message": each, "finish_reason": "stop", "logprobs": None}
        for index, each in enumerate(messages)
    ]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}


def _wished(given: Any) -> str:
    """The text of the last item of a request for a response; "" if there is none."""
    last = given[-1] if isinstance(given, list) and given else given
    content = last.get("content", last.get("output")) if isinstance(last, dict) else last
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else [content]
    return "".join(part for part in parts if isinstance(part, str))


def response(name: str, wish: str, rest: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": rest, "annotations": [], "logprobs": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": rest, "arguments": '{"a": 1}'}
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    status = {"limit": "incomplete", "fail": "failed"}.get(wish, "completed")
    return {
        "id": name,
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if wish == "limit" else None,
        "error": {"code": "server_error", "message": "no"} if wish == "fail" else None,
        "output": [thought, {**call, "status": "completed"}] if wish == "call" else [thought, message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def response_events(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """As OpenAI streams it."""
    begun = {**whole, "status": "in_progress", "output": []}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for place, item in enumerate(whole["output"]):
        where = {"output_index": place, "item_id": item["id"]}
        empty = {name: "" if name == "arguments" else [] if name == "content" else each for name, each in item.items()}
        events.append({"type": "response.output_item.added", "output_index": place, "item": empty})
        if item["type"] == "message":
            inner, part = {**where, "content_index": 0}, item["content"][0]
            events.append({"type": "response.content_part.added", **inner, "part": {**part, "text": ""}})
            for number, word in enumerate(part["text"].split(" ")):
                delta = word if not number else f" {word}"
                events.append({"type": "response.output_text.delta", **inner, "delta": delta, "logprobs": []})
            events.append({"type": "response.output_text.done", **inner, "text": part["text"], "logprobs": []})
        elif item["type"] == "function_call":
            pieces = (item["arguments"][:4], item["arguments"][4:])
            events += [{"type": "response.function_call_arguments.delta", **where, "delta": each} for each in pieces]
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    return [*events, {"type": f"response.{whole['status']}", "response": whole}]
