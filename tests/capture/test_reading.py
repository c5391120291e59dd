"""A store that takes its time, or is gone, holds up nobody but who needs it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asking import user

from journeyman.capture.gateway import Gateway
from journeyman.capture.keys import issue
from journeyman.capture.recorder import Recorder
from journeyman.capture.upstream import Answer
from journeyman.capture.wire import Request
from journeyman.errors import StoreError
from journeyman.store import Store, open_store

SLOW = 0.8  # seconds


class Slow:
    """A store that answers late, or not at all, once it is told to."""

    def __init__(self, store: Store) -> None:
        self._store, self.late, self.gone = store, False, False
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any, **options: Any) -> Any:
            if self.late:
                self.asked.append(name)
                time.sleep(SLOW)
                if self.gone:
                    raise StoreError("the connection was lost", "see that the server runs")
            return getattr(self._store, name)(*args, **options)

        return ask


class Echo:
    """An engine that says what it was told."""

    @asynccontextmanager
    async def ask(self, request: Request, tenant: str) -> AsyncIterator[Answer]:
        async def pieces() -> AsyncIterator[bytes]:
            message = {"role": "assistant", "content": request.json()["messages"][-1]["content"]}
            yield json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()

        yield Answer(200, "application/json", pieces())


async def asked(gateway: Gateway, path: str, value: Any = None, key: str = "") -> tuple[int, float, Any]:
    """The status, how long it took, and what was said."""
    begun, sent = time.monotonic(), []
    given = [{"type": "http.request", "body": b"" if value is None else json.dumps(value).encode()}]

    async def receive() -> Any:
        return given.pop() if given else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode())]
    method = "GET" if value is None else "POST"
    await gateway({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], time.monotonic() - begun, json.loads(body)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("what", ["newest_exchange", "all_keys"])
def test_while_the_store_takes_its_time_others_are_answered(tmp_path: Path, what: str, gone: bool) -> None:
    async def day() -> None:
        with open_store(tmp_path / "day.db") as store, open_store(tmp_path / "day.db") as reader:
            key, _ = issue(store, "ann")
            slow = Slow(reader)
            gateway = Gateway(Echo(), Recorder(store), slow)  # type: ignore[arg-type]  # as much of them as is used
            gateway.recorder.start()
            first = await asked(gateway, "/v1/chat/completions", {"messages": user("a")}, key)
            assert first[0] == 200
            gateway.recent._sessions.clear()  # as after a restart
            if what == "all_keys":
                gateway.doorkeeper._read -= 10
            slow.late, slow.gone = True, gone
            more = {"messages": [*user("a"), {"role": "assistant", "content": "a"}, *user("b")]}
            waiting = [asyncio.create_task(asked(gateway, "/v1/chat/completions", more, key)) for _ in range(2)]
            await asyncio.sleep(0.1)
            status, took, _ = await asked(gateway, "/healthz")
            assert (status, took < SLOW / 2) == (200, True)
            found = await asyncio.gather(*waiting)
            assert [each[0] for each in found] == [503 if gone else 200] * 2
            if what == "all_keys":
                assert slow.asked.count("all_keys") == 1, "all wait for one answer"
            if not gone:
                assert {each[2]["journeyman"]["session"] for each in found} == {first[2]["journeyman"]["session"]}
            else:
                assert "connection was lost" in found[0][2]["error"]["message"]
            await gateway.recorder.stop()

    asyncio.run(day())
