"""The desk by day: the gateway with the model behind it, on loopback, and the client that brings it customers.

    with open_desk(store, engine) as url:
        ...                             # `journeyman serve`, in this process

Three assistants work at it, each a tenant with a key of its own: the one that learns, the model as it is, and the model
as it is with what it was corrected in kept in its prompt. All see the same customers; nights are the first one's only.

Always holds: what is asked and said goes over HTTP, as any client's; what was answered before is not asked again; what
is not for nights is kept for serving and evaluation alone.

Knows HTTP and customers; nothing of learning.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from journeyman.errors import StoreError
from journeyman.store import Store, open_store
from journeyman.world.actions import Action, Call, parsed

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine

LEARNS, FROZEN, REMINDED = ASSISTANTS = ("assistant", "frozen", "reminded")
PURPOSES = {LEARNS: "serve,evaluate,train,dream", FROZEN: "serve,evaluate", REMINDED: "serve,evaluate"}
REPLY_TOKENS = 80
AT_ONCE = 32
_BEGIN_SECONDS = 60.0
_ROWS_BYTES = 1 << 30  # of keys and values at once: the night wants room in the same process

Messages = list[dict[str, Any]]


class Answer(NamedTuple):
    """What an assistant did, and the receipt by which it can be spoken of; `adapter`: "" is the model as it is."""

    receipt: str
    action: Action
    adapter: str


@contextmanager
def open_desk(store: str, engine: TransformersEngine) -> Iterator[str]:
    """The base URL, as long as the block runs."""
    import uvicorn

    from journeyman.capture.gateway import Gateway
    from journeyman.capture.recorder import Recorder
    from journeyman.capture.redaction import asked_for
    from journeyman.capture.replies import of_stream
    from journeyman.serving.embedded import Embedded

    with ExitStack() as stack:
        writer, reader, other = (stack.enter_context(open_store(store)) for _ in range(3))
        stack.enter_context(writer.lock("serve"))
        writer.cut_open_exchanges(lambda response: of_stream(response).message)
        engine_by_day = Embedded(engine, other, memory=_ROWS_BYTES)
        gateway = Gateway(engine_by_day, Recorder(writer), reader, redaction=asked_for("default"))
        config = uvicorn.Config(
            gateway,  # type: ignore[arg-type]  # scopes as plain mappings
            host="127.0.0.1",
            port=0,
            log_level="error",
            access_log=False,
            lifespan="on",
            ws="none",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="desk", daemon=True)
        thread.start()
        try:
            end = time.monotonic() + _BEGIN_SECONDS
            while not server.started:
                if not thread.is_alive() or time.monotonic() > end:
                    raise StoreError("the desk's server did not begin", "see what it printed above")
                time.sleep(0.02)
            host, port = server.servers[0].sockets[0].getsockname()[:2]
            yield f"http://{host}:{port}/v1"
        finally:
            server.should_exit = True
            thread.join(_BEGIN_SECONDS)


def kept(store: Store, who: str, session: str) -> Answer | None:
    """What was answered in this session, if it was."""
    for exchange in reversed(store.exchanges(tenant=who, session=session)):
        if exchange.ending == "complete" and exchange.reply is not None:
            return Answer(exchange.receipt, _action(exchange.reply), exchange.details.get("adapter", ""))
    return None


class Client:
    """Asks as `who`, and speaks of what it was answered."""

    def __init__(self, url: str, who: str, key: str) -> None:
        self.url, self.who, self.key = url, who, key

    def ask(self, asked: Sequence[tuple[str, Messages]], tools: Sequence[dict[str, Any]]) -> list[Answer]:
        """An answer for each (session, conversation). The first is waited for, since what all begin with is read with
        it; the others come together."""

        def one(session: str, messages: Messages) -> Callable[[Any], Awaitable[Answer]]:
            async def send(http: Any) -> Answer:
                body = {
                    "model": "any",
                    "messages": messages,
                    "tools": list(tools),
                    "tool_choice": "required",
                    "temperature": 0,
                    "max_tokens": REPLY_TOKENS,
                }
                headers = {
                    "x-journeyman-session": session,
                    "x-journeyman-key": session,
                    "x-journeyman-purposes": PURPOSES[self.who],
                }
                found = await self._post(http, "/chat/completions", body, headers)
                adapter = found.get("system_fingerprint", "").rpartition("@")[2]
                action = _action(found["choices"][0]["message"])
                return Answer(found["journeyman"]["receipt"], action, "" if adapter == "base" else adapter)

            return send

        sends = [one(*each) for each in asked]
        return [*self._all(sends[:1]), *self._all(sends[1:])]

    def remark(self, path: str, bodies: Sequence[dict[str, Any]]) -> None:
        """`path`: /feedback or /outcomes. What was said before is kept once."""

        def one(body: dict[str, Any]) -> Callable[[Any], Awaitable[Any]]:
            return lambda http: self._post(http, path, body, {})

        self._all([one(body) for body in bodies])

    def _all(self, sends: Sequence[Callable[[Any], Awaitable[Any]]]) -> list[Any]:
        import aiohttp

        async def run() -> list[Any]:
            gate = asyncio.Semaphore(AT_ONCE)

            async def held(send: Callable[[Any], Awaitable[Any]]) -> Any:
                async with gate:
                    return await send(http)

            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
                return await asyncio.gather(*map(held, sends))

        return asyncio.run(run()) if sends else []

    async def _post(self, http: Any, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        headers = {**headers, "authorization": f"Bearer {self.key}"}
        async with http.post(self.url + path, json=body, headers=headers) as response:
            found = await response.json(content_type=None)
            if response.status != 200:
                why = found.get("error", {}).get("message", response.status) if isinstance(found, dict) else found
                raise StoreError(f"the desk refused what it was asked: {why}", "report this: it is a defect")
            return found


def _action(message: Any) -> Action:
    """What a message does: a call, or else words."""
    calls = message.get("tool_calls") or []
    if len(calls) == 1:
        function = calls[0]["function"]
        said = json.dumps({"name": function["name"], "arguments": function["arguments"]})
        return parsed(said)
    return parsed(message.get("content") or "")


def written(call: Call) -> str:
    """A call as a better answer says it, and as a conversation shows it: the tool before its arguments."""
    return json.dumps({"name": call.tool, "arguments": dict(call.args)}, ensure_ascii=False)
