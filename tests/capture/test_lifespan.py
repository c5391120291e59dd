"""A server that ends keeps what it breaks off."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from asking import Serve, client, kept, user

from journeyman.capture.gateway import Gateway
from journeyman.capture.recorder import Recorder
from journeyman.capture.redaction import Redaction
from journeyman.capture.redactors import Usual
from journeyman.capture.upstream import Answer
from journeyman.capture.wire import Request
from journeyman.store import open_store


class Endless:
    """An engine that says so much, and never ends."""

    def __init__(self, size: int) -> None:
        self.size, self.said = size, asyncio.Event()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    @asynccontextmanager
    async def ask(self, request: Request, tenant: str) -> AsyncIterator[Answer]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"choices": "' + b"word " * (self.size // 5)
            self.said.set()
            await asyncio.Event().wait()

        yield Answer(200, "application/json", pieces())


@pytest.mark.parametrize("size", [100, 1 << 18], ids=["judged at once", "judged in a thread"])
def test_what_is_broken_off_when_the_server_ends_is_kept(tmp_path: Path, size: int) -> None:
    async def day() -> None:
        with open_store(tmp_path / "day.db") as store, open_store(tmp_path / "day.db") as reader:
            engine = Endless(size)
            backend: Any = engine  # as much of one as is used
            gateway = Gateway(backend, Recorder(store), reader, redaction=Redaction(Usual()))
            told, begun = asyncio.Queue[dict[str, Any]](), asyncio.Event()
            given = [{"type": "http.request", "body": json.dumps({"messages": user("a")}).encode()}]

            async def receive() -> Any:
                return given.pop() if given else await asyncio.Event().wait()

            async def send(message: Any) -> None:
                if message["type"] == "lifespan.startup.complete":
                    begun.set()

            told.put_nowait({"type": "lifespan.startup"})
            lifespan = asyncio.create_task(gateway({"type": "lifespan"}, told.get, send))
            scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}
            await begun.wait()
            asked = asyncio.create_task(gateway(scope, receive, send))
            await engine.said.wait()
            asked.cancel()  # as uvicorn ends: one after the other, without waiting in between
            told.put_nowait({"type": "lifespan.shutdown"})
            await lifespan
            (found,) = store.exchanges()
            assert found.ending == "cut by server"
            assert found.response.startswith(b'{"choices": "')
            with suppress(asyncio.CancelledError):
                await asked

    asyncio.run(day())


def test_whoever_presses_ctrl_c_twice_sees_no_traceback_and_all_is_kept(serve: Serve) -> None:
    served = serve()
    stream = client(served).chat.completions.create(model="m", messages=user(f"wait 200 {'word ' * 99}"), stream=True)
    assert next(iter(stream))
    pid = served.process.pid
    assert pid
    os.kill(pid, signal.SIGINT)
    served.process.join(1)  # it waits for the stream
    os.kill(pid, signal.SIGINT)
    served.process.join(10)
    assert served.process.exitcode is not None
    said = served.log.read_text()
    assert "Traceback" not in said, said
    (found,) = kept(served)
    assert found.ending == "cut by server"
    assert found.reply
    assert found.reply["content"].startswith("word")
